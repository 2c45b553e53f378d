"""Timings of leader election."""

from dataclasses import replace
from datetime import timedelta

import pytest

from pullkeeper.domain.kube.lease import Lease, LeaseObservation, LeaseTimings

ME, OTHER = "one_1", "two_2"
LEASE = Lease(uid="u", version="7", holder=OTHER, duration=timedelta(seconds=20))


@pytest.mark.parametrize("seconds", [3, 15, 300])
def test_a_leader_stops_before_another_replica_acquires_the_lease(seconds: int) -> None:
    """With a safety margin, and within one lease duration."""
    terms = LeaseTimings(duration=timedelta(seconds=seconds))
    lease = replace(LEASE, duration=terms.duration)
    taken_after = LeaseObservation(lease=lease, since=0).free_at(ME)
    assert terms.renew_deadline < taken_after - 0.2 * seconds
    assert taken_after + terms.retry_period <= seconds
    assert terms.request_timeout == seconds / 3
    assert terms.renew_interval + terms.request_timeout < terms.renew_deadline


@pytest.mark.parametrize(("holder", "wait"), [(OTHER, 18), ("", 0), (ME, 0)])
def test_when_a_lease_is_free(holder: str, wait: float) -> None:
    """At once if it was released or is the replica's own, else after the duration written by its holder."""
    assert LeaseObservation(lease=replace(LEASE, holder=holder), since=100).free_at(ME) == 100 + wait


def test_only_a_renewal_restarts_the_observation() -> None:
    """Reading the same version again does not."""
    seen = LeaseObservation(lease=LEASE, since=100)
    assert seen.followed_by(LEASE, 110).since == 100
    renewed = replace(LEASE, version="8")
    assert seen.followed_by(renewed, 110) == LeaseObservation(lease=renewed, since=110)
