"""An ECR authorization token, whose content no repr, no log line and no traceback can show."""

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from typing import Final

_USER: Final = b"AWS:"


class Password:
    """A secret text that only `reveal` gives away."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Give the text itself: only for the Secret that is about to be written, or the registry's probe."""
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Password) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "Password(***)"

    def __reduce__(self) -> str:
        raise TypeError("a Password is not to be pickled or copied out of the process")


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenValidity:
    """When a token was issued and when it dies (UTC)."""

    issued_at: datetime
    expires_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Token(TokenValidity):
    """One authorization token; `auth` is base64 of `AWS:<password>`, as ECR gives it and as the kubelet takes it."""

    auth: Password

    @property
    def validity(self) -> TokenValidity:
        """Tell the times without the password."""
        return TokenValidity(issued_at=self.issued_at, expires_at=self.expires_at)


def is_authorization(text: str) -> bool:
    """Whether the text is base64 of `AWS:<password>`; one entry that is not fails every pull of a pod."""
    try:
        plain = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return plain.startswith(_USER) and len(plain) > len(_USER)
