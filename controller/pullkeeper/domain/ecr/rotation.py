"""The refresh rule: when a token is to be replaced."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from pullkeeper.domain.ecr.credential import TokenValidity

_SPREAD_SHARE = 4
"""Spreading takes at most this part (a quarter) of what is left of a token's life when it becomes due."""

_EARLY_SHARE = 20
"""A token is given out until this part (a twentieth) of the time to its rotation is left."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rotation:
    """The refresh rule: when, over how long a window, and never later than what age."""

    fraction: float = 0.5
    jitter: timedelta = timedelta(minutes=10)
    max_token_age: timedelta = timedelta(hours=6)

    def refresh_at(self, times: TokenValidity) -> datetime:
        """Tell from when on a token is to be replaced."""
        life = times.expires_at - times.issued_at
        return times.issued_at + min(life * self.fraction, self.max_token_age)

    def usable_until(self, times: TokenValidity) -> datetime:
        """Tell until when a token is given out: to shortly before it is due.

        So a Secret of several regions, whose tokens were fetched one after the other, gets all of them in one write.
        """
        due = self.refresh_at(times)
        return due - (due - times.issued_at) / _EARLY_SHARE

    def refresh_at_for(self, namespace: str, times: TokenValidity) -> datetime:
        """Tell when this namespace's turn is: due, moved within the window by a hash of its name.

        The same at every call, so that asking twice draws nothing anew, and always before the token dies.
        """
        due = self.refresh_at(times)
        window = min(self.jitter, max(times.expires_at - due, timedelta()) / _SPREAD_SHARE)
        return due + window * _share(namespace)


def _share(name: str) -> float:
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
