"""The image, built by `make image`'s own program, and its root, mounted."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testsupport.image import stand_in, tools
from testsupport.image.tools import ToolsError, buildah

REPOSITORY = Path(__file__).parent.parent.parent
NAME = "localhost/pullkeeper"
_ENTER = Path(__file__).parent / "enter.sh"


@dataclass(frozen=True, kw_only=True, slots=True)
class Image:
    """A built image with its root mounted, to look at and to run."""

    name: str
    base: str
    root: Path
    config: Mapping[str, Any]

    def command(self, folder: Path, *program: str) -> list[str]:
        """Give the command that runs a program of the image, or what it starts by itself, as a cluster would.

        As the image's user with nothing more to gain, in its environment, on its root; that and `folder`, which is seen
        at its own path, can only be read.
        """
        folder.chmod(0o755)  # the image's user is nobody who owns it
        settings = ["env", *self.config["Env"]]
        drop = [
            _path("setpriv"),
            "--no-new-privs",
            _path("chroot"),
            f"--userspec={self.config['User']}",
            "--groups=",
            str(self.root),
        ]
        enter = ["unshare", "--mount", "--propagation=private", str(_ENTER), str(self.root), str(folder)]
        return [*enter, *settings, *drop, *(program or self.config["Entrypoint"])]

    def run(self, folder: Path, *program: str) -> str:
        """Run a program of the image to its end and give what it prints, on both outputs; fails where it does."""
        alone = {"PATH": os.environ["PATH"]}  # which finds what enters; nothing else of ours is seen inside
        command = self.command(folder, *program)
        done = subprocess.run(
            command, env=alone, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def python(self, folder: Path, code: str) -> Any:
        """Run Python code in the image and give the JSON that it prints."""
        return json.loads(self.run(folder, "python", "-c", code))


def _path(command: str) -> str:
    """Find a command of ours by its path: inside, the search path is the image's."""
    found = shutil.which(command)
    if found is None:
        raise ToolsError(f"there is no {command} here: install coreutils and util-linux")
    return found


def base() -> str:
    """Give the base that is built on: BASE, or a stand-in for it."""
    tools.provide()
    return os.environ.get("BASE") or stand_in.provide()


def build(base: str, tag: str = "test", *arguments: str) -> str:
    """Build the image and give its name; raises ToolsError with what went wrong."""
    environment = tools.environment() | {"BASE": base, "IMAGE": NAME, "TAG": tag, "BUILDER": "buildah"}
    done = subprocess.run(
        [sys.executable, "-m", "image.build", *arguments],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ToolsError(f"the image cannot be built: {done.stderr.strip()[-3000:]}")
    return f"{NAME}:{tag}"


def inspected(name: str) -> dict[str, Any]:
    """Give an image's OCI configuration."""
    configuration: dict[str, Any] = json.loads(buildah("inspect", "--type=image", name))["OCIv1"]
    return configuration


@contextmanager
def root_of(name: str) -> Iterator[Path]:
    """Mount an image's root; what is made in it is gone afterwards."""
    container = buildah("from", "--pull-never", name)
    try:
        yield Path(buildah("mount", container))
    finally:
        buildah("rm", container)


@contextmanager
def opened() -> Iterator[Image]:
    """Build the image and mount its root."""
    on = base()
    name = build(on)
    with root_of(name) as root:
        yield Image(name=name, base=on, root=root, config=inspected(name)["config"])
