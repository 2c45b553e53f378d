"""The same source gives the same image."""

import pytest

from testsupport.image import built
from testsupport.image.built import Image
from testsupport.image.tools import buildah


@pytest.mark.timeout(900)  # it builds an image
def test_built_anew_it_is_the_same_to_the_last_bit(image: Image) -> None:
    """Built again from nothing, its layer has the same digest: anybody can check what a release was built from."""
    again = built.build(image.base, "again", "--no-cache")
    try:
        assert built.inspected(again)["rootfs"] == built.inspected(image.name)["rootfs"]
    finally:
        buildah("rmi", again)
