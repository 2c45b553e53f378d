"""The runs that the tests look at; the long ones are made once and shared, for they are only read."""

import random
from dataclasses import replace
from datetime import timedelta
from functools import cache

from pullkeeper.domain.config.settings import Settings
from testsupport.simulation.record import Record
from testsupport.simulation.script import HOSTS, REGIONS, Act, asking, season
from testsupport.simulation.weather import STORMY, WILD, Weather, storm
from testsupport.simulation.world import Restart, Run, simulate
from testsupport.virtual_time import DAY, HOUR, MINUTE

SEEDS = (1, 2, 3)
IRELAND, FRANKFURT, PUBLIC = HOSTS[0], HOSTS[1], HOSTS[-1]
HALF_A_YEAR = 182 * DAY
NEW_AT = 8 * HOUR + 2
"""When the first of the new namespaces of `overdue` opts in."""

QUIET = Settings(relist_interval=timedelta(hours=6))
"""For runs in which a relist finds nothing."""
_SEASON = 12 * DAY
_PAUSES = (0.0, 1.0, MINUTE, HOUR / 2)


def stormy_season(seed: int) -> Run:
    """Twelve days of 20 namespaces, with everything that can go wrong, and three quiet hours at the end."""
    chance = random.Random(seed)
    weather = storm(chance, until=_SEASON, regions=REGIONS)
    restarts = [Restart(at=chance.uniform(0, _SEASON), gap=chance.choice(_PAUSES)) for _ in range(8)]
    return replace(fair_season(seed), weather=weather, restarts=restarts)


def fair_season(seed: int) -> Run:
    """The same acts of the same people, and nothing goes wrong."""
    acts = season(random.Random(seed), namespaces=20, until=_SEASON)
    return Run(seed=seed, end=_SEASON + 3 * HOUR, acts=acts)


def wild_days(seed: int) -> Run:
    """Four days with an act in each namespace every eight hours, 24 restarts, and odd lives, latencies and slots."""
    chance, end = random.Random(seed), 4 * DAY
    weather = storm(chance, until=end, regions=REGIONS)
    weather.life = chance.choice((20 * MINUTE, 2 * HOUR, 12 * HOUR))
    weather.latency = chance.choice((0.03, 0.5, 3.0))
    weather.chances = chance.choice((STORMY, WILD))
    acts = season(chance, namespaces=12, until=end, every=8 * HOUR)
    restarts = [Restart(at=chance.uniform(0, end), gap=chance.choice(_PAUSES)) for _ in range(24)]
    settings = Settings(max_concurrent_reconciles=chance.choice((2, 16)))
    return Run(seed=seed, end=end + 3 * HOUR, acts=acts, weather=weather, restarts=restarts, settings=settings)


@cache
def stormy(seed: int) -> Record:
    """Give the record of a stormy season."""
    return simulate(stormy_season(seed))


@cache
def split(seed: int) -> Record:
    """Give the record of a stormy season in which two controllers act at once, all along."""
    return simulate(replace(stormy_season(seed), at_once=2))


@cache
def fair(seed: int) -> Record:
    """Give the record of the same season in fair weather."""
    return simulate(fair_season(seed))


def team(number: int) -> str:
    """Name a namespace."""
    return f"team-{number}"


def opted_in(count: int, *hosts: str, at: float = 0.0, apart: float = 0.01) -> list[Act]:
    """Opt so many namespaces in, one after the other."""
    return [asking(at + number * apart, team(number), *(hosts or (IRELAND,))) for number in range(count)]


def quiet(acts: list[Act], end: float, *, seed: int = 1, settings: Settings = QUIET, life: float = 12 * HOUR) -> Run:
    """A run in which nothing goes wrong, with an audit every six hours, for there is nothing to find."""
    return Run(seed=seed, end=end, acts=acts, settings=settings, weather=Weather(life=life))


def overdue() -> Run:
    """1,500 rotations that are all overdue, and nine namespaces that opt in while they are being made up for."""
    acts = opted_in(1500, apart=0.001)
    acts += [asking(NEW_AT + number / 3, f"new-{number}", IRELAND) for number in range(9)]
    away = Restart(at=HOUR, gap=7 * HOUR)
    weather = Weather(latency=0.2)
    return Run(seed=1, end=8.1 * HOUR, acts=acts, restarts=[away], weather=weather)


@cache
def overtaken() -> Record:
    """Give the record of `overdue`."""
    return simulate(overdue())


def first_waits(record: Record) -> list[float]:
    """Tell how long each of the nine waited for its Secret."""
    return [record.secrets[f"new-{number}"][0].at - NEW_AT - number / 3 for number in range(9)]


@cache
def half_a_year() -> Record:
    """Give the record of 8 namespaces over half a quiet year, of one to four regions each."""
    chance = random.Random(7)
    acts = [
        asking(chance.uniform(0, DAY), team(each), *chance.sample(HOSTS, chance.randint(1, 4))) for each in range(8)
    ]
    return simulate(quiet(sorted(acts, key=lambda act: act.at), HALF_A_YEAR))
