"""Installations that share the name of their pull Secrets, as far as the Secrets tell."""

from collections.abc import Iterable
from itertools import combinations

from pullkeeper.domain.errors.text import listed
from pullkeeper.domain.secret.observed_secret import ObservedSecret

_LEAST_SHARE = 10
"""An installation counts if it wrote this part (a tenth) of the Secrets: a tenant can forge its own."""


def rivals(secrets: Iterable[ObservedSecret]) -> tuple[str, ...]:
    """Return that several installations write the Secrets in turn, if they do; otherwise nothing.

    One that has taken over from another wrote everything later than that one, and is no rival.
    """
    times: dict[str, list[str]] = {}
    managed = [secret for secret in secrets if secret.managed]
    for secret in managed:
        if secret.written_by and secret.written_at:
            times.setdefault(secret.written_by, []).append(secret.written_at)
    periods = sorted((min(at), max(at), by) for by, at in times.items() if len(at) * _LEAST_SHARE >= len(managed))
    alternating = [(one[2], other[2]) for one, other in combinations(periods, 2) if other[0] < one[1]]
    if not alternating:
        return ()
    names = sorted({name for pair in alternating for name in pair})
    counts = listed(f"{name} ({len(times[name]):,})" for name in names)
    return (f"several installations write them in turn, as the Secrets say: {counts}",)
