"""Whether AWS could verify the tokens of an issuer."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullkeeper.domain.iam.oidc_issuer import (
    Discovery,
    are_private,
    has_port,
    is_internal,
    mismatch,
    read_discovery,
    read_keys,
    unpublished,
    unusable_url,
)

ISSUER = "https://oidc-example.s3.eu-west-1.amazonaws.com"
KEYS = f"{ISSUER}/openid/v1/jwks"
RSA = {"kid": "a", "kty": "RSA", "alg": "RS256", "use": "sig", "n": "modulus", "e": "AQAB"}
EC = {"kid": "b", "kty": "EC", "alg": "ES256", "use": "sig", "crv": "P-256", "x": "x", "y": "y"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["keys", "kid", "issuer", "jwks_uri"]), inner),
)


@pytest.mark.parametrize(
    ("url", "internal"),
    [
        (ISSUER, False),
        ("https://container.googleapis.com/v1/projects/p/locations/l/clusters/c", False),
        ("https://irsa.home.example.com", False),
        ("https://svc.example.com", False),
        ("https://8.8.8.8", False),
        ("https://kubernetes.default.svc", True),
        ("https://kubernetes.default.svc.cluster.local", True),
        ("https://kubernetes.default.svc.k8s.example.com", True),
        ("https://KUBERNETES.Default.SVC.", True),
        ("https://oidc.corp", True),
        ("https://oidc.corp.", True),
        ("https://oidc.lan:6443", True),
        ("https://nas.home.arpa", True),
        ("https://localhost", True),
        ("https://10.0.0.1:6443", True),
        ("https://[fd00::1]", True),
        ("https://169.254.169.254", True),
        ("https://[::", True),
        ("kubernetes/serviceaccount", True),
    ],
)
def test_a_name_that_only_its_own_network_knows_is_told(url: str, *, internal: bool) -> None:
    """By its end, by Kubernetes' beginning, or as an address."""
    assert is_internal(url) is internal


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (ISSUER, ""),
        (f"{ISSUER}/with/a/path/", ""),
        ("http://oidc.example.com", "is no https:// URL"),
        ("kubernetes/serviceaccount", "is no https:// URL"),
        ("https://", "is no https:// URL"),
        ("https://[::", "is no https:// URL"),
        (f"{ISSUER}?x=1", "has a query, which IAM does not take"),
        (f"{ISSUER}#x", "has a query, which IAM does not take"),
        ("https://10.0.0.1:6443", "looks internal: AWS has to reach it"),
    ],
)
def test_what_aws_cannot_use_is_said(url: str, words: str) -> None:
    """Before anybody is asked."""
    assert unusable_url(url) == words


@pytest.mark.parametrize(
    ("issuer", "port"),
    [
        ("https://a.example.com:8443/x", True),
        ("https://a.example.com:8443", True),
        ("https://a.example.com/x:8443", False),
        ("https://a.example.com/x:8443/y", False),
    ],
)
def test_a_port_is_found_in_the_name_alone(issuer: str, *, port: bool) -> None:
    """A path may have a colon."""
    assert has_port(issuer) is port


def test_a_discovery_document_has_to_be_that_of_the_issuer() -> None:
    """To the letter: a slash at the end belongs to the name."""
    document = read_discovery({"issuer": ISSUER, "jwks_uri": KEYS, "more": 1})
    assert mismatch(ISSUER, document) == ""
    assert mismatch(f"{ISSUER}/", document) == f"its discovery document is that of {ISSUER}"


def test_a_key_set_has_to_be_public_too() -> None:
    """The API server's own document names its own address, and is often copied as it is."""
    copied = Discovery(issuer=ISSUER, jwks_uri="https://172.18.0.2:6443/openid/v1/jwks")
    assert mismatch(ISSUER, copied) == (
        "its discovery document says that the key set is at https://172.18.0.2:6443/openid/v1/jwks, "
        "which looks internal: AWS has to reach it"
    )


def test_what_is_published_is_escaped_and_bounded() -> None:
    """Whoever serves it writes to a terminal."""
    said = mismatch(ISSUER, Discovery(issuer="\x1b[2J" + "x" * 9000, jwks_uri=KEYS))
    keys = read_keys({"keys": [{**RSA, "kid": f"\x1b{number:03}" + "x" * 9000} for number in range(100)]})
    missing = unpublished(keys, frozenset())
    for text in (said, missing):
        assert text.isprintable()
        assert len(text) < 4000
    assert "and 90 more" in missing


@pytest.mark.parametrize(
    "document",
    [None, [], "x", {}, {"issuer": ISSUER}, {"issuer": 1, "jwks_uri": KEYS}, {"issuer": ISSUER, "jwks_uri": []}],
)
def test_what_is_no_discovery_document_is_refused(document: object) -> None:
    """Such as the page of a proxy that wants a login."""
    with pytest.raises(ValueError, match=r"^(it is no JSON object|it names no (issuer|jwks_uri))$"):
        read_discovery(document)


@pytest.mark.parametrize("document", [None, [], {}, {"keys": []}, {"keys": ["a"]}, {"keys": "a"}, {"keys": {"a": 1}}])
def test_what_is_no_key_set_is_refused(document: object) -> None:
    """Nothing could be verified with it."""
    with pytest.raises(ValueError, match=r"^it holds no keys$"):
        read_keys(document)


def test_keys_are_compared_by_what_they_verify() -> None:
    """Another key under the same id is another one; what else is said of it does not count."""
    cluster = read_keys({"keys": [RSA, EC]})
    assert unpublished(cluster, read_keys({"keys": [EC, {**RSA, "use": "x", "n": "modulus=="}]})) == ""
    assert unpublished(cluster, read_keys({"keys": [EC]})) == "a"
    assert unpublished(cluster, read_keys({"keys": [RSA, {**EC, "x": "z"}]})) == "b"
    assert unpublished(cluster, read_keys({"keys": [{**RSA, "n": "modulusX"}, EC]})) == "a"
    assert unpublished(cluster, read_keys({"keys": [{**RSA, "kid": "c"}, "x"]})) == "a, b"
    del (nameless := dict(RSA))["kid"]
    assert unpublished(read_keys({"keys": [nameless]}), cluster) == "without an id"


@pytest.mark.parametrize(
    ("addresses", "private"),
    [
        (set(), False),
        ({"10.0.0.1"}, True),
        ({"10.0.0.1", "fe80::1%eth0"}, True),
        ({"10.0.0.1", "8.8.8.8"}, False),
    ],
)
def test_a_name_may_lead_into_a_private_network(addresses: set[str], *, private: bool) -> None:
    """All of its addresses have to."""
    assert are_private(addresses) is private


@given(JSON)
def test_any_document_is_read_or_refused(document: object) -> None:
    """Whatever somebody publishes."""
    for read in (read_discovery, read_keys):
        with suppress(ValueError):
            assert read(document)


@given(st.text() | st.text().map(lambda text: f"https://{text}"))
def test_any_text_may_stand_where_an_issuer_should(text: str) -> None:
    """Somebody wrote it into a flag."""
    assert isinstance(unusable_url(text), str)
