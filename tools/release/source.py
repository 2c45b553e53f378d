"""What a release is built from."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tools.release import names
from tools.release.names import Names


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A source tree, and what its artefacts are called."""

    root: Path
    names: Names
    version: str
    epoch: int
    """Unix time of the commit, in seconds: that of every file in the archives."""


def read() -> Source:
    """Read this source tree; raises NamesError."""
    command = ["git", "log", "-1", "--format=%ct"]
    epoch = subprocess.run(command, cwd=names.ROOT, capture_output=True, text=True, check=True).stdout
    return Source(root=names.ROOT, names=names.read(), version=names.version(), epoch=int(epoch))
