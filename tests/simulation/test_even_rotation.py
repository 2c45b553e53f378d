"""How evenly a rotation of 5,000 namespaces is spread: its rate of writes is what the API server has to bear."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import cache
from itertools import pairwise

import pytest

from pullkeeper.domain.ecr.rotation import Rotation
from testsupport.simulation.record import CONTROLLER, Record
from testsupport.simulation.scenarios import QUIET, opted_in
from testsupport.simulation.world import Restart, Run, simulate
from testsupport.virtual_time import HOUR, MINUTE

NAMESPACES = 5_000
JITTER = 10 * MINUTE
EVEN = NAMESPACES / JITTER
"""Writes a second."""
SPAN = 10.0
"""Seconds over which a rate is taken."""
DUE = 6 * HOUR


def run(*, jitter: float = JITTER, away: float = 0.0) -> Record:
    """Opt all in at once, and let half of a token's life pass; `away` seconds of it and after it without controller."""
    rotation = Rotation(jitter=timedelta(seconds=jitter))
    settings = replace(QUIET, rotation=rotation, relist_interval=timedelta(hours=12))
    restarts = [Restart(at=HOUR, gap=away)] if away else []
    end = max(DUE, HOUR + away) + 2 * JITTER
    actions = opted_in(NAMESPACES, apart=0.001)
    return simulate(Run(seed=1, end=end, actions=actions, settings=settings, restarts=restarts))


@cache
def ordinary() -> Record:
    """Return the record of a rotation without any fault."""
    return run()


def rotations(record: Record) -> list[float]:
    """Return when each Secret got its second token."""
    written = (secret for secrets in record.secrets.values() for secret in secrets[1:])
    return sorted(secret.at for secret in written if secret.writer == CONTROLLER)


def highest_rate(moments: Sequence[float]) -> float:
    """Return the most writes a second over any SPAN."""
    most = first = 0
    for last, moment in enumerate(moments):
        while moment - moments[first] > SPAN:
            first += 1
        most = max(most, last - first + 1)
    return most / SPAN


def test_an_ordinary_rotation_is_never_faster_than_twice_the_even_rate() -> None:
    """Over any ten seconds, and it is done within the jitter: one write for each Secret, with one token."""
    moments = rotations(ordinary())
    assert len(moments) == NAMESPACES
    assert highest_rate(moments) < 2 * EVEN
    assert moments[0] >= DUE
    assert moments[-1] < DUE + JITTER + SPAN
    assert len(ordinary().aws_calls) == 2


def test_a_rotation_leaves_no_gaps() -> None:
    """What waited would come at once afterwards."""
    moments = rotations(ordinary())
    assert max(later - earlier for earlier, later in pairwise(moments)) < SPAN


def test_without_spreading_the_rate_would_be_far_higher() -> None:
    """So the figures above are of the spreading, and not of how fast anything is."""
    assert highest_rate(rotations(run(jitter=0.0))) > 10 * EVEN


@pytest.mark.slow
def test_when_life_is_running_out_the_spreading_stops() -> None:
    """The controller is away until half an hour before the tokens expire: all Secrets are written at full speed."""
    moments = rotations(run(away=10.5 * HOUR))
    assert len(moments) == NAMESPACES
    assert highest_rate(moments) > 10 * EVEN
    assert moments[-1] < 12 * HOUR
