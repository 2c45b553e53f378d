"""The command line: errors, exit statuses and help."""

import argparse
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from pullkeeper.app.config_loader import Config, config_from
from pullkeeper.cli import main as command_line
from pullkeeper.cli import run as run_command
from pullkeeper.cli.main import _parser
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.errors.failures import Failure, FailureError, Reason
from pullkeeper.domain.errors.validation import InvalidInputError
from pullkeeper.domain.reporting.state import State
from testsupport.waiting import HANG_GUARD

DENIED = FailureError(Failure(reason=Reason.KUBERNETES_DENIED, message="grant it"))


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the variables of whoever runs the tests out."""
    for name in list(os.environ):
        if name.startswith("PULLKEEPER_"):
            monkeypatch.delenv(name)


def main(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["pullkeeper", *arguments])
    return command_line.main()


def running(monkeypatch: pytest.MonkeyPatch, outcome: BaseException | None = None) -> list[tuple[Settings, str | None]]:
    """Put a run in the place of the real one, that only ends."""
    began: list[tuple[Settings, str | None]] = []

    async def play(config: Config, *, kubeconfig: str | None) -> None:
        began.append((config.settings, kubeconfig))
        if outcome is not None:
            raise outcome

    monkeypatch.setattr(run_command, "run", play)
    return began


def config(folder: Path, text: str | bytes) -> Path:
    file = folder / "config.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def test_invalid_settings_are_reported_with_every_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 2, and one line on standard error for each problem of file and environment."""
    monkeypatch.setenv("PULLKEEPER_LOG_LEVEL", "loud")
    file = config(tmp_path, "httpPort: yes\nnope: 1\nmaxTokenAge: 7d\n")
    began = running(monkeypatch)
    assert main(monkeypatch, "run", "--config", str(file)) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "pullkeeper: invalid input:"
    assert [line.partition(":")[0] for line in lines[1:]] == [
        "  nope",
        "  maxTokenAge",
        "  httpPort",
        "  PULLKEEPER_LOG_LEVEL",
    ]
    assert began == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "expected the node content"),
        ("a: b: c", "mapping values are not allowed here"),
        ("? [a]\n: b", "unhashable key"),
        ("!!python/object:os.system x", "could not determine a constructor"),
        (b"\xff\xfe\xfa", "truncated data"),
        ("httpHost: 2026-13-45", "month must be in 1..12"),
        ("httpPort: " + "9" * 5000, "limit"),
        ("[" * 3000, "recursion"),
    ],
)
def test_a_file_that_is_not_yaml_is_one_problem(tmp_path: Path, text: str | bytes, words: str) -> None:
    """In one line, with the file's name."""
    file = config(tmp_path, text)
    with pytest.raises(InvalidInputError) as raised:
        config_from(file)
    (problem,) = raised.value.problems
    assert problem.where == f"--config {file}"
    assert words in problem.found
    assert "\n" not in problem.found


@pytest.mark.parametrize("name", ["absent.yaml", "."])
def test_a_file_that_cannot_be_read_is_one_problem(tmp_path: Path, name: str) -> None:
    """A missing file or a directory."""
    with pytest.raises(InvalidInputError, match=r"expected a YAML file$"):
        config_from(tmp_path / name)


@pytest.mark.parametrize("text", ["", "# nothing but a comment\n", "---\n", "null\n"])
def test_an_empty_file_is_refused(tmp_path: Path, text: str) -> None:
    """Or one with comments alone: it was cut off, or something else was mounted; `{}` says that nothing is set."""
    with pytest.raises(InvalidInputError, match="found an empty file, expected settings, or "):
        config_from(config(tmp_path, text))
    assert config_from(config(tmp_path, "{}")).settings == Settings()


WHOLE = "endMarker: true\nhttpPort: 81\nsecretName: other\n...\n"


@pytest.mark.parametrize("text", [WHOLE, f"{WHOLE}\n\n", WHOLE.replace("\n", "\r\n"), f"---\n{WHOLE}"])
def test_a_file_that_ends_as_it_says_is_whole(tmp_path: Path, text: str) -> None:
    """With YAML's end of a document."""
    assert config_from(config(tmp_path, text)).settings == Settings(http_port=81, secret_name="other")


@pytest.mark.parametrize("length", range(len(WHOLE) - len("\n") - 1))
def test_a_file_that_was_cut_off_anywhere_is_refused(tmp_path: Path, length: int) -> None:
    """Even where what is left is valid YAML."""
    with pytest.raises(InvalidInputError):
        config_from(config(tmp_path, WHOLE[:length]))


@pytest.mark.parametrize("value", ["false", "1", "yes please", '"true"', "null"])
def test_an_end_marker_is_announced_or_not(tmp_path: Path, value: str) -> None:
    """A text that was cut within the key's value does not pass for a file without an end marker."""
    with pytest.raises(InvalidInputError, match="endMarker: found "):
        config_from(config(tmp_path, f"endMarker: {value}\n...\n"))


def test_without_a_file_the_environment_applies(monkeypatch: pytest.MonkeyPatch) -> None:
    """No file is required."""
    monkeypatch.setenv("PULLKEEPER_SECRET_NAME", "other")
    assert config_from(None).settings == Settings(secret_name="other")


