"""Quint, installed once from npm by the lock file beside it, and what it is asked to do with the model."""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from testsupport.helm_tools import cache_folder

_FOLDER = Path(__file__).parent
MODEL = _FOLDER / "lease.qnt"
_TRACES_PER_SECOND_AT_LEAST = 1


class QuintError(Exception):
    """Quint cannot be installed, or does not take the model."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Exploration:
    """What Quint says of a number of runs."""

    violated: frozenset[str]
    witnessed: dict[str, int]
    """How many runs came by what was asked for."""
    output: str


def explore(
    module: str,
    *,
    invariants: tuple[str, ...],
    seed: str,
    samples: int,
    steps: int,
    witnesses: tuple[str, ...] = (),
    traces: Path | None = None,
    kept: int = 1,
) -> Exploration:
    """Run a module of the model from a seed; with `traces`, write the runs that are kept into that folder."""
    command = [
        "run", str(MODEL), "--main", module, "--backend", "typescript", "--verbosity", "1",
        "--seed", seed, "--max-samples", str(samples), "--max-steps", str(steps), "--invariants", *invariants,
    ]  # fmt: skip
    command += ["--witnesses", *witnesses] if witnesses else []
    command += ["--n-traces", str(kept), "--out-itf", str(traces / "{seq}.itf.json")] if traces else []
    completed = subprocess.run(
        [install(), *command],
        capture_output=True,
        text=True,
        check=False,
        timeout=60 + samples / _TRACES_PER_SECOND_AT_LEAST,
    )
    output = completed.stdout + completed.stderr
    if not re.search(r"^\[(ok|violation)\]", output, re.MULTILINE):
        raise QuintError(output.strip())
    violated = set(re.findall(r"❌ (\w+)", output)) or (set(invariants) if "[violation]" in output else set())
    found = re.findall(r"^(\w+) was witnessed in (\d+) trace", output, re.MULTILINE)
    return Exploration(
        violated=frozenset(violated), witnessed={name: int(count) for name, count in found}, output=output
    )


def install() -> Path:
    """Return the program, from the cache or by `npm ci`; raises QuintError."""
    lock = (_FOLDER / "package-lock.json").read_bytes()
    folder = cache_folder(os.environ) / f"quint-{hashlib.sha256(lock).hexdigest()[:12]}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f".{folder.name}.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not folder.exists():
            _install(folder)
    return folder / "node_modules" / ".bin" / "quint"


def _install(folder: Path) -> None:
    if shutil.which("npm") is None:
        raise QuintError("npm is missing: install Node.js with it")
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(_FOLDER / name, scratch)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        completed = subprocess.run(command, cwd=scratch, capture_output=True, text=True, check=False)
        if completed.returncode:
            raise QuintError(f"`{' '.join(command)}` failed: {completed.stderr.strip()}")
        # Renaming within a file system is atomic, so nobody runs what is half installed.
        (Path(scratch) / "installed").mkdir()
        shutil.move(Path(scratch) / "node_modules", Path(scratch) / "installed")
        (Path(scratch) / "installed").rename(folder)
