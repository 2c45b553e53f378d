"""The image tests' fixtures: one image for all, and the operator tier's installation to start it in."""

from pathlib import Path

import pytest

from tests.conformance.conftest import api, server  # noqa: F401 -- fixtures
from tests.e2e.conftest import aws, installation  # noqa: F401 -- fixtures
from testsupport.image.built import Image


@pytest.fixture
def program(image: Image, tmp_path: Path) -> list[str]:
    """Start the image, whatever --controller says."""
    return image.command(tmp_path)
