"""How long a lease holds for whom."""

from dataclasses import replace
from datetime import timedelta

import pytest

from controller.core.leadership import Lease, Sighting, Terms

ME, OTHER = "one_1", "two_2"
LEASE = Lease(uid="u", version="7", holder=OTHER, duration=timedelta(seconds=20))


@pytest.mark.parametrize("seconds", [3, 15, 300])
def test_a_leader_gives_up_before_another_takes_over(seconds: int) -> None:
    """What lies in between is the margin; and after its last renewal it is replaced within the lease."""
    terms = Terms(duration=timedelta(seconds=seconds))
    lease = replace(LEASE, duration=terms.duration)
    taken_after = Sighting(lease=lease, since=0).free_at(ME)
    assert terms.give_up_after < taken_after - 0.2 * seconds
    assert taken_after + terms.look_every <= seconds
    assert terms.renew_every + terms.patience < terms.give_up_after


@pytest.mark.parametrize(("holder", "wait"), [(OTHER, 18), ("", 0), (ME, 0)])
def test_from_when_on_a_lease_is_free(holder: str, wait: float) -> None:
    """At once where it was given up or was one's own, else by the duration that its holder wrote down."""
    assert Sighting(lease=replace(LEASE, holder=holder), since=100).free_at(ME) == 100 + wait


def test_a_renewal_begins_the_time_anew_and_another_look_does_not() -> None:
    """What counts is since when it has been seen unchanged."""
    seen = Sighting(lease=LEASE, since=100)
    assert seen.followed_by(LEASE, 110).since == 100
    renewed = replace(LEASE, version="8")
    assert seen.followed_by(renewed, 110) == Sighting(lease=renewed, since=110)
