"""`make image` takes what is there, and says what is not."""

import subprocess
import sys

import pytest

from image.build import NothingBuildsError, Source, choose, command
from testsupport.image import tools
from testsupport.image.built import REPOSITORY

SOURCE = Source(version="1.2.3", revision="abc", url="", epoch=1_000_000_000)


@pytest.mark.parametrize(
    ("there", "chosen"),
    [
        (("docker", "podman", "buildah"), "docker"),
        (("podman", "buildah"), "podman"),
        (("buildah",), "buildah"),
    ],
)
def test_it_is_built_by_what_is_there(there: tuple[str, ...], chosen: str) -> None:
    """Docker where its engine answers, else podman, else buildah."""
    assert choose(lambda probe: probe[0] in there) == chosen


def test_docker_without_its_engine_is_not_there() -> None:
    """`docker --version` succeeds without an engine, so it is not what is asked."""
    assert choose(lambda probe: probe in [("docker", "--version"), ("buildah", "--version")]) == "buildah"


def test_nothing_that_builds_is_one_clear_error() -> None:
    """The message says what to install."""
    with pytest.raises(NothingBuildsError, match="install podman or buildah"):
        choose(lambda _: False)


def test_names_base_and_secrets_are_handed_over() -> None:
    """IMAGE, TAG and BASE name things; pip's own variables become secrets; what is not known is not said."""
    environment = {"IMAGE": "registry.example/pk", "TAG": "dev", "BASE": "python:3.13", "PIP_CERT": "/ca.crt"}
    assert command("docker", SOURCE, environment, isolated=True) == [
        "docker",
        "build",
        "--tag=registry.example/pk:dev",
        "--build-arg=VERSION=1.2.3",
        "--build-arg=REVISION=abc",
        "--build-arg=CREATED=2001-09-09T01:46:40Z",
        "--build-arg=SOURCE_DATE_EPOCH=1000000000",
        "--build-arg=BASE=python:3.13",
        "--secret=id=ca-certificates,src=/ca.crt",
    ]


def test_the_tag_is_the_version_by_default() -> None:
    """Without a word it is pullkeeper:VERSION on the base of the Dockerfile."""
    line = command("docker", SOURCE, {}, isolated=True)
    assert "--tag=pullkeeper:1.2.3" in line
    assert not any("BASE" in argument for argument in line)


def test_an_empty_tag_names_nothing() -> None:
    """A release pushes each architecture by its digest, which cannot have a name."""
    assert not any("--tag" in argument for argument in command("docker", SOURCE, {"TAG": ""}, isolated=True))


@pytest.mark.parametrize(("isolated", "expected"), [(True, False), (False, True)])
def test_without_a_runtime_it_is_built_in_a_chroot(*, isolated: bool, expected: bool) -> None:
    """The steps run in containers where that is possible."""
    assert ("--isolation=chroot" in command("buildah", SOURCE, {}, isolated=isolated)) is expected


def test_make_image_says_what_is_missing() -> None:
    """With nothing on the path it is one line and no traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "image.build"],
        cwd=REPOSITORY,
        env={"PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("make image: nothing here can build an image")
    assert done.stderr.count("\n") == 1


def test_missing_tools_are_named_by_their_packages() -> None:
    """What `make test-image` needs is said in the words of the package manager."""
    assert tools.missing(lambda command: None if command in {"buildah", "unshare"} else command) == [
        "buildah",
        "util-linux",
    ]
