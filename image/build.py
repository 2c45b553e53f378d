"""`make image`: builds the image by whatever is there of docker (with an engine), podman and buildah.

IMAGE, TAG and BASE name the result and what it stands on (an empty TAG names nothing), BUILDER which of the three
builds; the arguments are handed to it. pip's own PIP_CONFIG_FILE and PIP_CERT count within the build, too, for a mirror
or a proxy; nothing of them stays in the image.
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
"""Asks git for the commit, and whether what is built is just that."""
SECRETS = {"PIP_CONFIG_FILE": "pip-config", "PIP_CERT": "ca-certificates"}
"""Which build secret brings the file that a variable names."""
PROBES = {"docker": ("docker", "version"), "podman": ("podman", "--version"), "buildah": ("buildah", "--version")}
"""What builds an image, and what each answers where it can: `docker version` fails where there is no engine."""

NOTHING_BUILDS = (
    "nothing here can build an image: start the docker engine, or install podman or buildah (`apt-get install buildah`)"
)

Answers = Callable[[Sequence[str]], bool]
"""Tells whether a command is there and succeeds."""


class NothingBuildsError(Exception):
    """There is no docker with an engine, no podman and no buildah."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """What the image is built from, as its labels say."""

    version: str
    revision: str
    url: str
    epoch: int
    """Seconds since 1970 of the commit: everything in the image has this time."""

    def arguments(self) -> dict[str, str]:
        """Give the arguments of the build; what is not known is left to say so itself."""
        known = {
            "VERSION": self.version,
            "REVISION": self.revision,
            "SOURCE": self.url,
            "CREATED": f"{datetime.fromtimestamp(self.epoch, UTC):%FT%TZ}",
            "SOURCE_DATE_EPOCH": str(self.epoch),
        }
        return {name: value for name, value in known.items() if value}


def choose(answers: Answers) -> str:
    """Name the builder to use; raises NothingBuildsError."""
    for builder, probe in PROBES.items():
        if answers(probe):
            return builder
    raise NothingBuildsError(NOTHING_BUILDS)


def command(builder: str, source: Source, environment: Mapping[str, str], *, isolated: bool) -> list[str]:
    """Give the command that builds; `isolated` is false where nothing can run containers, as for root in one."""
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
    """Read what is built: the version from pyproject.toml, the rest from git."""
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


def _answers(probe: Sequence[str]) -> bool:
    return (
        shutil.which(probe[0]) is not None and subprocess.run(probe, capture_output=True, check=False).returncode == 0
    )


def main() -> int:
    """Build the image."""
    try:
        builder = os.environ.get("BUILDER") or choose(_answers)
    except NothingBuildsError as error:
        sys.stderr.write(f"make image: {error}\n")
        return 1
    # Root without a container runtime: buildah can still build, in a chroot.
    isolated = os.geteuid() != 0 or any(shutil.which(runtime) for runtime in ("crun", "runc"))
    line = [*command(builder, source(), os.environ, isolated=isolated), *sys.argv[1:], str(REPOSITORY)]
    sys.stderr.write(f"{' '.join(line)}\n")
    return subprocess.run(line, check=False, env=os.environ | {"DOCKER_BUILDKIT": "1"}).returncode


if __name__ == "__main__":
    sys.exit(main())
