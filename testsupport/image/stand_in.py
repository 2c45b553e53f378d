"""A base to build on where no registry can be reached: Debian trixie with its Python 3.13, as the real one is.

It is kept among the images of the cache, under a name that says what it was made of.
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
"""With what the real one has and the image must not have: a shell, apt and pip."""

_DOCKERFILE = "FROM scratch\nADD root.tar /\nENV PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin\n"


def name() -> str:
    """Give the base's name, which follows from its recipe."""
    key = hashlib.sha256("\0".join((SUITE, *RECIPE, _DOCKERFILE)).encode()).hexdigest()[:12]
    return f"localhost/pullkeeper-stand-in:{key}"


def provide() -> str:
    """Make the base, if it is not there yet, and give its name."""
    if name() not in buildah("images", "--format", "{{.Name}}:{{.Tag}}").splitlines():
        _make()
    return name()


def _make() -> None:
    say(
        f"making a base of Debian {SUITE} to stand in for python:3.13-slim-trixie; the first time takes a minute or two"
    )
    with tempfile.TemporaryDirectory(prefix="stand-in-") as folder:
        context = Path(folder)
        command = ["mmdebstrap", *RECIPE, SUITE, str(context / "root.tar"), *_mirrors()]
        if subprocess.run(command, stdout=sys.stderr, check=False).returncode != 0:
            raise ToolsError(f"`{' '.join(command)}` failed: give a base instead: make test-image BASE=…")
        (context / "Dockerfile").write_text(_DOCKERFILE)
        buildah("build", "--isolation=chroot", f"--tag={name()}", folder)


def _mirrors() -> list[str]:
    """Take the mirror that this machine's apt is set up with, if it is Debian's; else mmdebstrap knows one."""
    targets = output(
        ["apt-get", "indextargets", "--format", "$(LABEL)\t$(REPO_URI)", "Created-By: Packages"], os.environ
    )
    found = dict(line.split("\t", 1) for line in reversed(targets.splitlines()))
    suites = {"Debian": SUITE, "Debian-Security": f"{SUITE}-security"}
    return [f"deb {found[label]} {suite} main" for label, suite in suites.items() if label in found]
