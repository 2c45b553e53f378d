"""The image tests' fixtures: one image for all, and the operator tier's installation to start it in."""

from pathlib import Path

import pytest

from tests.contract.conftest import api, server  # noqa: F401 -- fixtures
from tests.image.built import Image
from tests.operator.conftest import aws, installation  # noqa: F401 -- fixtures


@pytest.fixture
def program(image: Image, tmp_path: Path) -> list[str]:
    """Start the image, whatever --controller says."""
    return image.command(tmp_path)
