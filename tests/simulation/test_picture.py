"""The picture in the docs is what the code draws."""

from pathlib import Path

import pytest

from tools.picture import a_day, draw

PICTURE = Path("docs/rotation-day.svg")


@pytest.mark.timeout(300)
def test_the_picture_shows_the_controller_as_it_is() -> None:
    """Whoever changes how it rotates draws it anew, with `make picture`, and looks at it."""
    assert PICTURE.read_text() == draw(a_day())
