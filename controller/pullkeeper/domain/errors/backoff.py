"""Retry delays: exponential backoff with full jitter."""

from datetime import timedelta

FIRST_RETRY = timedelta(seconds=1)
LONGEST_RETRY = timedelta(minutes=1)
FIRST_ACTION_RETRY = timedelta(seconds=30)
LONGEST_ACTION_RETRY = timedelta(minutes=5)
"""Delays while somebody has to act: short for whoever is working on it, longer from then on."""
QUICK_RETRIES = 3
QUICK_RETRY = timedelta(seconds=1)
"""Before those, what may pass by itself is retried so many times, after one to three of these."""
_LEFT_SHARE = 10
"""No delay exceeds this part (a tenth) of the lifetime that is left."""


def retry_delay(
    attempt: int,
    draw: float,
    *,
    requires_action: bool = False,
    may_pass: bool = False,
    left: timedelta | None = None,
) -> timedelta:
    """Return the delay before the next attempt.

    `attempt` is the number of failures so far, from 1. `draw` is a uniformly distributed random number from [0, 1),
    which the caller draws because the domain has no randomness; it scales the delay (full jitter). With
    `requires_action` delays are longer and only their last tenth is random; if the failure `may_pass` all the same,
    the first few are short. `left` is the remaining lifetime of what is to be replaced: the less is left, the shorter
    the delay.
    """
    if requires_action and may_pass and attempt <= QUICK_RETRIES:
        delay = QUICK_RETRY * (1 + 2 * draw)
    elif requires_action:
        slow = attempt - QUICK_RETRIES if may_pass else attempt
        delay = min(FIRST_ACTION_RETRY * 2.0 ** min(slow - 1, 16), LONGEST_ACTION_RETRY) * (0.9 + 0.1 * draw)
    else:
        delay = min(FIRST_RETRY * 2.0 ** min(attempt, 16), LONGEST_RETRY) * draw
    if left is not None:
        delay = min(delay, left / _LEFT_SHARE)
    return max(delay, FIRST_RETRY / 4)
