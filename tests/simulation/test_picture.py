"""The picture in the docs is up to date."""

from pathlib import Path

import pytest

from tools.picture import a_day, draw

pytestmark = pytest.mark.slow

PICTURE = Path("docs/rotation-day.svg")


def test_picture_is_up_to_date() -> None:
    """After a change of the rotation, run `make picture` and review the result."""
    assert PICTURE.read_text() == draw(a_day())
