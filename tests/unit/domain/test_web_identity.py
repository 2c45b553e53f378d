"""What a projected ServiceAccount token says of itself."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullkeeper.domain.iam import role_arn
from pullkeeper.domain.iam.web_identity import MAX_TOKEN_LENGTH, decode
from testsupport.examples import HOUR, NOW

ISSUER = "https://oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE"
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "sub": "system:serviceaccount:pullkeeper:controller",
    "aud": ["sts.amazonaws.com"],
    "exp": (NOW + HOUR).timestamp(),
}


RENEW = "see why the kubelet does not renew the file, and whether the clocks are right"
MOUNT = "mount a projected ServiceAccount token in its place"
PUBLISH = "let the API server issue tokens under a public URL (--service-account-issuer) that serves its keys"


def part(claims: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")


HEADER = part({"alg": "RS256", "kid": "key-1"})


def token(**claims: object) -> str:
    return f"{HEADER}.{part({**CLAIMS, **claims})}.c2lnbmF0dXJl\n"


def test_the_claims_are_read() -> None:
    """Issuer, subject, audience and expiry; nothing else."""
    found = decode(token())
    assert str(found) == (
        f"issuer {ISSUER}, subject system:serviceaccount:pullkeeper:controller, audience sts.amazonaws.com, "
        "valid until 2026-03-01 13:00:00Z"
    )
    assert found.problem(NOW) is None
    assert found.key_id == "key-1"
    assert decode(token().replace(HEADER, part({}))).key_id == ""


def test_the_provider_that_must_exist_is_named() -> None:
    """In the account and the partition of the role."""
    role = role_arn.parse("arn:aws-cn:iam::123456789012:role/pullkeeper")
    expected = "arn:aws-cn:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE"
    assert decode(token()).provider_arn(role) == expected


@pytest.mark.parametrize(
    ("issuer", "internal"),
    [
        (ISSUER, False),
        ("https://kubernetes.default.svc.cluster.local", True),
    ],
)
def test_an_issuer_that_looks_internal_is_remarked(issuer: str, *, internal: bool) -> None:
    """AWS fetches the keys from there; what a name means elsewhere is not known."""
    role = role_arn.parse("arn:aws:iam::123456789012:role/pullkeeper")
    needed = decode(token(iss=issuer)).needs(role)
    assert needed.startswith("needs the IAM OIDC provider arn:aws:iam::123456789012:oidc-provider/")
    public = " (its name looks internal: AWS has to reach it)" if internal else ""
    assert needed.endswith(f" with that audience, a role that trusts that subject, and a public issuer{public}")


@pytest.mark.parametrize(
    ("claims", "words", "fix"),
    [
        ({"exp": NOW.timestamp()}, "it has expired", RENEW),
        ({"exp": None}, "it is the endless token of a Secret", MOUNT),
        ({"exp": 1e300}, "it is the endless token of a Secret", MOUNT),
        ({"aud": None}, "it is the endless token of a Secret", MOUNT),
        ({"iss": "kubernetes/serviceaccount"}, "AWS cannot fetch the keys of its issuer", PUBLISH),
        ({"iss": None}, "AWS cannot fetch the keys of its issuer", PUBLISH),
    ],
)
def test_what_cannot_work_in_any_account_is_said(claims: dict[str, Any], words: str, fix: str) -> None:
    """Without asking anybody."""
    assert decode(token(**claims)).problem(NOW) == (words, fix)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "it is empty"),
        (" \n", "it is empty"),
        ("hush", "it is no JSON Web Token"),
        ("hush.hush", "it is no JSON Web Token"),
        (f"{HEADER}.!!!.c", "it is no JSON Web Token"),
        (f"{HEADER}.{part(['hush'])}.c", "it is no JSON Web Token"),
        (f"{HEADER}.{part('hush')}.c", "it is no JSON Web Token"),
        (f"{part(['hush'])}.{part({})}.c", "it is no JSON Web Token"),
        (f"{HEADER}.{base64.urlsafe_b64encode(b'[' * 9000).decode()}.c", "it is no JSON Web Token"),
        (token() + "x" * MAX_TOKEN_LENGTH, "it is no JSON Web Token"),
    ],
)
def test_what_is_no_token_is_refused_without_quoting_it(text: str, words: str) -> None:
    """It may be a secret of another kind."""
    with pytest.raises(ValueError, match=f"^{words}$") as raised:
        decode(text)
    assert "hush" not in str(raised.value)


def test_one_audience_need_not_be_a_list() -> None:
    """Both forms are allowed."""
    assert decode(token(aud="vault")).audiences == ("vault",)


def test_claims_are_escaped_and_bounded() -> None:
    """They reach terminals."""
    shown = str(decode(token(iss="https://x\x1b[2J" + "y" * 9000, aud=[f"a{number}" for number in range(100)])))
    assert "\x1b" not in shown
    assert len(shown) < 700
    assert "and 90 more" in shown


@given(
    st.dictionaries(
        st.sampled_from(["iss", "sub", "aud", "exp"]), st.none() | st.integers() | st.text() | st.lists(st.text())
    )
)
def test_any_claims_are_read(claims: dict[str, Any]) -> None:
    """Whatever somebody signs."""
    found = decode(token(**claims))
    problem = found.problem(NOW)
    assert str(found).isprintable()
    assert problem is None or all(problem)


def test_what_a_token_does_not_say_is_said() -> None:
    """An old kind of token has neither issuer nor expiry."""
    found = decode(token(iss=None, exp=None))
    assert found.issuer == "none"
    assert str(found).endswith(", valid until no time")


def test_a_token_may_be_as_long_as_is_allowed() -> None:
    """And no longer."""
    text = token().strip()
    assert decode(text + "x" * (MAX_TOKEN_LENGTH - len(text))).issuer == ISSUER
    with pytest.raises(ValueError, match="no JSON Web Token"):
        decode(text + "x" * (MAX_TOKEN_LENGTH - len(text) + 1))
