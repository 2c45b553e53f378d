"""Find the scanners of the rendered chart, or bring them into the cache: checkov, kube-score, Trivy's engine.

checkov gets an environment of its own from requirements/scanners.txt, because it pins an old boto3; the other two are
built from their Go modules. `python -m testsupport.scanners` prints the folder.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
LOCK = FOLDER.parents[1] / "requirements" / "scanners.txt"
KUBE_SCORE = FOLDER / "kube_score"
TRIVY = FOLDER / "trivy_config"


class ScannersError(Exception):
    """A scanner cannot be had; the message is one line and says what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scanners:
    """The paths of the programs."""

    checkov: Path
    kube_score: Path
    trivy_config: Path


def find(environment: Mapping[str, str] | None = None) -> Scanners:
    """Return the programs, from the cache or brought there now; raises ScannersError."""
    environment = os.environ if environment is None else environment
    checkov = _once("checkov", _digest(LOCK), _install_checkov, environment)
    kube_score = _once("kube-score", _digest(*_sources(KUBE_SCORE)), _build_kube_score, environment)
    trivy = _once("trivy-config", _digest(*_sources(TRIVY)), _build_trivy, environment)
    return Scanners(
        checkov=checkov / "bin" / "checkov", kube_score=kube_score / "kube-score", trivy_config=trivy / "trivy-config"
    )


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Return the folder that has a folder for each program; it need not exist."""
    base = environment.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(base) / "pullkeeper"


def _sources(module: Path) -> list[Path]:
    return [module / "go.mod", module / "go.sum", *sorted(module.glob("*.go"))]


def _digest(*files: Path) -> str:
    wanted = hashlib.sha256()
    for file in files:
        wanted.update(file.read_bytes())
    return wanted.hexdigest()[:12]


def _once(
    name: str, digest: str, fill: Callable[[Path, Mapping[str, str]], None], environment: Mapping[str, str]
) -> Path:
    """Return a folder that is complete once it is there under its name, and fill it if it is not.

    It is filled in place, because an environment of Python knows its own path; a mark at the end says that it is whole.
    """
    folder = cache_folder(environment) / f"{name}-{digest}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            fill(folder, environment)
            (folder / "complete").touch()
    return folder


def _install_checkov(folder: Path, environment: Mapping[str, str]) -> None:
    _run([sys.executable, "-m", "venv", str(folder)], folder, environment)
    install = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*install, "--require-hashes", "-r", str(LOCK)], folder, environment)


def _build_kube_score(folder: Path, environment: Mapping[str, str]) -> None:
    _go_build(folder, KUBE_SCORE, "github.com/zegl/kube-score/cmd/kube-score", environment)


def _build_trivy(folder: Path, environment: Mapping[str, str]) -> None:
    # Trivy's parser of manifests needs the standard library's second version of JSON.
    _go_build(folder, TRIVY, ".", {**environment, "GOEXPERIMENT": "jsonv2"})


def _go_build(folder: Path, module: Path, package: str, environment: Mapping[str, str]) -> None:
    if shutil.which("go", path=environment.get("PATH")) is None:
        raise ScannersError("no Go here to build kube-score and Trivy's engine with: install Go 1.26")
    build = ["nice", "go", "build", "-buildvcs=false", "-trimpath", "-ldflags=-s -w", "-o", f"{folder}/", package]
    _run(build, module, {"GOFLAGS": "-p=2", "CGO_ENABLED": "0", **environment})


def _run(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
    sys.stderr.write(f"{' '.join(command)[:160]}\n")
    result = subprocess.run(command, cwd=folder, env=dict(environment), capture_output=True, text=True, check=False)
    if result.returncode != 0:
        last = (result.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise ScannersError(f"`{' '.join(command[:3])} …` failed (exit code {result.returncode}): {last}")


def main() -> int:
    """Bring what is missing and print where it is."""
    try:
        scanners = find()
    except ScannersError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{scanners.checkov}\n{scanners.kube_score}\n{scanners.trivy_config}\n")
    return 0
