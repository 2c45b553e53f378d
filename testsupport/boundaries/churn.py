"""A year in which namespaces come and go all along: what the process holds must not grow with time."""

import asyncio
import gc
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from functools import partial
from typing import Any, cast
from unittest import mock

from pullkeeper.domain.config.policy import Policy, RoleGrant
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.namespace.namespace import PREFIX
from pullkeeper.domain.secret import secret_record
from pullkeeper.tokens import call_queue
from testsupport.boundaries import memory
from testsupport.boundaries.scenarios import ACCOUNT, BLUE, FOREIGN, IRELAND
from testsupport.boundaries.world import Scenario, World
from testsupport.simulation.record import Status
from testsupport.virtual_time import DAY, HOUR

YEAR = 365 * DAY
_EVERY = 6 * HOUR
"""Seconds between two namespaces, and between what costs time and shows nothing: listings, watches, heartbeats."""
_LIFE = HOUR
"""Seconds that each of them lives."""
_SLACK = 100
"""So much may differ by the moment: some collections are swept now and then. Whatever is kept for each is hundreds."""
_SLACK_BYTES = 32 * 1024
"""The same of bytes: over a year it is 27 for each namespace, less than any entry of a collection takes."""
_TURNS = 64
"""Turns at AWS that are remembered here: as many as in the product would still be filling up."""
_REMEMBERED = 100
"""Changes that the simulated API server keeps for its watches."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Footprint:
    """What there is of everything at one moment."""

    counts: Mapping[str, int]
    sizes: Mapping[str, int] = field(default_factory=dict)
    """Bytes, by type."""

    def grown_to(self, later: "Footprint") -> Iterator[str]:
        """Report what has become more."""
        for before, after, slack in ((self.counts, later.counts, _SLACK), (self.sizes, later.sizes, _SLACK_BYTES)):
            for name, count in after.items():
                if count > before.get(name, 0) + slack:
                    yield f"{name} grew from {before.get(name, 0)} to {count}"


def churn(seconds: float, mutation: tuple[tuple[str, object], ...] = ()) -> tuple[Footprint, Footprint]:
    """Return what there is after a sixth of the time, and in the end."""
    found: list[Footprint] = []
    # Both at the same stage of the same round.
    round_seconds = _EVERY * len(_KINDS)
    rounds = max(int(seconds / round_seconds), 12)
    moments = [
        (number * round_seconds - HOUR, lambda world: found.append(_measure(world)))
        for number in (1, rounds // 6, rounds)
    ]
    scenario = Scenario(
        name="churn",
        actions=sorted([(0.0, _stay), *_comings(rounds * len(_KINDS)), *moments], key=lambda action: action[0]),
        window=(0.0, 0.0),
        goal=lambda _: iter(()),
        calls=frozenset(),
        settings=Settings(
            service_account_attachment=True,
            policy=Policy(roles=(RoleGrant(role=BLUE),)),
            relist_interval=timedelta(seconds=_EVERY),
        ),
        roles=(BLUE,),
        quiet=rounds * round_seconds,
        watch_seconds=_EVERY,
        pace=timedelta(seconds=_EVERY),
        mutation=mutation,
    )
    with mock.patch.object(call_queue, "_MAX_TURNS", _TURNS):
        World(scenario, {}).finish()
    _, first, last = found  # before the first one, what it needs itself was not there yet
    return first, last


def _comings(count: int) -> Iterator[tuple[float, Callable[[World], None]]]:
    for number in range(count):
        yield number * _EVERY + 1, partial(_come, number=number)
        yield number * _EVERY + 1 + _LIFE, partial(_go, number=number)


def _stay(world: World) -> None:
    """Opt a namespace in that stays, so that there are rotations all along."""
    world.opt_in(IRELAND)


def _come(world: World, number: int) -> None:
    name, annotations = f"team-{number}", _KINDS[number % len(_KINDS)]
    given = {PREFIX + key: value for key, value in annotations.items()}
    world.cluster.put_namespace(name, Status.OPTED_IN, (), given)
    world.cluster.put_service_account(name, ACCOUNT, {})
    if number % len(_KINDS) == 0:
        world.cluster.put_secret(name, auths=dict(FOREIGN))


def _go(world: World, number: int) -> None:
    world.cluster.put_namespace(f"team-{number}", Status.DELETED, (), {})
    _forget(world)


_KINDS: tuple[Mapping[str, str], ...] = (
    {"enabled": "true", "registries": IRELAND, "refresh-requested-at": "now"},
    {"enabled": "true", "registries": IRELAND},
    {"enabled": "true", "registries": IRELAND, "role-arn": BLUE},
    {"enabled": "yes", "registries": "docker.io", "unknown": "key"},
    {"enabled": "true", "registries": IRELAND, "attach-to-service-accounts": f"{ACCOUNT},missing"},
    {"enabled": "true", "registries": "111111111111.dkr.ecr.me-south-1.amazonaws.com"},
    {"enabled": "true", "registries": "111111111111.dkr.ecr.ap-northeast-3.amazonaws.com"},
)
"""What the namespaces ask for in turn: the first finds a foreign Secret, the last a region that does not answer."""


def _forget(world: World) -> None:
    """Drop what only the simulation keeps."""
    for each in fields(world.record):
        value = getattr(world.record, each.name)
        if isinstance(value, list | dict):
            value.clear()
    for replica in world.running.values():
        replica.process.metrics.reconciled_at.clear()
    world.cluster.made.clear()
    del world.cluster.past[:-1], world.cluster.changes[:-_REMEMBERED]


def _measure(world: World) -> Footprint:
    """Count tasks, timers, connections, series, items of collections, objects by their class, and bytes by type."""
    secret_record.read_shared.cache_clear()  # it is bounded, and how far it is filled says nothing
    sizes = {f"bytes of {name}": size for name, size in memory.by_type(but=Footprint).items()}
    loop = cast("Any", asyncio.get_running_loop())
    (replica,) = world.running.values()
    usage = replica.process.usage()
    classes = Counter(type(found) for found in gc.get_objects())
    objects = {f"objects of {kind.__qualname__}": count for kind, count in classes.items() if _is_ours(kind)}
    counts = {
        "tasks": len(asyncio.all_tasks()),
        "timers": sum(not timer.cancelled() for timer in loop._scheduled),  # noqa: SLF001 -- nobody else tells
        "connections": world.open_streams(),
        "series": usage.series,
    }
    items = {f"items of {name}": count for name, count in usage.items.items()}
    return Footprint(counts=counts | objects | items, sizes=sizes)


def _is_ours(kind: type) -> bool:
    return str(kind.__module__).startswith("pullkeeper.")