def test_run_gets_settings_and_kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit status is 0 after a normal end."""
    began = running(monkeypatch)
    file = config(tmp_path, "logLevel: debug")
    assert main(monkeypatch, "run", "--config", str(file), "--kubeconfig", "k") == 0
    assert began == [(Settings(log_level="debug"), "k")]


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (DENIED, "pullkeeper: grant it (KubernetesDenied)\n"),
        (OSError("port taken"), "pullkeeper: port taken\n"),
        (ExceptionGroup("", [OSError("port taken")]), "pullkeeper: port taken\n"),
        (
            ExceptionGroup("", [ExceptionGroup("", [DENIED]), OSError("x")]),
            "pullkeeper: grant it (KubernetesDenied)\npullkeeper: x\n",
        ),
    ],
)
def test_failures_are_reported_without_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], outcome: BaseException, said: str
) -> None:
    """Exit status 1, and one line per failure, also for exception groups."""
    running(monkeypatch, outcome)
    assert main(monkeypatch, "run") == 1
    assert capsys.readouterr().err == said


def test_an_unexpected_exception_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug ends with its traceback."""
    running(monkeypatch, ZeroDivisionError("bug"))
    with pytest.raises(ZeroDivisionError):
        main(monkeypatch, "run")


@pytest.mark.parametrize("arguments", [[], ["walk"], ["run", "--nope"], ["run", "--config"]])
def test_an_unknown_command_shows_the_usage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    """Exit status 2."""
    with pytest.raises(SystemExit) as ended:
        main(monkeypatch, *arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("usage: pullkeeper")


@pytest.mark.parametrize("command", command_line.COMMANDS)
def test_every_command_has_help(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """With its own options."""
    with pytest.raises(SystemExit) as ended:
        main(monkeypatch, command, "--help")
    assert ended.value.code == 0
    assert f"usage: pullkeeper {command} [-h] " in capsys.readouterr().out


@pytest.mark.parametrize("command", command_line.COMMANDS)
def test_every_help_has_examples_that_can_be_typed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """Each of them is understood, less what the shell makes of it."""
    with pytest.raises(SystemExit):
        main(monkeypatch, command, "--help")
    shown = capsys.readouterr().out.partition("\nexamples:\n")[2].partition("\n\n")[0]
    assert shown
    for line in shown.splitlines():
        assert line.startswith(f"  pullkeeper {command}")
        words = shlex.split(line.partition(" > ")[0])[1:]
        assert _parser(words).parse_args(words).main


def test_every_command_and_every_state_is_documented() -> None:
    """docs/commands.md has a section per command except `run`, and a table of all states."""
    text = Path("docs/commands.md").read_text()
    assert set(re.findall(r"^## (.+)$", text, re.MULTILINE)) == set(command_line.COMMANDS) - {"run"}
    states = text.partition("| state |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| ([a-z_]+) \|", states, re.MULTILINE)) == set(State)


def page() -> tuple[str, dict[str, str]]:
    """Take docs/commands.md apart: what stands above all sections, and the section of each command."""
    above, *sections = re.split(r"^## ", Path("docs/commands.md").read_text(), flags=re.MULTILINE)
    found = dict(each.split("\n", 1) for each in sections)
    return above, found


@pytest.mark.parametrize("command", sorted(set(command_line.COMMANDS) - {"run"}))
def test_the_page_names_the_options_that_there_are(command: str) -> None:
    """Each option is in the command's section, or above all of them, and no other is in its section."""
    above, sections = page()
    parser = argparse.ArgumentParser()
    command_line.add_command(command, parser)
    options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", parser.format_help())) - {"--help"}
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", sections[command]))
    assert named - options == set()
    assert options - named - set(re.findall(r"--[a-z][a-z-]+", above)) - _SHORT.get(command, set()) == set()


_SHORT = {
    name: {"--output", *more}
    for name, more in {
        "check": {"--verbose"},
        "status": {"--namespace", "--all-namespaces"},
        "explain": set[str](),
        "render": {"--filename"},
        "iam": {"--namespace"},
        "refresh": {"--namespace"},
        "version": set[str](),
    }.items()
}
"""Options that the page gives in their short form, as people type them."""


@pytest.mark.parametrize("file", ["docs/commands.md", "README.md"])
def test_commands_of_the_documents_can_be_typed(file: str) -> None:
    """Each line of them that starts this program is understood."""
    lines = re.findall(r"^\s*\$ (.*\bpullkeeper .*)$", Path(file).read_text(), re.MULTILINE)
    typed = [match[1] for line in lines if (match := re.search(r"(?:^|\| |kubectl )pullkeeper ([a-z].*)$", line))]
    assert typed
    for line in typed:
        words = shlex.split(re.split(r" [|>] ", line)[0])
        assert _parser(words).parse_args(words).main


def test_the_version_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """From the installed package."""
    with pytest.raises(SystemExit) as ended:
        main(monkeypatch, "--version")
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("pullkeeper 0.")


def test_the_exit_status_reaches_the_shell(tmp_path: Path) -> None:
    """In a process of its own, with nothing on standard output."""
    file = config(tmp_path, "nope: 1")
    command = [sys.executable, "-m", "pullkeeper", "run", "--config", str(file)]
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=HANG_GUARD, check=False, env={"PYTHONPATH": "."}
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "nope: found an unknown key" in ended.stderr
    assert "Traceback" not in ended.stderr
