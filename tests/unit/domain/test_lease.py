"""How long a lease holds for whom."""

from dataclasses import replace
from datetime import timedelta

import pytest

from pullkeeper.domain.kube.lease import Lease, LeaseObservation, LeaseTimings

ME, OTHER = "one_1", "two_2"
LEASE = Lease(uid="u", version="7", holder=OTHER, duration=timedelta(seconds=20))


@pytest.mark.parametrize("seconds", [3, 15, 300])
def test_a_leader_gives_up_before_another_takes_over(seconds: int) -> None:
    """What lies in between is the margin; and after its last renewal it is replaced within the lease."""
    terms = LeaseTimings(duration=timedelta(seconds=seconds))
    lease = replace(LEASE, duration=terms.duration)
    taken_after = LeaseObservation(lease=lease, since=0).free_at(ME)
    assert terms.renew_deadline < taken_after - 0.2 * seconds
    assert taken_after + terms.retry_period <= seconds
    assert terms.renew_interval + terms.request_timeout < terms.renew_deadline


@pytest.mark.parametrize(("holder", "wait"), [(OTHER, 18), ("", 0), (ME, 0)])
def test_from_when_on_a_lease_is_free(holder: str, wait: float) -> None:
    """At once where it was given up or was one's own, else by the duration that its holder wrote down."""
    assert LeaseObservation(lease=replace(LEASE, holder=holder), since=100).free_at(ME) == 100 + wait


def test_a_renewal_begins_the_time_anew_and_another_look_does_not() -> None:
    """What counts is since when it has been seen unchanged."""
    seen = LeaseObservation(lease=LEASE, since=100)
    assert seen.followed_by(LEASE, 110).since == 100
    renewed = replace(LEASE, version="8")
    assert seen.followed_by(renewed, 110) == LeaseObservation(lease=renewed, since=110)
