"""Names of images, split as container runtimes split them."""

import pytest

from pullkeeper.domain.ecr.image_reference import parse

HOST = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
DIGEST = f"sha256:{'0' * 64}"


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        (f"{HOST}/shop/web:v1", (HOST, "shop/web", "v1")),
        (f"{HOST}/shop/web", (HOST, "shop/web", "latest")),
        (f"{HOST}/shop/web@{DIGEST}", (HOST, "shop/web", DIGEST)),
        (f"{HOST}/shop/web:v1@{DIGEST}", (HOST, "shop/web", DIGEST)),
        ("localhost:5000/web:v1", ("localhost:5000", "web", "v1")),
        ("localhost/web", ("localhost", "web", "latest")),
        ("nginx", ("docker.io", "nginx", "latest")),
        ("library/nginx:1.27", ("docker.io", "library/nginx", "1.27")),
    ],
)
def test_images_are_split(image: str, parts: tuple[str, str, str]) -> None:
    """A first part without a dot or a port is no host."""
    found = parse(image)
    assert (found.host, found.repository, found.reference) == parts
    assert found.well_formed


@pytest.mark.parametrize(
    "image",
    [
        f"{HOST}/",
        f"{HOST}/Shop:v1",
        f"{HOST}/shop/../../web:v1",
        f"{HOST}/shop$(id):v1",
        f"{HOST}/shop:v1;id",
        f"{HOST}/shop@sha256:0",
        f"{HOST}/shop?x=1",
        f"{HOST}/{'a' * 257}",
        f"{HOST}/shop\n:v1",
    ],
)
def test_what_is_unfit_for_an_address_or_a_command_is_told(image: str) -> None:
    """Whoever writes a pod chooses the image."""
    assert not parse(image).well_formed


def test_a_repository_may_be_as_long_as_ecr_allows() -> None:
    """256 characters."""
    assert parse(f"{HOST}/{'a' * 256}").well_formed
