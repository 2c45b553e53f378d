"""The image, built as by `make image`, with its root mounted."""

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
    """A built image whose root is mounted, for inspection and to run programs in."""

    name: str
    base: str
    root: Path
    config: Mapping[str, Any]

    def command(self, folder: Path, *program: str) -> list[str]:
        """Return the command that runs a program in the image, its entry point by default, as a kubelet would.

        It runs with the image's user and environment and cannot gain privileges. The root is read-only, and so is
        `folder`, which is mounted at the same path.
        """
        folder.chmod(0o755)  # readable for the image's user, who does not own it
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
        """Run a program in the image and return its output and errors; asserts that it succeeds."""
        alone = {"PATH": os.environ["PATH"]}  # for the commands that enter the root; nothing else is inherited
        command = self.command(folder, *program)
        completed = subprocess.run(
            command, env=alone, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        assert completed.returncode == 0, completed.stdout
        return completed.stdout

    def python(self, folder: Path, code: str) -> Any:
        """Run Python code in the image and return the JSON that it prints."""
        return json.loads(self.run(folder, "python", "-c", code))


def _path(command: str) -> str:
    """Return the path of a command of this machine: in the image, PATH is the image's."""
    found = shutil.which(command)
    if found is None:
        raise ToolsError(f"{command} is missing: install coreutils and util-linux")
    return found


def base() -> str:
    """Return the name of the base image: BASE, or a stand-in."""
    tools.provide()
    return os.environ.get("BASE") or stand_in.provide()


def build(base: str, tag: str = "test", *arguments: str) -> str:
    """Build the image and return its name; raises ToolsError with the builder's errors."""
    environment = tools.environment() | {"BASE": base, "IMAGE": NAME, "TAG": tag, "BUILDER": "buildah"}
    completed = subprocess.run(
        [sys.executable, "-m", "image.build", *arguments],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if completed.returncode != 0:
        raise ToolsError(f"the image cannot be built: {completed.stderr.strip()[-3000:]}")
    return f"{NAME}:{tag}"


def inspected(name: str) -> dict[str, Any]:
    """Return an image's OCI configuration."""
    configuration: dict[str, Any] = json.loads(buildah("inspect", "--type=image", name))["OCIv1"]
    return configuration


@contextmanager
def root_of(name: str) -> Iterator[Path]:
    """Mount an image's root for the length of the block; changes to it are discarded."""
    container = buildah("from", "--pull-never", name)
    try:
        yield Path(buildah("mount", container))
    finally:
        buildah("rm", container)


@contextmanager
def opened() -> Iterator[Image]:
    """Build the image and mount its root."""
    base_name = base()
    name = build(base_name)
    with root_of(name) as root:
        yield Image(name=name, base=base_name, root=root, config=inspected(name)["config"])
