"""Run the unit tests on every Python version that the project declares: `make test-pythons`.

A version without an interpreter is a failure, not a gap: whoever wants to do without one leaves it out by name.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from testsupport.interpreters import InterpreterError, cache_folder, declared, find

ENVIRONMENTS = Path(".venv-pythons")
LOCK = Path("requirements/dev.txt")
OWN = f"{sys.version_info.major}.{sys.version_info.minor}"


def run(version: str, workers: str) -> str:
    """Run the unit tests on one version and return its line of the summary, which starts with ok, FAILED or MISSING."""
    # The environment that runs this has the same locked requirements, so its own version needs no second one.
    own = version == OWN
    try:
        interpreter = Path(sys.executable) if own else find(version)
    except InterpreterError as error:
        return f"MISSING {version}: {error}"
    started = time.monotonic()
    python = interpreter if own else environment(version, interpreter)
    pytest = ["pytest", "-q", "-n", workers, "--dist", "worksteal", "tests/unit", "--server=memory"]
    completed = subprocess.run([str(python), "-m", *pytest], check=False)
    outcome = "ok     " if completed.returncode == 0 else "FAILED "
    return f"{outcome} {version}: {interpreter}, {time.monotonic() - started:.0f} s"


def environment(version: str, interpreter: Path) -> Path:
    """Return the interpreter of this folder's environment, over the locked requirements that all folders share."""
    folder, packages = ENVIRONMENTS / version, _locked(version, interpreter)
    python, stamp = folder / "bin" / "python", folder / "stamp"
    if not stamp.exists() or stamp.read_text() != str(packages):
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([interpreter, "-m", "venv", "--without-pip", folder], check=True)
        (site,) = folder.glob("lib/python*/site-packages")
        (site / "locked.pth").write_text(f"import site; site.addsitedir({str(packages)!r})\n")
        _pip(python, "--no-deps", "--no-build-isolation", "--editable", ".")
        stamp.write_text(str(packages))
    return python.absolute()


def _locked(version: str, interpreter: Path) -> Path:
    """Return the folder of the locked requirements, installed in a minute and kept in the cache until they change."""
    identity = hashlib.sha256(f"{interpreter}\n{LOCK.read_text()}".encode()).hexdigest()
    folder = cache_folder(os.environ) / f"python-{version}-{identity[:12]}"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            _pip(interpreter, f"--target={scratch}/new", "--no-compile", "--require-hashes", "-r", str(LOCK))
            Path(scratch, "new").rename(folder)
    return folder


def _pip(python: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "pip", f"--python={python}", "install", "--quiet", "--disable-pip-version-check"]
    command.append("--root-user-action=ignore")  # it installs into a folder of ours
    # pip's own deprecations on a newer Python are not this project's.
    subprocess.run([*command, *arguments], check=True, env={**os.environ, "PYTHONWARNINGS": "ignore"})


def main(arguments: Iterable[str] | None = None) -> int:
    """Run the unit tests on the versions named, all declared ones by default; returns 1 if any failed or is missing."""
    parser = argparse.ArgumentParser(prog="python_versions", description=__doc__)
    parser.add_argument("versions", nargs="*", help="such as 3.12; the versions declared in pyproject.toml by default")
    parser.add_argument("--workers", default="2", help="processes that pytest uses")
    parser.add_argument(
        "--others", action="store_true", help="leave out the version that runs this: `make test` did it"
    )
    options = parser.parse_args(None if arguments is None else list(arguments))
    versions = [each for each in options.versions or declared() if not (options.others and each == OWN)]
    lines = [run(version, options.workers) for version in versions]
    sys.stdout.write("\n".join(["", "Unit tests by Python version:", *lines, ""]))
    return 0 if all(line.startswith("ok") for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
