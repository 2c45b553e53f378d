"""Tables of causes: which row is found for what was raised."""

import pytest

from pullkeeper.domain.errors.causes import Cause, CauseTable, Raised
from pullkeeper.domain.errors.failures import Actor, Reason
from pullkeeper.domain.errors.kubernetes_causes import KUBERNETES_CAUSES


def cause(what: str, words: str = "") -> Cause:
    return Cause(raised=("E",), reason=Reason.KUBERNETES_UNAVAILABLE, what=what, fix="mend it", words=words)


TABLE = CauseTable([cause("first", words="no such|gone"), cause("second")])


@pytest.mark.parametrize(
    ("words", "what"),
    [("It is GONE.", "first"), ("no such thing", "first"), ("there it is", "second"), ("", "second")],
)
def test_a_cause_with_words_is_limited_to_them(words: str, what: str) -> None:
    """Wherever they are, whatever their case; one without words is for all."""
    assert TABLE.find(Raised(names=("E",), words=words)).what == what


def test_words_are_looked_for_at_the_beginning_of_a_long_text() -> None:
    """What a server answers may be of any length."""
    assert TABLE.find(Raised(names=("E",), words=f"{'x' * 3996}gone")).what == "first"
    assert TABLE.find(Raised(names=("E",), words=f"{'x' * 3997}gone")).what == "second"


@pytest.mark.parametrize(
    ("name", "words", "what", "who"),
    [
        ("ClientConnectorCertificateError", "Certificate has expired", "not valid at this time", Actor.OPERATOR),
        ("ClientConnectorCertificateError", "hostname mismatch", "another host's", Actor.OPERATOR),
        ("ClientConnectorCertificateError", "self-signed", "not trusted by", Actor.OPERATOR),
        ("ClientHttpProxyError", "", "the proxy {proxy} answered", Actor.OPERATOR),
        ("ClientProxyConnectionError", "", "the proxy {proxy} cannot be reached", Actor.OPERATOR),
    ],
)
def test_why_the_api_server_cannot_be_reached(name: str, words: str, what: str, who: Actor) -> None:
    """Told from what the HTTP client raises, and where several have that name, from its words."""
    found = KUBERNETES_CAUSES.find(Raised(names=(name,), words=words))
    assert what in found.what
    assert (found.who, found.reason) == (who, Reason.KUBERNETES_UNAVAILABLE)


def test_the_api_server_may_be_away_without_anybody_having_to_act() -> None:
    """What passes by itself is nobody's task."""
    assert {each.who for each in KUBERNETES_CAUSES.causes} == {Actor.OPERATOR, Actor.NOBODY}
