"""`pullkeeper completion`: each script in its own shell, and kubectl with the program that completes the plugin."""

import os
import shlex
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from pullkeeper.cli.main import _run
from testsupport.debian_packages import unpacked
from testsupport.interop_tools import Tools

Complete = Callable[[str, Path], list[str]]
"""Completes a line that ends with the cursor, with a script; gives the candidates, without what they mean."""


def run(*command: str | Path, environment: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
    """Run a command that succeeds, and return what it printed."""
    completed = subprocess.run(
        command, env={**os.environ, **(environment or {})}, cwd=cwd, capture_output=True, text=True, check=False
    )
    assert completed.returncode == 0, completed.stdout + completed.stderr
    return completed.stdout


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write every script, once: each start loads all commands."""
    folder = tmp_path_factory.mktemp("scripts")
    for shell in ("bash", "zsh", "fish", "kubectl"):
        with (folder / shell).open("w") as file, redirect_stdout(file):
            assert _run(["completion", shell]) == 0
    (folder / "settings.yaml").touch()
    return folder


def in_bash(line: str, scripts: Path) -> list[str]:
    """Call what bash calls for Tab, with the words as bash takes them apart."""
    words = line.replace("=", " = ").split(" ")
    given = " ".join(map(shlex.quote, words))
    script = (
        f'. ./bash; COMP_WORDS=({given}); COMP_CWORD={len(words) - 1}; _pullkeeper; printf "%s\\n" "${{COMPREPLY[@]}}"'
    )
    run("bash", "-n", "bash", cwd=scripts)
    return run("bash", "-euc", script, cwd=scripts).split()


def in_zsh(line: str, scripts: Path) -> list[str]:
    """Call what zsh calls for Tab; what it would show is printed instead."""
    root = unpacked(["zsh", "zsh-common"], "bin/zsh")
    (modules,) = root.glob("usr/lib/*/zsh/*")
    words = line.split(" ")
    script = (
        f"module_path=({modules}); compdef() {{ : }}; _describe() {{ print -l -- ${{(P)2}} }}\n"
        "_files() { print -l -- ${words[CURRENT]}*(N) }\n"
        f". ./zsh; words=({' '.join(map(shlex.quote, words))}); CURRENT={len(words)}; _pullkeeper"
    )
    run(root / "bin/zsh", "-n", "zsh", cwd=scripts)
    printed = run(root / "bin/zsh", "-fc", script, cwd=scripts)
    return [each.partition(":")[0] for each in printed.splitlines()]


def in_fish(line: str, scripts: Path) -> list[str]:
    """Let fish complete the line."""
    root = unpacked(["fish", "fish-common", "libpcre2-32-0"], "usr/bin/fish")
    (libraries,) = root.glob("usr/lib/*/libpcre2-32.so.0")
    found = {"LD_LIBRARY_PATH": str(libraries.parent), "HOME": str(scripts)}
    run(root / "usr/bin/fish", "--no-execute", "fish", environment=found, cwd=scripts)
    script = (
        f"set -p fish_function_path {root}/usr/share/fish/functions; source ./fish; complete -C {shlex.quote(line)}"
    )
    printed = run(root / "usr/bin/fish", "--no-config", "-c", script, environment=found, cwd=scripts)
    return [each.partition("\t")[0] for each in printed.splitlines()]


@pytest.mark.parametrize("complete", [in_bash, in_zsh, in_fish])
@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("pullkeeper st", {"status"}),
        ("pullkeeper status --al", {"--all-namespaces"}),
        ("pullkeeper status -o ", {"text", "wide", "json", "yaml"}),
        ("pullkeeper status --watch --output j", {"json"}),
        ("pullkeeper explain ", {"pod"}),
        ("pullkeeper explain pod ", set[str]()),
        ("pullkeeper check --context ", set[str]()),
        ("pullkeeper completion f", {"fish"}),
        ("pullkeeper nonsense ", set[str]()),
        ("pullkeeper render -f set", {"settings.yaml"}),
    ],
)
def test_each_shell_completes(complete: Complete, scripts: Path, line: str, found: set[str]) -> None:
    """Commands, options, their values, and files where an option takes one."""
    assert set(complete(line, scripts)) == found


def test_bash_takes_an_equals_sign_for_a_word(scripts: Path) -> None:
    """Between an option and its value."""
    assert in_bash("pullkeeper status --output=js", scripts) == ["json"]
    assert in_bash("pullkeeper status --output=", scripts) == ["text", "wide", "json", "yaml"]


@pytest.mark.parametrize(
    ("words", "printed"),
    [
        (["sta"], ["status", ":4"]),
        (["status", "-o", ""], ["text", "wide", "json", "yaml", ":4"]),
        (["render", "-f", ""], [":0"]),
    ],
)
def test_kubectl_completes_the_plugin(
    tools: Tools, scripts: Path, tmp_path: Path, words: Sequence[str], printed: Sequence[str]
) -> None:
    """It finds the program by its name, and hands on what it prints: the last line says whether files may follow."""
    for name, text in {"kubectl-pullkeeper": "#!/bin/sh\n", "kubectl_complete-pullkeeper": ""}.items():
        (tmp_path / name).write_text(text or (scripts / "kubectl").read_text())
        (tmp_path / name).chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "KUBECONFIG": os.devnull}
    shown = run(tools.path("kubectl"), "__complete", "pullkeeper", *words, environment=environment)
    assert [each.partition("\t")[0] for each in shown.splitlines()] == printed
