"""Scanners of manifests find nothing in the rendered chart but what docs/scanner-exceptions.yaml gives a reason for."""

from pathlib import Path

import pytest

from testsupport.helm import CHART, REPOSITORY, Helms, ci_values
from testsupport.scanners import Scanners, ScannersError, find, main
from testsupport.scanners.findings import Exemption, Finding, exemptions, scan

EXCEPTIONS = exemptions(REPOSITORY / "docs" / "scanner-exceptions.yaml")
SCANNED = ("default", "everything", "namespaced")
"""Values that together render every kind of object and none of somebody else's containers."""


@pytest.fixture(scope="module")
def scanners() -> Scanners:
    """Provide the scanners; it is an error if one cannot be had."""
    return find()


@pytest.fixture(scope="module")
def findings(scanners: Scanners, helms: Helms, tmp_path_factory: pytest.TempPathFactory) -> list[Finding]:
    """Scan what the chart renders."""
    folder = tmp_path_factory.mktemp("rendered")
    for name in SCANNED:
        text = helms.render(ci_values(CHART / "ci" / f"{name}-values.yaml")).text
        (folder / f"{name}.yaml").write_text(text)
    return scan(scanners, folder)


def test_every_scanner_finds_something(findings: list[Finding]) -> None:
    """One that reads nothing would find nothing."""
    assert {each.scanner for each in findings} == {"checkov", "kube-score", "trivy"}


def test_nothing_is_found_without_a_reason(findings: list[Finding]) -> None:
    """Each finding has its exception."""
    assert [each for each in findings if not any(exception.covers(each) for exception in EXCEPTIONS)] == []


@pytest.mark.parametrize("exception", EXCEPTIONS, ids=lambda each: f"{each.scanner}-{each.check}")
def test_no_exception_is_left_over(findings: list[Finding], exception: Exemption) -> None:
    """Each is needed, and says why."""
    assert any(exception.covers(each) for each in findings)
    assert len(exception.reason) > 20


def test_what_is_wrong_is_found(scanners: Scanners, helms: Helms, tmp_path: Path) -> None:
    """A root with a writable file system, privileges and the node's network, by each scanner, beside the exceptions."""
    values = ci_values(CHART / "ci" / "default-values.yaml")
    loose = {"privileged": True, "runAsUser": 0, "readOnlyRootFilesystem": False, "allowPrivilegeEscalation": True}
    text = helms.render({**values, "hostNetwork": True, "securityContext": loose}).text
    (tmp_path / "loose.yaml").write_text(text)
    open_ones = [each for each in scan(scanners, tmp_path) if not any(e.covers(each) for e in EXCEPTIONS)]
    assert {each.scanner for each in open_ones} == {"checkov", "kube-score", "trivy"}


def test_a_scanner_that_cannot_be_had_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line, whatever is missing; what is in the cache of this machine is not asked for again."""
    monkeypatch.setattr("testsupport.scanners._install_checkov", lambda _folder, _environment: None)
    with pytest.raises(ScannersError, match=r"no Go here to build kube-score and Trivy's engine with: install Go"):
        find({"XDG_CACHE_HOME": str(tmp_path), "PATH": str(tmp_path)})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main() == 1
    assert not (next((tmp_path / "pullkeeper").glob("kube-score-*")) / "complete").exists()
