"""Tools that build and run an image without a container engine, and their storage."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

PACKAGES = {"buildah": "buildah", "mmdebstrap": "mmdebstrap", "unshare": "util-linux", "setpriv": "util-linux"}
"""The Debian package of each command."""

_STORAGE = """[storage]
driver = ""
graphroot = "{cache}/image-storage"
runroot = "/run/pullkeeper-image"
"""


class ToolsError(Exception):
    """A tool is missing and cannot be installed. The message is one line and says how to get it."""


def missing(which: Callable[[str], str | None] = shutil.which) -> list[str]:
    """Return the packages of missing commands."""
    return sorted({package for command, package in PACKAGES.items() if which(command) is None})


def provide() -> None:
    """Install missing packages; raises ToolsError if that is not possible."""
    if os.geteuid() != 0:
        raise ToolsError(
            "make test-image mounts the image and switches to its user, which needs root: sudo make test-image"
        )
    packages = missing()
    if not packages:
        return
    if shutil.which("apt-get") is None:
        raise ToolsError(f"make test-image needs {' and '.join(packages)}, and there is no apt-get: install them")
    say(f"installing {' and '.join(packages)}")
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
        completed = subprocess.run(["apt-get", "-qq", *command], env=quiet, stdout=sys.stderr, check=False)
        if completed.returncode != 0:
            raise ToolsError(f"`apt-get {' '.join(command)}` failed: install {' and '.join(packages)}")


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Return the cache folder, which may not exist."""
    base = environment.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(base) / "pullkeeper"


def environment() -> dict[str, str]:
    """Return an environment in which buildah and podman store images in the cache folder, apart from the machine's."""
    cache = cache_folder(os.environ)
    cache.mkdir(parents=True, exist_ok=True)
    configuration = cache / "image-storage.conf"
    configuration.write_text(_STORAGE.format(cache=cache))
    return os.environ | {"CONTAINERS_STORAGE_CONF": str(configuration)}


def buildah(*arguments: str) -> str:
    """Run buildah with the storage in the cache folder and return its output; raises ToolsError with its errors."""
    return output(["buildah", *arguments], environment())


def output(command: Sequence[str], environment: Mapping[str, str]) -> str:
    """Run a command and return its output; raises ToolsError with its errors."""
    completed = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if completed.returncode != 0:
        raise ToolsError(f"`{' '.join(command)}` failed: {completed.stderr.strip()[-2000:]}")
    return completed.stdout.strip()


def say(line: str) -> None:
    """Print a progress message to standard error."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
