"""What builds and runs an image here, without a container engine; and where it may keep what it makes."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

PACKAGES = {"buildah": "buildah", "mmdebstrap": "mmdebstrap", "unshare": "util-linux", "setpriv": "util-linux"}
"""Which of Debian's packages a command comes with."""

_STORAGE = """[storage]
driver = ""
graphroot = "{cache}/image-storage"
runroot = "/run/pullkeeper-image"
"""


class ToolsError(Exception):
    """A tool is missing and cannot be installed; the message is one line and says how to get it."""


def missing(which: Callable[[str], str | None] = shutil.which) -> list[str]:
    """Name the packages whose commands are not here."""
    return sorted({package for command, package in PACKAGES.items() if which(command) is None})


def provide() -> None:
    """Install what is missing, where that is possible; raises ToolsError."""
    if os.geteuid() != 0:
        raise ToolsError(
            "make test-image mounts a root and drops to the image's user, so it needs root: sudo make test-image"
        )
    packages = missing()
    if not packages:
        return
    if shutil.which("apt-get") is None:
        raise ToolsError(f"make test-image needs {' and '.join(packages)}, and there is no apt-get: install them")
    say(f"installing {' and '.join(packages)}")
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
        done = subprocess.run(["apt-get", "-qq", *command], env=quiet, stdout=sys.stderr, check=False)
        if done.returncode != 0:
            raise ToolsError(f"`apt-get {' '.join(command)}` failed: install {' and '.join(packages)}")


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Return the folder that lasts; it need not exist."""
    base = environment.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(base) / "pullkeeper"


def environment() -> dict[str, str]:
    """Give the environment in which buildah and podman keep their images in our cache, apart from the machine's own."""
    cache = cache_folder(os.environ)
    cache.mkdir(parents=True, exist_ok=True)
    configuration = cache / "image-storage.conf"
    configuration.write_text(_STORAGE.format(cache=cache))
    return os.environ | {"CONTAINERS_STORAGE_CONF": str(configuration)}


def buildah(*arguments: str) -> str:
    """Run buildah on our own images and give what it prints; raises ToolsError with what it complains of."""
    return output(["buildah", *arguments], environment())


def output(command: Sequence[str], environment: Mapping[str, str]) -> str:
    """Run a command and give what it prints; raises ToolsError with what it complains of."""
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ToolsError(f"`{' '.join(command)}` failed: {done.stderr.strip()[-2000:]}")
    return done.stdout.strip()


def say(line: str) -> None:
    """Tell what is going on."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
