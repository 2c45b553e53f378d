"""Which of several replicas acts: what a Lease says, and what a replica may make of it.

Nobody's wall clock is compared with another's: a replica trusts only how long it has itself seen a Lease unchanged.
"""

from dataclasses import dataclass
from datetime import timedelta

_GIVE_UP_SHARE = 2 / 3
"""A leader acts for this part of the lease since it last began to renew it, and not a moment longer."""
_TAKE_OVER_SHARE = 0.9
"""Another takes over when it has seen the lease unchanged for this part of it. The rest is for noticing, so that a
leader that is gone is replaced within one lease; what lies between the two shares is the margin of safety."""
_RENEWALS = 7.5
"""So many renewals fit into a lease: every 2 s of 15."""
_LOOKS = 15
"""So many looks of those that wait: every second of 15."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """A Lease as the API server told it."""

    uid: str
    version: str
    """Its resourceVersion: opaque, and another one after each renewal."""
    holder: str
    """Empty where the last one gave it up."""
    duration: timedelta
    transitions: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class LeaseTimings:
    """How long a lease holds for whom, by its duration."""

    duration: timedelta

    @property
    def renew_deadline(self) -> float:
        """Seconds that a leader may act since it began the renewal that succeeded last."""
        return self.duration.total_seconds() * _GIVE_UP_SHARE

    @property
    def renew_interval(self) -> float:
        """Seconds between two renewals."""
        return self.duration.total_seconds() / _RENEWALS

    @property
    def retry_period(self) -> float:
        """Seconds between two looks of a replica that waits, or two tries of one that could not renew."""
        return self.duration.total_seconds() / _LOOKS

    @property
    def request_timeout(self) -> float:
        """Seconds that one request may take."""
        return self.duration.total_seconds() / 3


@dataclass(frozen=True, kw_only=True, slots=True)
class LeaseObservation:
    """A Lease, and since when (seconds of the replica's own clock) it has been seen just like that."""

    lease: Lease
    since: float

    def followed_by(self, lease: Lease, now: float) -> "LeaseObservation":
        """Take note of another look."""
        return self if lease.version == self.lease.version else LeaseObservation(lease=lease, since=now)

    def free_at(self, me: str) -> float:
        """Tell from when on this replica may take it: at once where it was given up, or was its own all along.

        What counts is the duration that the holder has written down, not one's own.
        """
        if self.lease.holder in {"", me}:
            return self.since
        return self.since + self.lease.duration.total_seconds() * _TAKE_OVER_SHARE
