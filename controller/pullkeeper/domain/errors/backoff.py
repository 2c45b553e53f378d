"""How long to wait after a failure: exponential backoff with full jitter."""

from datetime import timedelta

FIRST_RETRY = timedelta(seconds=1)
LONGEST_RETRY = timedelta(minutes=1)
FIRST_DENIED_RETRY = timedelta(seconds=30)
DENIED_RETRY = timedelta(minutes=5)
"""A denial is mended by people, so it is tried again at their pace: soon, for whoever is at it, then slowly."""
_LEFT_SHARE = 10
"""No wait after a failure is longer than this part (a tenth) of the life that is left."""


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
