"""Where the registry and the pullers come from, and what is said when they cannot be had."""

from pathlib import Path

import pytest

from testsupport import interop_tools
from testsupport.interop_tools import Tools, ToolsError, cache_folder, find


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Give an environment without any program and with an empty cache."""
    return {"PATH": str(tmp_path / "bin"), "XDG_CACHE_HOME": str(tmp_path / "cache")}


def _program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_what_is_in_the_cache_is_taken(environment: dict[str, str]) -> None:
    """A second run needs neither Debian's archive nor Go."""
    folder = cache_folder(environment)
    _program(folder / "debian" / "usr" / "bin", "skopeo", "true")
    _program(folder / "go", "crane", "true")
    found = find(environment)
    assert found.path("skopeo") == str(folder / "debian" / "usr" / "bin" / "skopeo")
    assert found.path("crane") == str(folder / "go" / "crane")


def test_machine_without_apt_is_told_so_in_one_line(environment: dict[str, str]) -> None:
    """No apt-get: what is missing and where to run this instead."""
    with pytest.raises(ToolsError, match=r"^no apt-get here, so no docker-registry, skopeo, containerd: run") as raised:
        find(environment)
    assert "\n" not in str(raised.value)


def test_machine_without_go_is_told_so_in_one_line(environment: dict[str, str]) -> None:
    """No Go: what it would be needed for, and what to install."""
    (cache_folder(environment) / "debian").mkdir(parents=True)
    with pytest.raises(
        ToolsError, match=r"^no Go here to build crane, .*, kubectl with: install Go 1\.[0-9.]+$"
    ) as raised:
        find(environment)
    assert "\n" not in str(raised.value)


def test_failing_download_is_told_in_one_line_and_leaves_nothing(environment: dict[str, str]) -> None:
    """The command, its exit code and its last words; the next run starts anew."""
    _program(
        Path(environment["PATH"]), "apt-get", "echo first >&2; echo 'E: Unable to locate package skopeo' >&2; exit 100"
    )
    with pytest.raises(ToolsError, match=r"failed \(exit code 100\): E: Unable to locate package skopeo$") as raised:
        find(environment)
    assert "\n" not in str(raised.value)
    assert list(cache_folder(environment).iterdir()) == []


def test_program_that_is_missing_all_the_same_is_named(tmp_path: Path) -> None:
    """An incomplete cache is said to be one."""
    with pytest.raises(ToolsError, match=r"^no helm in .*: delete that folder"):
        Tools(unpacked=tmp_path / "debian", built=tmp_path / "go").path("helm")


def test_error_is_the_exit_code_of_the_command(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    """`make` stops where the tools cannot be had."""
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    assert interop_tools.main() == 1
