"""Passwords of tokens are never shown, and only what the kubelet can decode is an authorization."""

import base64
import copy
import dataclasses
import io
import json
import logging
import pickle
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullkeeper.domain.ecr.credential import Password, is_authorization
from testsupport.examples import auth, times, token

HUSH = "hush-hush"


def raised_with(value: object) -> str:
    with pytest.raises(RuntimeError) as raised:
        raise RuntimeError("went wrong with", value)
    return "".join(traceback.TracebackException.from_exception(raised.value, capture_locals=True).format())


def logged(value: object) -> str:
    out = io.StringIO()
    logger = logging.getLogger("tests.unit.domain.credential")
    handler = logging.StreamHandler(out)
    logger.addHandler(handler)
    logger.warning("%s %r", value, value)
    logger.removeHandler(handler)
    return out.getvalue()


@pytest.mark.parametrize("value", [Password(HUSH), token(password=HUSH), [Password(HUSH)], {"x": Password(HUSH)}])
@pytest.mark.parametrize("show", [repr, str, "{}".format, "{!r:>200}".format, "%s".__mod__, raised_with, logged])
def test_no_text_shows_a_password(show: Callable[[object], str], value: object) -> None:
    """Neither repr, str, format, a traceback with its locals, nor a log line shows it."""
    shown = show((value,)) if show == "%s".__mod__ else show(value)
    assert HUSH not in shown
    assert auth(HUSH).reveal() not in shown
    assert "***" in shown


@pytest.mark.parametrize(
    "carry_off",
    [copy.copy, copy.deepcopy, json.dumps, lambda _: dataclasses.asdict(token(password=HUSH))]
    + [lambda value, protocol=protocol: pickle.dumps(value, protocol) for protocol in range(6)],
)
def test_password_cannot_be_copied(carry_off: Callable[[Any], Any]) -> None:
    """Copying, pickling and serialising fail without quoting the content."""
    with pytest.raises(TypeError) as raised:
        carry_off(Password(HUSH))
    assert HUSH not in str(raised.value)


def test_a_password_says_what_it_is_and_why_it_is_not_copied() -> None:
    """And nothing of its content."""
    assert repr(Password(HUSH)) == "Password(***)"
    with pytest.raises(TypeError, match=r"^a Password must not be pickled or copied$"):
        copy.copy(Password(HUSH))


def test_password_has_no_dict() -> None:
    """There is no __dict__ that a debugging tool could print."""
    assert not hasattr(Password(HUSH), "__dict__")


def test_reveal_returns_the_text() -> None:
    """Code that needs the text says so."""
    assert Password(HUSH).reveal() == HUSH


def test_passwords_are_equal_by_text() -> None:
    """Two passwords with the same text are equal, and none equals the text itself."""
    assert Password(HUSH) == Password(HUSH)
    assert hash(Password(HUSH)) == hash(Password(HUSH))
    assert Password(HUSH) != Password("other")
    assert hash(Password(HUSH)) != hash(Password("other"))
    assert Password(HUSH) != HUSH


def test_validity_has_no_password() -> None:
    """Only the validity of a token is kept once it is written."""
    assert token().validity == times()
    assert type(token().validity) is type(times())


@pytest.mark.parametrize(
    ("text", "sound"),
    [
        (base64.b64encode(b"AWS:secret").decode(), True),
        (base64.b64encode(b"AWS:with:colon").decode(), True),
        (base64.b64encode(b"AWS:").decode(), False),
        (base64.b64encode(b"aws:secret").decode(), False),
        (base64.b64encode(b"user:secret").decode(), False),
        (base64.b64encode(b"AWS").decode(), False),
        ("", False),
        ("AWS:secret", False),
        ("!!!!", False),
        ("QVdTOnNlY3JldA", False),
        (base64.b64encode(b"AWS:secret").decode() + "\n", False),
        (" " + base64.b64encode(b"AWS:secret").decode(), False),
        ("QVdTOnNlY3Jl٣A==", False),
    ],
)
def test_authorization_is_base64_of_user_and_password(text: str, *, sound: bool) -> None:
    """The kubelet cannot decode anything else."""
    assert is_authorization(text) is sound


@given(st.binary(min_size=1))
def test_every_password_gives_an_authorization(password: bytes) -> None:
    """The bytes of a password do not matter."""
    assert is_authorization(base64.b64encode(b"AWS:" + password).decode())


@given(st.text())
def test_any_text_can_be_checked(text: str) -> None:
    """What passes decodes to user and password."""
    if is_authorization(text):
        assert base64.b64decode(text, validate=True).startswith(b"AWS:")
