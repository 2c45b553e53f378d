"""What each scanner finds in a folder of manifests, in one form; and the exceptions, each with its reason."""

import json
import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from testsupport.scanners import Scanners

KUBERNETES = "v1.36"
_GOOD = 10
"""The grade of kube-score for a check without a complaint; warnings have less."""


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Finding:
    """A complaint: whose, by which check, and about what, in the scanner's words."""

    scanner: str
    check: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Exemption:
    """Findings that stay, and why: `text` is a regular expression of a whole text of findings."""

    scanner: str
    check: str
    text: str
    reason: str

    def covers(self, finding: Finding) -> bool:
        """Return whether this is why a finding stays."""
        same = (self.scanner, self.check) == (finding.scanner, finding.check)
        return same and re.fullmatch(self.text, finding.text) is not None


def exemptions(path: Path) -> list[Exemption]:
    """Read a file of exceptions: scanner, then check, then reason and optionally the text of the findings."""
    document = yaml.safe_load(path.read_text())
    return [
        Exemption(scanner=scanner, check=check, text=entry.get("text", ".*"), reason=" ".join(entry["reason"].split()))
        for scanner, checks in document.items()
        for check, entries in checks.items()
        for entry in entries
    ]


def scan(scanners: Scanners, folder: Path) -> list[Finding]:
    """Return what all scanners find, each once; raises subprocess.CalledProcessError if one does not work."""
    return sorted({*_checkov(scanners, folder), *_kube_score(scanners, folder), *_trivy(scanners, folder)})


def _checkov(scanners: Scanners, folder: Path) -> Iterator[Finding]:
    options = ("--framework", "kubernetes", "--skip-download", "--compact", "--quiet", "--soft-fail", "-o", "json")
    document = json.loads(_output([scanners.checkov, "-d", folder, *options]))
    if document["summary"]["passed"] == 0 or document["summary"]["parsing_errors"]:
        raise ValueError(f"checkov did not read the manifests: {document['summary']}")
    for each in document["results"]["failed_checks"]:
        yield Finding(scanner="checkov", check=each["check_id"], text=f"{each['resource']}: {each['check_name']}")


def _kube_score(scanners: Scanners, folder: Path) -> Iterator[Finding]:
    for path in sorted(folder.iterdir()):
        command = [scanners.kube_score, "score", "--kubernetes-version", KUBERNETES, "-o", "json", path]
        document = json.loads(_output(command, good=(0, 1)))
        yield from (finding for each in document for finding in _complaints(each))


def _complaints(scored: Any) -> Iterator[Finding]:
    for result in scored["checks"]:
        if result["grade"] < _GOOD and not result["skipped"]:
            for comment in result["comments"] or [{"path": "", "summary": ""}]:
                text = f"{scored['object_name']}: {comment['path']}: {comment['summary']}"
                yield Finding(scanner="kube-score", check=result["check"]["id"], text=text)


def _trivy(scanners: Scanners, folder: Path) -> Iterator[Finding]:
    for each in json.loads(_output([scanners.trivy_config, folder])):
        yield Finding(scanner="trivy", check=each["id"], text=each["message"])


def _output(command: Sequence[object], good: Iterable[int] = (0,)) -> str:
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if result.returncode not in good:
        raise subprocess.CalledProcessError(result.returncode, result.args, result.stdout, result.stderr)
    return result.stdout
