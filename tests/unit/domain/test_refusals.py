"""Refusals that no right would lift, read from the API server's message."""

import pytest

from pullkeeper.domain.errors.failures import Reason
from pullkeeper.domain.errors.refusals import read_refusal

QUOTA = 'secrets "pull" is forbidden: exceeded quota: small, requested: secrets=1, used: secrets=5, limited: secrets=5'
POLICY = (
    "secrets \"pull\" is forbidden: ValidatingAdmissionPolicy 'labels' with binding 'everywhere' denied request: "
    "a cost-centre is missing"
)
WEBHOOK = 'admission webhook "labels.kyverno.svc" denied the request: a cost-centre is missing'
SILENT = 'Internal error occurred: failed calling webhook "labels.kyverno.svc": failed to call webhook: EOF'
TOKEN = "eyJwYXlsb2FkIjoi" * 8


REFUSALS = {
    QUOTA: (Reason.QUOTA_EXCEEDED, "the ResourceQuota small leaves no room", "exceeded quota: small, requested: "),
    'secrets "pull" is forbidden: status unknown for quota: small, resources: secrets': (
        Reason.QUOTA_EXCEEDED,
        "the ResourceQuota small ",
        "status unknown for quota: small",
    ),
    POLICY: (
        Reason.ADMISSION_REFUSED,
        "ValidatingAdmissionPolicy 'labels' with binding 'everywhere' denies it: exempt ",
        "a cost-centre is missing",
    ),
    WEBHOOK: (Reason.ADMISSION_REFUSED, 'admission webhook "labels.kyverno.svc" denies it', "a cost-centre is missing"),
    'admission webhook "x.example" denied the request without explanation': (
        Reason.ADMISSION_REFUSED,
        'admission webhook "x.example" denies it',
        "",
    ),
    'secrets "pull" is forbidden: not on a Sunday': (Reason.ADMISSION_REFUSED, "admission denies it", "not on a Su"),
    SILENT: (Reason.ADMISSION_UNAVAILABLE, 'the admission webhook "labels.kyverno.svc" cannot be called', "failed to"),
}


@pytest.mark.parametrize("message", REFUSALS)
def test_refuser_and_words_are_told(message: str) -> None:
    """Who refuses, what to do, and the words themselves."""
    refusal, (reason, why, words) = read_refusal(message), REFUSALS[message]
    assert refusal is not None
    assert refusal.reason is reason
    assert refusal.why.startswith(why)
    assert refusal.words.startswith(words)
    assert bool(refusal.words) is bool(words)


@pytest.mark.parametrize(
    "message",
    [
        "",
        'secrets "pull" is forbidden: User "system:serviceaccount:a:b" cannot patch resource "secrets" in API group ""',
        'Secret "pull" is invalid: type: Invalid value: "Opaque": field is immutable',
        'Apply failed with 1 conflict: conflict with "admission webhook "x" denied the request: no": .data.a',
        "Internal error occurred: etcd",
    ],
)
def test_everything_else_is_no_refusal(message: str) -> None:
    """A missing right, an invalid object, and whatever somebody else may have put into the message."""
    assert read_refusal(message) is None


@pytest.mark.parametrize(
    "quoted",
    [
        TOKEN,
        f'{{"auth":"{TOKEN}"}}',
        f"data={TOKEN[:20]}…",
        f"auths/{TOKEN[5:20]}",
        "\n".join(TOKEN[at : at + 12] for at in range(0, len(TOKEN), 12)),
    ],
    ids=["whole", "in JSON", "shortened", "in a path", "in short lines"],
)
def test_no_part_of_a_token_is_shown(quoted: str) -> None:
    """A webhook may quote the object that it denies, whole or in parts."""
    refusal = read_refusal(f"{WEBHOOK}: {quoted}", [f"QVdT{TOKEN}", TOKEN])
    assert refusal is not None
    assert refusal.words.startswith("a cost-centre is missing: ")
    assert "[hidden]" in refusal.words
    assert not any(TOKEN[at : at + 8] in refusal.words for at in range(len(TOKEN) - 8))


def test_a_token_that_nobody_knows_of_is_not_shown_either() -> None:
    """Of a Secret that is deleted the content is not known."""
    refusal = read_refusal(f"{WEBHOOK}: {TOKEN}")
    assert refusal is not None
    assert refusal.words == "a cost-centre is missing: [hidden]"


@pytest.mark.parametrize(("length", "shown"), [(31, "A" * 31), (32, "[hidden]")])
def test_a_word_is_shown_if_it_is_shorter_than_any_token(length: int, shown: str) -> None:
    """A checksum or a long name may be what explains the refusal."""
    refusal = read_refusal(f"{WEBHOOK}: {'A' * length}")
    assert refusal is not None
    assert refusal.words == f"a cost-centre is missing: {shown}"


def test_words_and_names_are_bounded_and_escaped() -> None:
    """A refuser is anybody's program."""
    name, words = "n\u202e" * 100_000, "w\x1b[2J " * 100_000
    refusal = read_refusal(f'admission webhook "{name}" denied the request: {words}')
    long = read_refusal(f'admission webhook "a\x1bb" denied the request: {words}')
    assert refusal is None
    assert long is not None
    assert (len(long.words), long.words.isprintable()) == (300, True)
    assert long.why.startswith('admission webhook "a\\x1bb" denies it')


def test_the_own_fence_is_not_to_be_lifted() -> None:
    """To exempt the controller from it would be to take it down."""
    found = read_refusal(
        "secrets \"x\" is forbidden: ValidatingAdmissionPolicy 'pullkeeper-fence-secrets' with binding "
        "'pullkeeper-fence-secrets' denied request: the fence of Pullkeeper: no label is added"
    )
    assert found is not None
    assert "exempt" not in found.why
    assert "`admission.toleratedMetadata`" in found.why
    assert found.words == "the fence of Pullkeeper: no label is added"


def test_the_name_of_the_refuser_is_bounded() -> None:
    """It is chosen by whoever made the webhook."""
    found = read_refusal(f'admission webhook "{"n" * 300}" denied the request: no')
    assert found is not None
    assert found.why.partition(" denies it")[0] == f'admission webhook "{"n" * 233}…'


@pytest.mark.parametrize(
    ("word", "shown"), [(f"!{TOKEN[:8]}", "![hidden]"), (f"x{TOKEN[:7]}", f"x{TOKEN[:7]}"), (TOKEN[:7], TOKEN[:7])]
)
def test_a_word_that_shares_less_than_eight_characters_with_a_token_is_shown(word: str, shown: str) -> None:
    """So much of it may be chance."""
    refusal = read_refusal(f"{WEBHOOK}: {word}", [TOKEN])
    assert refusal is not None
    assert refusal.words == f"a cost-centre is missing: {shown}"
