"""The interpreters that `make test-pythons` finds, and what it does without one."""

import gzip
import json
import sys
from pathlib import Path

import pytest

from testsupport import interpreters
from testsupport.interpreters import EMBEDDED, InterpreterError, find, unpack
from tools import python_versions


def _interpreter(path: Path, version: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {version}\n")
    path.chmod(0o755)
    return path


def test_an_interpreter_on_the_path_comes_first(tmp_path: Path) -> None:
    """Before those of pyenv and of a GitHub runner."""
    pyenv = _interpreter(tmp_path / "pyenv/versions/3.12.1/bin/python3", "3.12")
    runner = _interpreter(tmp_path / "runner/Python/3.12.4/x64/bin/python3", "3.12")
    on_path = _interpreter(tmp_path / "bin/python3.12", "3.12")
    environment = {
        "PATH": f"{tmp_path / 'bin'}:/bin",
        "PYENV_ROOT": str(tmp_path / "pyenv"),
        "RUNNER_TOOL_CACHE": str(tmp_path / "runner"),
    }
    for expected in (on_path, pyenv, runner):
        assert find("3.12", environment) == expected
        expected.unlink()


def test_an_interpreter_of_another_version_is_passed_over(tmp_path: Path) -> None:
    """A shim that fails, or runs something else, is no interpreter of the version."""
    _interpreter(tmp_path / "bin/python3.12", "3.11")
    right = _interpreter(tmp_path / ".pyenv/versions/3.12.1/bin/python3", "3.12")
    assert find("3.12", {"PATH": f"{tmp_path / 'bin'}:/bin", "HOME": str(tmp_path)}) == right


def test_a_missing_interpreter_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    """Nothing is skipped in silence."""
    with pytest.raises(InterpreterError, match=r"no Python 3\.12: put python3\.12 on the PATH, .* PYTHONS=…"):
        find("3.12", {"PATH": "/nowhere", "HOME": str(tmp_path)})


def test_a_module_with_another_checksum_is_refused(tmp_path: Path) -> None:
    """Whoever serves it, only the pinned build is unpacked and run."""
    go = tmp_path / "go"
    module = json.dumps({"Dir": str(tmp_path), "Sum": "h1:other"})
    go.write_text(f"#!/bin/sh\necho '{module}'\n")
    go.chmod(0o755)
    with pytest.raises(InterpreterError, match="h1:other"):
        find(EMBEDDED.version, {"PATH": f"{tmp_path}:/bin", "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)})


def test_the_module_is_unpacked_with_links_and_modes(tmp_path: Path) -> None:
    """A Go module holds plain files only; `files.json` has the rest."""
    source = tmp_path / "source"
    (source / "bin").mkdir(parents=True)
    (source / "bin/python3.14.gz").write_bytes(gzip.compress(b"#!/bin/sh\n"))
    files = [
        {"name": "bin", "perm": 0o755},
        {"name": "bin/python3.14", "perm": 0o755, "compressed": True},
        {"name": "bin/python3", "perm": 0o777, "symlink": "python3.14"},
    ]
    (source / "files.json").write_text(json.dumps({"files": files}))
    unpack(source, tmp_path / "target")
    assert (tmp_path / "target/bin/python3").read_bytes() == b"#!/bin/sh\n"
    assert (tmp_path / "target/bin/python3.14").stat().st_mode & 0o777 == 0o755


def test_a_version_without_interpreter_fails_the_target(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is listed as missing, and the exit status says so; no version that runs this test, which would run itself."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.delenv("RUNNER_TOOL_CACHE", raising=False)
    assert python_versions.main(["3.99"]) == 1
    assert "MISSING 3.99: no Python 3.99" in capsys.readouterr().out


@pytest.mark.parametrize(("status", "line"), [(0, "ok"), (1, "FAILED")])
def test_each_version_has_a_line_with_its_outcome(
    status: int, line: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit status is that of the worst version."""
    python = _interpreter(tmp_path / "python", f"3.99\nexit {status}")
    monkeypatch.setattr(python_versions, "find", lambda _: python)
    monkeypatch.setattr(python_versions, "environment", lambda *_: python)
    assert python_versions.main(["3.99"]) == status
    assert capsys.readouterr().out.splitlines()[-1].startswith(f"{line:7} 3.99: {python}")


def test_the_version_that_make_test_ran_on_can_be_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And no other."""
    monkeypatch.setattr(python_versions, "run", lambda version, _: f"ok {version}")
    assert python_versions.main(["--others"]) == 0
    ran = capsys.readouterr().out.split("ok ")[1:]
    others = [version for version in interpreters.declared() if version != f"3.{sys.version_info.minor}"]
    assert [line.strip() for line in ran] == others


def test_the_running_interpreter_is_of_a_declared_version() -> None:
    """The versions are read from the classifiers."""
    assert f"3.{sys.version_info.minor}" in interpreters.declared()
