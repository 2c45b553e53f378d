"""Find promtool and prometheus on the PATH, in the cache or in Debian's package, which is unpacked but not installed.

`python -m testsupport.prometheus_tools` prints the paths.
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
    """The tools are missing and cannot be fetched. The message is one line and says how to get them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tools:
    """The path of each binary."""

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


def promtool(tools: Tools, *arguments: str | Path, stdin: str | None = None) -> str:
    """Run promtool and return its output and errors; asserts that it succeeds."""
    command = [tools.promtool, *arguments]
    completed = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stdout + completed.stderr
    return completed.stdout + completed.stderr


def cache() -> Path:
    """Return the folder that the package is unpacked to, which may not exist."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pullkeeper" / PACKAGE


def _tools(folder: Path) -> Tools:
    return Tools(prometheus=folder / "usr/bin/prometheus", promtool=folder / "usr/bin/promtool")


def _unpack(folder: Path) -> None:
    """Unpack the package to the cache: an installation would start a service."""
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise ToolsError("promtool and prometheus are missing and there is no apt-get: put both on the PATH")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        # apt would download as another user, who cannot write to the scratch folder.
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
    """Run a command; returns the last line of its output if it fails, else an empty string."""
    completed = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    output = (completed.stderr.strip() or completed.stdout.strip() or f"status {completed.returncode}").splitlines()
    return output[-1] if completed.returncode else ""


if __name__ == "__main__":
    try:
        found = find()
    except ToolsError as error:
        sys.exit(f"error: {error}")
    print(found.prometheus, found.promtool, sep="\n")
