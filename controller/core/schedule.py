"""When a token is due, and how long to wait after a failure."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from controller.core.credential import TokenTimes

_SPREAD_SHARE = 4
"""Spreading takes at most this part (a quarter) of what is left of a token's life when it becomes due."""

_EARLY_SHARE = 20
"""A token is given out until this part (a twentieth) of the time to its rotation is left."""

FIRST_RETRY = timedelta(seconds=1)
LONGEST_RETRY = timedelta(minutes=1)
FIRST_DENIED_RETRY = timedelta(seconds=30)
DENIED_RETRY = timedelta(minutes=5)
"""A denial is mended by people, so it is tried again at their pace: soon, for whoever is at it, then slowly."""
_LEFT_SHARE = 10
"""No wait after a failure is longer than this part (a tenth) of the life that is left."""


class Lane(StrEnum):
    """The two lanes of the work; the first one is always served first and has a slot of its own."""

    FIRST = "first"
    ROTATION = "rotation"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rotation:
    """The refresh rule: when, over how long a window, and never later than what age."""

    fraction: float = 0.5
    window: timedelta = timedelta(minutes=10)
    max_age: timedelta = timedelta(hours=6)

    def due(self, times: TokenTimes) -> datetime:
        """Tell from when on a token is to be replaced."""
        life = times.expires_at - times.issued_at
        return times.issued_at + min(life * self.fraction, self.max_age)

    def serves_until(self, times: TokenTimes) -> datetime:
        """Tell until when a token is given out: to shortly before it is due.

        So a Secret of several regions, whose tokens were fetched one after the other, gets all of them in one write.
        """
        due = self.due(times)
        return due - (due - times.issued_at) / _EARLY_SHARE

    def due_in(self, namespace: str, times: TokenTimes) -> datetime:
        """Tell when this namespace's turn is: due, moved within the window by a hash of its name.

        The same at every call, so that asking twice draws nothing anew, and always before the token dies.
        """
        due = self.due(times)
        window = min(self.window, max(times.expires_at - due, timedelta()) / _SPREAD_SHARE)
        return due + window * _share(namespace)


def _share(name: str) -> float:
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def retry_delay(attempt: int, draw: float, *, denied: bool = False, left: timedelta | None = None) -> timedelta:
    """Give the wait before the next try: exponential with full jitter, `draw` being from [0, 1).

    `attempt` counts the failures, from 1. `left` is the life that is left of what is to be replaced: the less
    of it, the shorter the wait. A denial waits longer from the start, with a tenth of jitter.
    """
    if denied:
        wait = min(FIRST_DENIED_RETRY * 2.0 ** min(attempt - 1, 16), DENIED_RETRY) * (0.9 + 0.1 * draw)
    else:
        wait = min(FIRST_RETRY * 2.0 ** min(attempt, 16), LONGEST_RETRY) * draw
    if left is not None:
        wait = min(wait, left / _LEFT_SHARE)
    return max(wait, FIRST_RETRY / 4)
