"""What the kubelet's words about a failed pull say."""

import pytest

from pullkeeper.domain.ecr.image_reference import parse
from pullkeeper.domain.views.pull_symptom import Symptom, symptom_of
from testsupport.pull_words import HOST, IMAGE, NOT_FOUND, SAID, backing_off, containerd, crio, docker

KNOWN = [(symptom, words) for symptom, many in SAID.items() for words in many]


@pytest.mark.parametrize(("symptom", "words"), KNOWN)
def test_words_of_every_runtime_are_understood(symptom: str, words: str) -> None:
    """At the failure, and while the kubelet backs off."""
    assert symptom_of("ErrImagePull", words, parse(IMAGE)) == symptom
    assert symptom_of("ImagePullBackOff", backing_off(IMAGE, words), parse(IMAGE)) == symptom


def test_every_symptom_has_words() -> None:
    """But for those that the reason alone tells."""
    assert {symptom for symptom, _ in KNOWN} == set(Symptom) - {"never-pull", "invalid-name"}


@pytest.mark.parametrize(
    ("reason", "symptom"), [("ErrImageNeverPull", "never-pull"), ("InvalidImageName", "invalid-name")]
)
def test_a_reason_may_say_it_all(reason: str, symptom: str) -> None:
    """Whatever the words are."""
    assert symptom_of(reason, NOT_FOUND, parse(IMAGE)) == symptom


@pytest.mark.parametrize("name", ["toomanyrequests:v1", "x509:403", "denied/no-such-host:429", "app:401"])
def test_the_image_s_name_decides_nothing(name: str) -> None:
    """Tenants choose it."""
    image = f"{HOST}/{name}"
    words = containerd(image, f"{image}: not found", code="NotFound")
    assert symptom_of("ErrImagePull", words, parse(image)) is Symptom.IMAGE_MISSING


@pytest.mark.parametrize(
    "why",
    [
        'failed to do request: Head "https://mirror.local/v2/x509:/manifests/429": not found',
        "unexpected status from HEAD request to https://mirror.local/v2/denied/manifests/403?ns=toomanyrequests: 404",
        'image "dial-tcp/no-basic-auth-credentials:401": not found',
    ],
)
def test_neither_do_names_at_a_mirror(why: str) -> None:
    """A runtime asks it in the registry's place, under an address of its own."""
    assert symptom_of("ErrImagePull", f"rpc error: {why}", parse(IMAGE)) is Symptom.IMAGE_MISSING


@pytest.mark.parametrize(
    ("words", "symptom"),
    [
        (crio(f"{HOST}/web:toomanyrequests", "manifest unknown: Requested image not found"), Symptom.TAG_MISSING),
        (
            docker("pull access denied for x509:, repository does not exist or may require 'docker login'"),
            Symptom.NO_CREDENTIALS,
        ),
        (
            docker("name unknown: The repository with name 'denied/429' does not exist in the registry"),
            Symptom.REPOSITORY_MISSING,
        ),
        (
            docker("denied: not authorized to perform: x on resource: arn:aws:ecr:r:1:repository/toomanyrequests"),
            Symptom.FORBIDDEN,
        ),
    ],
)
def test_nor_do_names_that_stand_alone(words: str, symptom: Symptom) -> None:
    """Without the registry before them."""
    assert symptom_of("ErrImagePull", words, parse(IMAGE)) is symptom
