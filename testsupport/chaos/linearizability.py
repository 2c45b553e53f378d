"""The record of requests, checked against a register with compare-and-set by porcupine."""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from bisect import bisect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testsupport.chaos.audit import RECORDED, Audited

MODULE = Path(__file__).with_name("porcupine")
_NO_OBJECT = 1
"""The resourceVersion that an apply names where it is to create or do nothing."""


class CheckerError(Exception):
    """The checker cannot be built or run; the message is one line."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What porcupine says of a history."""

    objects: int
    operations: int
    result: str
    """linearizable, illegal or unknown."""
    illegal: Sequence[str]
    """The objects whose history fits no register."""


def operations(requests: Iterable[Audited], *, restored: Sequence[int] = ()) -> list[dict[str, Any]]:
    """Return what the checker reads, an object's history beginning anew at each restoration of etcd (microseconds).

    Of other resources, and of lists, the log has no contents, so nothing could be found in their histories.
    """
    return [
        _operation(each, bisect(restored, each.call))
        for each in requests
        if each.resource in RECORDED and each.verb not in {"list", "watch"}
    ]


def check(history: Iterable[Mapping[str, Any]]) -> Verdict:
    """Have porcupine judge a history; raises CheckerError."""
    lines = "".join(f"{json.dumps(each)}\n" for each in history)
    done = subprocess.run([str(find())], input=lines, capture_output=True, text=True, check=False)
    if not done.stdout:
        raise CheckerError(f"porcupine's program ended with {done.returncode}: {done.stderr.strip()[:300]}")
    return Verdict(**json.loads(done.stdout))


def find() -> Path:
    """Return the checker from the cache, built once from its sources; raises CheckerError."""
    sources = [MODULE / name for name in ("go.mod", "go.sum", "main.go")]
    digest = hashlib.sha256(b"".join(each.read_bytes() for each in sources)).hexdigest()[:12]
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "pullkeeper"
    base.mkdir(parents=True, exist_ok=True)
    program = base / f"porcupine-{digest}"
    with (base / ".porcupine.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            _build(program)
    return program


def _build(program: Path) -> None:
    if shutil.which("go") is None:
        raise CheckerError("no Go to build porcupine's checker with: install Go 1.26")
    with tempfile.TemporaryDirectory(dir=program.parent, prefix=".build-") as folder:
        built = Path(folder) / program.name
        command = ["nice", "go", "build", "-buildvcs=false", "-trimpath", "-o", str(built), "."]
        settings = {"GOFLAGS": "-p=2", "CGO_ENABLED": "0", **os.environ}
        done = subprocess.run(command, cwd=MODULE, env=settings, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise CheckerError(f"go build in {MODULE} failed: {done.stderr.strip()[-300:]}")
        built.rename(program)


def _operation(request: Audited, history: int) -> dict[str, Any]:
    kind = {"get": "read", "delete": "delete"}.get(request.verb, "write")
    creates = request.expected == _NO_OBJECT or request.verb == "create"
    return {
        "object": f"{request.resource}/{request.namespace}/{request.name} history {history}",
        "kind": kind,
        "call": request.call,
        "return": request.answered,
        "expected": 0 if creates else request.expected,
        "absent": creates,
        "code": request.code,
        "version": request.version,
        "content": request.content,
    }
