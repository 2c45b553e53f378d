"""Finds promtool and prometheus: on the PATH, in the cache, or in Debian's package, unpacked and never installed.

`python -m testsupport.prometheus_tools` fetches them and prints where they are.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "prometheus"


class ToolsError(Exception):
    """The tools are not there and cannot be fetched; the message is one line and says how to get them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tools:
    """Where each binary is."""

    prometheus: Path
    promtool: Path


def find() -> Tools:
    """Return the binaries; raises ToolsError."""
    installed = {name: shutil.which(name) for name in ("prometheus", "promtool")}
    if all(installed.values()):
        return Tools(prometheus=Path(str(installed["prometheus"])), promtool=Path(str(installed["promtool"])))
    folder = cache()
    if not _tools(folder).promtool.exists():
        _unpack(folder)
    return _tools(folder)


def promtool(tools: Tools, *arguments: str | Path, given: str | None = None) -> str:
    """Run promtool and give what it says; fails with that where promtool does."""
    command = [tools.promtool, *arguments]
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def cache() -> Path:
    """Return the folder that the package is unpacked into."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pullkeeper" / PACKAGE


def _tools(folder: Path) -> Tools:
    return Tools(prometheus=folder / "usr/bin/prometheus", promtool=folder / "usr/bin/promtool")


def _unpack(folder: Path) -> None:
    """Take the package apart beside the system: installed, it would start a service."""
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise ToolsError("promtool and prometheus are missing and this is no Debian: put both on the PATH")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        # Apt drops its rights for a download, and then may not write where only we may.
        command = ["apt-get", "-o", "APT::Sandbox::User=root", "download", PACKAGE]
        if _run(command, scratch):
            _refresh_lists()
            if why := _run(command, scratch):
                raise ToolsError(f"apt-get cannot download {PACKAGE} ({why}): put promtool and prometheus on the PATH")
        (archive,) = Path(scratch).glob("*.deb")
        if why := _run(["dpkg", "-x", archive.name, "root"], scratch):
            raise ToolsError(f"dpkg cannot unpack {archive.name} ({why})")
        if not _tools(folder).promtool.exists():
            shutil.rmtree(folder, ignore_errors=True)
            Path(scratch, "root").rename(folder)


def _refresh_lists() -> None:
    if os.geteuid() == 0:
        _run(["apt-get", "update"], "/")


def _run(command: list[str], folder: str) -> str:
    """Run a command; gives its last words if it failed, else nothing."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    said = (done.stderr.strip() or done.stdout.strip() or f"status {done.returncode}").splitlines()
    return said[-1] if done.returncode else ""


if __name__ == "__main__":
    try:
        found = find()
    except ToolsError as error:
        sys.exit(f"error: {error}")
    print(found.prometheus, found.promtool, sep="\n")
