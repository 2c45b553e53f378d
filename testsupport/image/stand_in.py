"""A stand-in for the base image, for machines without access to a registry.

It is Debian trixie with its Python 3.13, like the real one, and is kept in the cache's image storage, under a name
derived from its recipe.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from testsupport.image.tools import ToolsError, buildah, output, say

SUITE = "trixie"
RECIPE = ("--mode=root", "--variant=minbase", "--include=python3-venv,python3-pip,ca-certificates")
"""Includes what the real base has and the image must not contain: a shell, apt and pip."""

_DOCKERFILE = "FROM scratch\nADD root.tar /\nENV PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin\n"


def name() -> str:
    """Return the name, which is derived from the recipe."""
    key = hashlib.sha256("\0".join((SUITE, *RECIPE, _DOCKERFILE)).encode()).hexdigest()[:12]
    return f"localhost/pullkeeper-stand-in:{key}"


def provide() -> str:
    """Create the base image unless it exists, and return its name."""
    if name() not in buildah("images", "--format", "{{.Name}}:{{.Tag}}").splitlines():
        _make()
    return name()


def _make() -> None:
    say(f"creating a stand-in for python:3.13-slim-trixie from Debian {SUITE} (once, takes a minute or two)")
    with tempfile.TemporaryDirectory(prefix="stand-in-") as folder:
        context = Path(folder)
        command = ["mmdebstrap", *RECIPE, SUITE, str(context / "root.tar"), *_mirrors()]
        if subprocess.run(command, stdout=sys.stderr, check=False).returncode != 0:
            raise ToolsError(f"`{' '.join(command)}` failed: use an existing base image: make test-image BASE=…")
        (context / "Dockerfile").write_text(_DOCKERFILE)
        buildah("build", "--isolation=chroot", f"--tag={name()}", folder)


def _mirrors() -> list[str]:
    """Return the Debian mirrors that apt is configured with; without one, mmdebstrap uses its default."""
    targets = output(
        ["apt-get", "indextargets", "--format", "$(LABEL)\t$(REPO_URI)", "Created-By: Packages"], os.environ
    )
    found = dict(line.split("\t", 1) for line in reversed(targets.splitlines()))
    suites = {"Debian": SUITE, "Debian-Security": f"{SUITE}-security"}
    return [f"deb {found[label]} {suite} main" for label, suite in suites.items() if label in found]
