"""Text from outside, before it is shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullkeeper.domain.errors.text import listed, printable, shortened, without_secrets


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("allow it — für alle", "allow it — für alle"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("für\n", "für\\n"),
        ("\x1b[2J\x9b1m\x00", "\\x1b[2J\\x9b1m\\x00"),
        ("\u202egpj.exe\u2066", "\\u202egpj.exe\\u2066"),
        ("zero\u200bwidth\ufeff\u2028", "zero\\u200bwidth\\ufeff\\u2028"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_is_not_printable_is_escaped(text: str, shown: str) -> None:
    """Newlines, commands of terminals, bidirectional and invisible characters; letters stay."""
    assert printable(text) == shown


@given(st.text(max_size=50), st.integers(min_value=1, max_value=40))
def test_shown_text_is_printable_and_within_its_limit(text: str, limit: int) -> None:
    """Also where an escape makes it longer; only what is cut ends with an ellipsis."""
    shown = printable(text, limit)
    assert shown.isprintable()
    assert len(shown) <= limit
    assert shown == printable(text) or shown.endswith("…")


def test_shortened_text_has_the_length_of_the_limit() -> None:
    """Text that fits is left alone."""
    assert shortened("abcd", 4) == "abcd"
    assert shortened("abcde", 4) == "abc…"


@pytest.mark.parametrize(
    ("items", "shown"),
    [([], ""), ([1], "1"), ([1, 2], "1, 2"), ([1, 2, 3], "1, 2 and 1 more"), (range(2002), "0, 1 and 2,000 more")],
)
def test_a_long_list_ends_with_the_number_of_what_is_left_out(items: list[int], shown: str) -> None:
    """A list has a limit, too."""
    assert listed(items, most=2) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "EKS does not have permissions (AccessDeniedException)",
            "EKS does not have permissions (AccessDeniedException)",
        ),
        ("key AKIAIOSFODNN7EXAMPLE and", "key … and"),
        ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY.", "…"),
        ("token eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2ln", "token …"),
        ("x" * 41, "…"),
        ("x" * 40, "x" * 40),
        ("role 123456789012 of team-a", "role 123456789012 of team-a"),
        ("key AKIAABCDEFGHIJKLMNOP and ASIAABCDEFGHIJKLMNOPQR", "key … and …"),
        (
            '{"Version":1,"SecretAccessKey":"short","Expiration":"x"}',
            '{"Version":1,"SecretAccessKey":"…","Expiration":"x"}',
        ),
        (r"said {\"SessionToken\": \"short\"}", r"said {\"SessionToken\": \"…\"}"),
        ("aws_secret_access_key = short now", "aws_secret_access_key = … now"),
        ("AWS_SESSION_TOKEN=short PASSWORD='x y", "AWS_SESSION_TOKEN=… PASSWORD='… y"),
        ("invalid token: expired; key file missing", "invalid token: expired; key file missing"),
        ("proxy http://me:pass@proxy:3128/ refused", "proxy http://…@proxy:3128/ refused"),
    ],
)
def test_what_may_be_a_key_is_left_out(text: str, shown: str) -> None:
    """Words, numbers of accounts and names of errors stay."""
    assert without_secrets(text) == shown
