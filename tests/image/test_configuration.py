"""The image's configuration: user, entry point, port, labels."""

import subprocess
import tomllib
from datetime import UTC, datetime

from image.build import REVISION
from testsupport.image.built import REPOSITORY, Image


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout.strip()


def test_the_user_is_an_unprivileged_number(image: Image) -> None:
    """`runAsNonRoot` can verify a numeric user only."""
    assert image.config["User"] == "65532:65532"


def test_the_entry_point_is_the_command_on_the_path(image: Image) -> None:
    """The bare name, which the chart uses as well; the exposed port is the chart's default."""
    assert image.config["Entrypoint"] == ["pullkeeper"]
    assert list(image.config["ExposedPorts"]) == ["8080/tcp"]


def test_labels_name_what_the_image_was_built_from(image: Image) -> None:
    """The version is that of pyproject.toml, revision and time are those of the commit."""
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
    assert f"PULLKEEPER_REVISION={labels['revision']}" in image.config["Env"], "exported as a metric"
