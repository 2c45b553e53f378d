"""When a token is rotated."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from pullkeeper.domain.ecr.credential import UNKNOWN_VALIDITY, TokenValidity

_JITTER_DIVISOR = 4
"""Jitter takes at most this part (a quarter) of the time between rotation and expiry."""

_EARLY_DIVISOR = 20
"""A token is used until this part (a twentieth) of the time to its rotation is left."""

LONGEST_LIFE = timedelta(hours=12)
"""How long ECR's tokens live (ECR API reference, GetAuthorizationToken)."""
_LIFE_SLACK = timedelta(hours=1)
_CLOCK_SLACK = timedelta(minutes=5)
"""How far the clocks of two nodes may differ."""


def is_plausible(validity: TokenValidity, *, now: datetime | None = None) -> bool:
    """Whether these times can be true: a life of at most 12 hours and, with `now`, an issue that is not in the future.

    Others were forged, or written by a wrong clock, and would keep a token from being replaced.
    """
    if validity == UNKNOWN_VALIDITY:
        return True
    life = validity.expires_at - validity.issued_at
    if not timedelta() < life <= LONGEST_LIFE + _LIFE_SLACK:
        return False
    return now is None or validity.issued_at <= now + _CLOCK_SLACK


@dataclass(frozen=True, kw_only=True, slots=True)
class Rotation:
    """Rotate a token after a fraction of its life or at a maximum age, whichever comes first, plus jitter."""

    fraction: float = 0.5
    jitter: timedelta = timedelta(minutes=10)
    max_token_age: timedelta = timedelta(hours=6)

    def refresh_at(self, validity: TokenValidity) -> datetime:
        """Return when a token becomes due for rotation, without jitter."""
        life = validity.expires_at - validity.issued_at
        return validity.issued_at + min(life * self.fraction, self.max_token_age)

    def usable_until(self, validity: TokenValidity) -> datetime:
        """Return until when a cached token is used: shortly before it becomes due.

        A Secret whose tokens were fetched one after the other thus gets new tokens for all regions in one write.
        """
        refresh_at = self.refresh_at(validity)
        return refresh_at - (refresh_at - validity.issued_at) / _EARLY_DIVISOR

    def refresh_at_for(self, namespace: str, validity: TokenValidity) -> datetime:
        """Return when a namespace rotates a token: `refresh_at` plus jitter derived from a hash of its name.

        The result is the same for every call, and always before the token expires.
        """
        refresh_at = self.refresh_at(validity)
        window = min(self.jitter, max(validity.expires_at - refresh_at, timedelta()) / _JITTER_DIVISOR)
        return refresh_at + window * _hash_fraction(namespace)

    def urgent_since(self, validity: TokenValidity, now: datetime) -> datetime | None:
        """Return since when it has been urgent to replace a token, None if it is not yet.

        It is when a quarter of the time between its rotation and its expiry is left, and once more when it expires.
        """
        left = max(validity.expires_at - self.refresh_at(validity), timedelta())
        moments = (validity.expires_at, validity.expires_at - left / _JITTER_DIVISOR)
        return next((at for at in moments if at <= now), None)

    def spread(self, namespace: str, start: datetime) -> datetime:
        """Return when a namespace does what all of them have to do from `start` on: within the jitter."""
        return start + self.jitter * _hash_fraction(namespace)


def _hash_fraction(name: str) -> float:
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
