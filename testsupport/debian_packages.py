"""Programs of Debian's packages, unpacked into a cache and not installed: an installation would change the machine."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path


class ToolsError(Exception):
    """A program is missing and cannot be fetched. The message is one line and says how to get it."""


def unpacked(packages: Sequence[str], program: str) -> Path:
    """Return the folder that holds the content of the packages, as from the root; raises ToolsError.

    `program` is a path in it, of what they are fetched for; the folder is named for the first of them.
    """
    folder = cache() / packages[0]
    if not (folder / program).exists():
        _unpack(packages, program, folder)
    return folder


def cache() -> Path:
    """Return the folder that packages are unpacked to, which may not exist."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pullkeeper"


def _unpack(packages: Sequence[str], program: str, folder: Path) -> None:
    name = Path(program).name
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise ToolsError(f"{name} is missing and there is no apt-get: put it on the PATH")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        # apt would download as another user, who cannot write to the scratch folder.
        command = ["apt-get", "-o", "APT::Sandbox::User=root", "download", *packages]
        if _run(command, scratch):
            _refresh_lists()
            if why := _run(command, scratch):
                raise ToolsError(f"apt-get cannot download {' '.join(packages)} ({why}): put {name} on the PATH")
        for archive in Path(scratch).glob("*.deb"):
            if why := _run(["dpkg", "-x", archive.name, "root"], scratch):
                raise ToolsError(f"dpkg cannot unpack {archive.name} ({why})")
        if not (folder / program).exists():
            shutil.rmtree(folder, ignore_errors=True)
            Path(scratch, "root").rename(folder)


def _refresh_lists() -> None:
    if os.geteuid() == 0:
        _run(["apt-get", "update"], "/")


def _run(command: list[str], folder: str) -> str:
    """Run a command; returns the last line of its output if it fails, else an empty string."""
    completed = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    output = (completed.stderr.strip() or completed.stdout.strip() or f"status {completed.returncode}").splitlines()
    return output[-1] if completed.returncode else ""
