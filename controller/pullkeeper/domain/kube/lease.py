"""Leader election by a Lease: timings, and when a replica may acquire it.

Clocks of different replicas are never compared: a replica trusts only how long it has itself observed a Lease without
a change.
"""

from dataclasses import dataclass
from datetime import timedelta

_RENEW_DEADLINE_SHARE = 2 / 3
"""A leader stops acting this part of the lease duration after the start of its last successful renewal."""
_ACQUIRE_SHARE = 0.9
"""Another replica acquires a lease that it has observed unchanged for this part of the duration.

The remaining tenth is for noticing, so that a lost leader is replaced within one lease duration. The difference between
the two shares is the safety margin.
"""
_RENEWALS = 7.5
"""Renewals per lease duration: every 2 s of 15."""
_RETRIES = 15
"""Attempts of waiting replicas per lease duration: every second of 15."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """A Lease as returned by the API server."""

    uid: str
    version: str
    """Its resourceVersion: opaque, and different after each renewal."""
    holder: str
    """Identity of the holder; empty if the last one released it."""
    duration: timedelta
    transitions: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class LeaseTimings:
    """Timings of leader election, derived from the lease duration; all in seconds."""

    duration: timedelta

    @property
    def renew_deadline(self) -> float:
        """How long a leader may act after the start of its last successful renewal."""
        return self.duration.total_seconds() * _RENEW_DEADLINE_SHARE

    @property
    def renew_interval(self) -> float:
        """Time between two renewals."""
        return self.duration.total_seconds() / _RENEWALS

    @property
    def retry_period(self) -> float:
        """Time between two attempts of a replica to acquire the lease, or to renew it after a failure."""
        return self.duration.total_seconds() / _RETRIES

    @property
    def request_timeout(self) -> float:
        """Timeout of one request."""
        return self.duration.total_seconds() / 3


@dataclass(frozen=True, kw_only=True, slots=True)
class LeaseObservation:
    """A Lease, and since when it has been observed unchanged, in seconds of the replica's own clock."""

    lease: Lease
    since: float

    def followed_by(self, lease: Lease, now: float) -> "LeaseObservation":
        """Return the observation after reading the Lease again."""
        return self if lease.version == self.lease.version else LeaseObservation(lease=lease, since=now)

    def free_at(self, holder_id: str) -> float:
        """Return when this replica may acquire it: at once if it was released or is its own.

        The duration is the one that the holder has written, not the replica's own.
        """
        if self.lease.holder in {"", holder_id}:
            return self.since
        return self.since + self.lease.duration.total_seconds() * _ACQUIRE_SHARE
