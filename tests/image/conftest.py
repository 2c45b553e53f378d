"""Fixtures of the image tests: the end-to-end tests' installation, with the image as its controller."""

from pathlib import Path

import pytest

from tests.conformance.conftest import api, server  # noqa: F401 -- fixtures
from tests.e2e.conftest import aws, installation  # noqa: F401 -- fixtures
from testsupport.image.built import Image


@pytest.fixture
def program(image: Image, tmp_path: Path) -> list[str]:
    """Run the image, regardless of --controller."""
    return image.command(tmp_path)
