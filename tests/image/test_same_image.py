"""The build is reproducible."""

import pytest

from testsupport.image import built
from testsupport.image.built import Image
from testsupport.image.tools import buildah


@pytest.mark.timeout(900)  # builds an image
def test_a_second_build_is_identical(image: Image) -> None:
    """Without the cache its layer has the same digest, so anybody can verify what a release was built from."""
    again = built.build(image.base, "again", "--no-cache")
    try:
        assert built.inspected(again)["rootfs"] == built.inspected(image.name)["rootfs"]
    finally:
        buildah("rmi", again)
