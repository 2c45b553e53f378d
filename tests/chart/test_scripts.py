"""Linters for all shell scripts and Dockerfiles in the repository."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from testsupport.helm import REPOSITORY

BIN = Path(sys.executable).parent


def _files() -> list[Path]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    found = (REPOSITORY / name for name in result.stdout.split("\0") if name and not name.startswith(".venv"))
    return sorted(path for path in found if path.is_file())


def _scripts() -> list[Path]:
    return [path for path in _files() if path.suffix == ".sh" or _names_a_shell(path)]


def _names_a_shell(path: Path) -> bool:
    with path.open("rb") as file:
        first = file.readline(100)
    return first.startswith(b"#!") and first.split()[-1].rsplit(b"/")[-1] in (b"sh", b"bash", b"dash")


def _dockerfiles() -> list[Path]:
    return [path for path in _files() if path.name == "Dockerfile" or path.name.startswith("Dockerfile.")]


def _lint(tool: str, paths: Sequence[Path]) -> str:
    program = shutil.which(tool, path=BIN)
    assert program is not None, f"{tool} is not in {BIN}: make .venv/delivery.stamp"
    result = subprocess.run([program, *paths], capture_output=True, text=True, check=False)
    return result.stdout + result.stderr


def test_shellcheck_passes() -> None:
    """For every script, including .ci/run, which has no suffix."""
    scripts = _scripts()
    assert REPOSITORY / ".ci" / "run" in scripts
    assert _lint("shellcheck", scripts) == ""


def test_hadolint_passes() -> None:
    """For every Dockerfile."""
    for path in _dockerfiles():
        assert _lint("hadolint", [path]) == "", path


@pytest.mark.parametrize(
    ("tool", "name", "text"),
    [("shellcheck", "bad.sh", "#!/bin/sh\nrm -rf $1/*\n"), ("hadolint", "Dockerfile", "FROM python\nRUN cd /tmp\n")],
)
def test_the_linters_find_problems(tmp_path: Path, tool: str, name: str, text: str) -> None:
    """A linter that reports nothing has actually run."""
    (tmp_path / name).write_text(text)
    assert _lint(tool, [tmp_path / name]) != ""
