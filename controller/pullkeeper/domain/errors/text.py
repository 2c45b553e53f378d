"""Text from outside, made safe to show: nothing invisible, and of limited length."""

import re
from collections.abc import Iterable
from itertools import islice

_LISTED = 10
_LONG_RUN = re.compile(r"[A-Za-z0-9+/=_.-]{20,}")
_LONGEST_WORD = 40
_ACCESS_KEY = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}")
_ASSIGNED = re.compile(
    r"""((?:secret|passw|token|credential|key)[\w-]*(?:\s*=\s*|\\?["']\s*:\s*)\\?["']?)[^\s"'\\,;&}]+""", re.IGNORECASE
)
_LOGIN = re.compile(r"(?<=://)[^/\s@]+(?=@)")


def printable(text: str, limit: int | None = None) -> str:
    """Escape what is not printable, such as control and bidirectional characters, and shorten the text to `limit`.

    The result has one line, and no terminal takes anything in it for a command.
    """
    shown = text if limit is None else text[: limit + 1]
    if not shown.isprintable():
        shown = "".join(each if each.isprintable() else _escaped(each) for each in shown)
    return shown if limit is None else shortened(shown, limit)


def shortened(text: str, limit: int) -> str:
    """Return a text of at most `limit` characters, which ends with an ellipsis where something is missing."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def listed(items: Iterable[object], *, most: int = _LISTED, separator: str = ", ") -> str:
    """Return the first few items and the number of the others."""
    given = list(items)
    rest = len(given) - most
    shown = separator.join(str(each) for each in islice(given, most))
    return f"{shown} and {rest:,} more" if rest > 0 else shown


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def without_secrets(text: str) -> str:
    """Return a text with an ellipsis for each run of characters that might be a key, a token or a password.

    For words of others that say what is wrong and could quote what must not be shown. What looks like a word stays,
    unless it is the value of what is called a secret, or a login in a URL.
    """
    shown = _LONG_RUN.sub(_hidden, _LOGIN.sub("…", text))
    return _ACCESS_KEY.sub("…", _ASSIGNED.sub(r"\1…", shown))


def _hidden(run: re.Match[str]) -> str:
    is_word = len(run[0]) <= _LONGEST_WORD and not any(each.isdigit() for each in run[0])
    return run[0] if is_word else "…"
