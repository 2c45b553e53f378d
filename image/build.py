"""Build the image with docker (if its engine runs), podman or buildah: `make image`.

The environment variables IMAGE and TAG name the result (an empty TAG leaves it unnamed), BASE is the base image and
BUILDER one of the three programs. Arguments are passed on to the builder. PIP_CONFIG_FILE and PIP_CERT apply within
the build, too, for a mirror or a proxy; neither ends up in the image.
"""

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent
REVISION = ("describe", "--always", "--abbrev=40", "--exclude=*", "--dirty")
"""Arguments for git to print the commit, with a suffix if the work tree differs from it."""
SECRETS = {"PIP_CONFIG_FILE": "pip-config", "PIP_CERT": "ca-certificates"}
"""The build secret for the file that each variable names."""
PROBES = {"docker": ("docker", "version"), "podman": ("podman", "--version"), "buildah": ("buildah", "--version")}
"""The builders, in order of preference, and a command that succeeds if one works: `docker version` needs the engine."""

NO_BUILDER = (
    "no program to build an image with: start the docker engine, or install podman or buildah (apt-get install buildah)"
)

Probe = Callable[[Sequence[str]], bool]
"""Whether a command exists and succeeds."""


class NoBuilderError(Exception):
    """No docker with a running engine, no podman and no buildah."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """What the image is built from, for its labels."""

    version: str
    revision: str
    url: str
    epoch: int
    """Unix time of the commit, in seconds: the modification time of every file in the image."""

    def arguments(self) -> dict[str, str]:
        """Return the build arguments; unknown ones keep their default in the Dockerfile."""
        known = {
            "VERSION": self.version,
            "REVISION": self.revision,
            "SOURCE": self.url,
            "CREATED": f"{datetime.fromtimestamp(self.epoch, UTC):%FT%TZ}",
            "SOURCE_DATE_EPOCH": str(self.epoch),
        }
        return {name: value for name, value in known.items() if value}


def find_builder(works: Probe) -> str:
    """Return the first builder that works; raises NoBuilderError."""
    for builder, probe in PROBES.items():
        if works(probe):
            return builder
    raise NoBuilderError(NO_BUILDER)


def command(builder: str, source: Source, environment: Mapping[str, str], *, isolated: bool) -> list[str]:
    """Return the build command; `isolated` is false without a container runtime, such as inside a container."""
    tag = environment.get("TAG", source.version)
    arguments = source.arguments() | ({"BASE": environment["BASE"]} if environment.get("BASE") else {})
    secrets = {SECRETS[variable]: environment[variable] for variable in SECRETS if environment.get(variable)}
    return [
        builder,
        "build",
        *([] if builder == "docker" else ["--layers", "--identity-label=false", f"--timestamp={source.epoch}"]),
        *([] if builder == "docker" or isolated else ["--isolation=chroot"]),
        *([f"--tag={environment.get('IMAGE', 'pullkeeper')}:{tag}"] if tag else []),
        *(f"--build-arg={key}={value}" for key, value in arguments.items()),
        *(f"--secret=id={key},src={value}" for key, value in secrets.items()),
    ]


def source() -> Source:
    """Read the version from pyproject.toml and the rest from git."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    return Source(
        version=project["version"],
        revision=_git(*REVISION),
        url=os.environ.get("SOURCE") or project.get("urls", {}).get("Repository", ""),
        epoch=int(os.environ.get("SOURCE_DATE_EPOCH") or _git("log", "-1", "--format=%ct") or 0),
    )


def _git(*arguments: str) -> str:
    if shutil.which("git") is None:
        return ""
    return subprocess.run(
        ["git", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False
    ).stdout.strip()


def _works(probe: Sequence[str]) -> bool:
    return (
        shutil.which(probe[0]) is not None and subprocess.run(probe, capture_output=True, check=False).returncode == 0
    )


def main() -> int:
    """Build the image."""
    try:
        builder = os.environ.get("BUILDER") or find_builder(_works)
    except NoBuilderError as error:
        sys.stderr.write(f"make image: {error}\n")
        return 1
    # Root without a container runtime can still build in a chroot, with buildah.
    isolated = os.geteuid() != 0 or any(shutil.which(runtime) for runtime in ("crun", "runc"))
    line = [*command(builder, source(), os.environ, isolated=isolated), *sys.argv[1:], str(REPOSITORY)]
    sys.stderr.write(f"{' '.join(line)}\n")
    return subprocess.run(line, check=False, env=os.environ | {"DOCKER_BUILDKIT": "1"}).returncode


if __name__ == "__main__":
    sys.exit(main())
