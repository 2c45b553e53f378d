"""Runs shared by the tests; the records of the long ones are cached, because tests only read them."""

import random
from dataclasses import replace
from datetime import timedelta
from functools import cache

from pullkeeper.domain.config.settings import Settings
from testsupport.simulation.faults import EXTREME, FREQUENT, Faults, draw_faults
from testsupport.simulation.record import Record
from testsupport.simulation.script import HOSTS, REGIONS, Action, opt_in, season
from testsupport.simulation.world import Restart, Run, simulate
from testsupport.virtual_time import DAY, HOUR, MINUTE

SEEDS = (1, 2, 3)
IRELAND, FRANKFURT, PUBLIC = HOSTS[0], HOSTS[1], HOSTS[-1]
HALF_A_YEAR = 182 * DAY
NEW_AT = 8 * HOUR + 2
"""When the first new namespace of `overdue` opts in, in seconds."""

QUIET = Settings(relist_interval=timedelta(hours=6))
"""Settings for runs in which a relist finds nothing."""
_SEASON = 12 * DAY
_PAUSES = (0.0, 1.0, MINUTE, HOUR / 2)


def faulty_season(seed: int) -> Run:
    """Return twelve days of 20 namespaces with every kind of fault, and three hours without at the end."""
    rng = random.Random(seed)
    faults = draw_faults(rng, until=_SEASON, regions=REGIONS)
    restarts = [Restart(at=rng.uniform(0, _SEASON), gap=rng.choice(_PAUSES)) for _ in range(8)]
    return replace(faultless_season(seed), faults=faults, restarts=restarts)


def faultless_season(seed: int) -> Run:
    """Return the same actions of users without any fault."""
    actions = season(random.Random(seed), namespaces=20, until=_SEASON)
    return Run(seed=seed, end=_SEASON + 3 * HOUR, actions=actions)


def wild_days(seed: int) -> Run:
    """Return four days with an action every eight hours, 24 restarts, and varied lifetimes, latencies and slots."""
    rng, end = random.Random(seed), 4 * DAY
    faults = draw_faults(rng, until=end, regions=REGIONS)
    faults.life = rng.choice((20 * MINUTE, 2 * HOUR, 12 * HOUR))
    faults.latency = rng.choice((0.03, 0.5, 3.0))
    faults.rates = rng.choice((FREQUENT, EXTREME))
    actions = season(rng, namespaces=12, until=end, every=8 * HOUR)
    restarts = [Restart(at=rng.uniform(0, end), gap=rng.choice(_PAUSES)) for _ in range(24)]
    settings = Settings(max_concurrent_reconciles=rng.choice((2, 16)))
    return Run(seed=seed, end=end + 3 * HOUR, actions=actions, faults=faults, restarts=restarts, settings=settings)


@cache
def faulty(seed: int) -> Record:
    """Return the record of `faulty_season`."""
    return simulate(faulty_season(seed))


@cache
def two_at_once(seed: int) -> Record:
    """Return the record of `faulty_season` with two active controllers all along."""
    return simulate(replace(faulty_season(seed), at_once=2))


@cache
def faultless(seed: int) -> Record:
    """Return the record of `faultless_season`."""
    return simulate(faultless_season(seed))


def team(number: int) -> str:
    """Return the name of a namespace."""
    return f"team-{number}"


def opted_in(count: int, *hosts: str, at: float = 0.0, apart: float = 0.01) -> list[Action]:
    """Opt `count` namespaces in, `apart` seconds after each other."""
    return [opt_in(at + number * apart, team(number), *(hosts or (IRELAND,))) for number in range(count)]


def quiet(
    actions: list[Action], end: float, *, seed: int = 1, settings: Settings = QUIET, life: float = 12 * HOUR
) -> Run:
    """Return a run without faults."""
    return Run(seed=seed, end=end, actions=actions, settings=settings, faults=Faults(life=life))


def overdue() -> Run:
    """Return a run of 1,500 overdue rotations, and nine namespaces that opt in while the controller catches up."""
    actions = opted_in(1500, apart=0.001)
    actions += [opt_in(NEW_AT + number / 3, f"new-{number}", IRELAND) for number in range(9)]
    away = Restart(at=HOUR, gap=7 * HOUR)
    faults = Faults(latency=0.2)
    return Run(seed=1, end=8.1 * HOUR, actions=actions, restarts=[away], faults=faults)


@cache
def overtaken() -> Record:
    """Return the record of `overdue`."""
    return simulate(overdue())


def first_waits(record: Record) -> list[float]:
    """Return how long each of the nine new namespaces waited for its Secret, in seconds."""
    return [record.secrets[f"new-{number}"][0].at - NEW_AT - number / 3 for number in range(9)]


@cache
def half_a_year() -> Record:
    """Return the record of 8 namespaces, with one to four registries each, over half a year without faults."""
    rng = random.Random(7)
    actions = [opt_in(rng.uniform(0, DAY), team(each), *rng.sample(HOSTS, rng.randint(1, 4))) for each in range(8)]
    return simulate(quiet(sorted(actions, key=lambda act: act.at), HALF_A_YEAR))
