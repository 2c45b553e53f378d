"""What the image says of itself: user, entry, port, labels."""

import subprocess
import tomllib
from datetime import UTC, datetime

from image.build import REVISION
from testsupport.image.built import REPOSITORY, Image


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout.strip()


def test_user_is_a_number_and_nobody(image: Image) -> None:
    """Only by a number can `runAsNonRoot` tell that it is not root."""
    assert image.config["User"] == "65532:65532"


def test_it_starts_the_command_that_is_on_the_path(image: Image) -> None:
    """The entry is the bare name, so that a chart can say the same; it listens where the chart expects it."""
    assert image.config["Entrypoint"] == ["pullkeeper"]
    assert list(image.config["ExposedPorts"]) == ["8080/tcp"]


def test_labels_say_what_it_was_built_from(image: Image) -> None:
    """The version is pyproject's, revision and time are the commit's."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    labels = {key.removeprefix("org.opencontainers.image."): value for key, value in image.config["Labels"].items()}
    committed = datetime.fromtimestamp(int(_git("log", "-1", "--format=%ct")), UTC)
    assert labels == {
        "title": project["name"],
        "description": project["description"],
        "licenses": project["license"],
        "version": project["version"],
        "revision": _git(*REVISION),
        "created": f"{committed:%FT%TZ}",
        "base.name": image.base,
        "source": project.get("urls", {}).get("Repository", "unknown"),
    }
    assert f"PULLKEEPER_REVISION={labels['revision']}" in image.config["Env"], "the metrics tell it, too"
