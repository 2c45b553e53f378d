"""How `make image` finds a builder and which command it runs."""

import subprocess
import sys

import pytest

from image.build import NoBuilderError, Source, command, find_builder
from testsupport.image import tools
from testsupport.image.built import REPOSITORY

SOURCE = Source(version="1.2.3", revision="abc", url="", epoch=1_000_000_000)


@pytest.mark.parametrize(
    ("available", "chosen"),
    [
        (("docker", "podman", "buildah"), "docker"),
        (("podman", "buildah"), "podman"),
        (("buildah",), "buildah"),
    ],
)
def test_the_first_builder_available_is_used(available: tuple[str, ...], chosen: str) -> None:
    """Docker if its engine runs, else podman, else buildah."""
    assert find_builder(lambda probe: probe[0] in available) == chosen


def test_docker_without_its_engine_is_not_used() -> None:
    """`docker --version` succeeds without an engine, so the probe is another command."""
    assert find_builder(lambda probe: probe in [("docker", "--version"), ("buildah", "--version")]) == "buildah"


def test_no_builder_is_an_error() -> None:
    """The message says what to install."""
    with pytest.raises(NoBuilderError, match="install podman or buildah"):
        find_builder(lambda _: False)


def test_names_base_and_secrets_are_passed_to_the_builder() -> None:
    """IMAGE and TAG become the tag, BASE an argument, pip's variables secrets; an unknown URL is left out."""
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
    """Without variables the image is pullkeeper:VERSION, on the base in the Dockerfile."""
    line = command("docker", SOURCE, {}, isolated=True)
    assert "--tag=pullkeeper:1.2.3" in line
    assert not any("BASE" in argument for argument in line)


def test_an_empty_tag_leaves_the_image_unnamed() -> None:
    """A release pushes each architecture by digest, which excludes a tag."""
    assert not any("--tag" in argument for argument in command("docker", SOURCE, {"TAG": ""}, isolated=True))


@pytest.mark.parametrize(("isolated", "expected"), [(True, False), (False, True)])
def test_without_a_container_runtime_the_build_uses_a_chroot(*, isolated: bool, expected: bool) -> None:
    """With one, the build steps run in containers."""
    assert ("--isolation=chroot" in command("buildah", SOURCE, {}, isolated=isolated)) is expected


def test_make_image_reports_a_missing_builder() -> None:
    """With an empty PATH it prints one line and no traceback."""
    completed = subprocess.run(
        [sys.executable, "-m", "image.build"],
        cwd=REPOSITORY,
        env={"PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 1
    assert completed.stderr.startswith("make image: no program to build an image with")
    assert completed.stderr.count("\n") == 1


def test_missing_tools_are_reported_by_package() -> None:
    """`make test-image` names the Debian packages to install."""
    assert tools.missing(lambda command: None if command in {"buildah", "unshare"} else command) == [
        "buildah",
        "util-linux",
    ]
