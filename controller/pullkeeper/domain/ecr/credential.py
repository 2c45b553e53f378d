"""ECR authorization tokens, whose content never appears in a repr, a log line or a traceback."""

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

_USER: Final = b"AWS:"


class Password:
    """A secret text that only `reveal` returns."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text, for the Secret that is written and for the registry probe only."""
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Password) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "Password(***)"

    def __reduce__(self) -> str:
        raise TypeError("a Password must not be pickled or copied")


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenValidity:
    """When a token was issued and when it expires, in UTC."""

    issued_at: datetime
    expires_at: datetime


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNKNOWN_VALIDITY = TokenValidity(issued_at=_EPOCH, expires_at=_EPOCH)
"""Validity of a token of unknown age: it is rotated at once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Token(TokenValidity):
    """An authorization token; `auth` is base64 of `AWS:<password>`, as ECR returns it and the kubelet reads it."""

    auth: Password
    principal: str = ""
    """The principal that it was issued to, where that is known and the identity's name does not say it."""

    @property
    def validity(self) -> TokenValidity:
        """The validity without the password."""
        return TokenValidity(issued_at=self.issued_at, expires_at=self.expires_at)


def is_authorization(text: str) -> bool:
    """Whether a text is base64 of `AWS:<password>`; the kubelet fails every pull over one entry that is not."""
    try:
        plain = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return plain.startswith(_USER) and len(plain) > len(_USER)
