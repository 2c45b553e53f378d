"""The controller beside bare programs, in turns on the same API server: ratios that hold on any machine."""

import asyncio
import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from tools.bench.bare import AT_ONCE
from tools.bench.bare_program import ROTATE, SERVE
from tools.bench.environment import Environment, open_environment
from tools.bench.options import REGIONS, Options
from tools.bench.programs import bare_program, go_on, line
from tools.bench.table import Table, percentile

_TOKENS = "GetAuthorizationToken"
_QUIET = 0.5
_SHORTEST_AGE = 20
"""Seconds of `maxTokenAge`: longer than a turn of few namespaces takes."""
_PER_SECOND = 100
"""Rotations per second that any machine should manage: for so long no token may be due again."""
_START, _STARTED_PER_SECOND = 4, 200
"""Seconds until a process has started, and Namespaces per second of which kopf tells it then."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rotated:
    """One rotation of all."""

    seconds: float
    cpu: float
    applies: float = 0.0
    """Writes of Secrets that the controller counted."""
    tokens: int = 0
    """Tokens that were asked for."""
    resident: float = 0.0
    """MiB, at its end."""


@dataclass(kw_only=True, slots=True)
class Measured:
    """What was measured of one program in all turns."""

    rotations: list[Rotated] = field(default_factory=list)
    opt_ins: list[Sequence[float]] = field(default_factory=list)


async def measure(options: Options, table: Table, server: str) -> None:
    """Print the figures."""
    async with open_environment(
        namespaces=options.turn_namespaces, identities=0, regions=REGIONS[:1], server_kind=server
    ) as environment:
        ours, bare = Measured(), Measured()
        idle = await environment.add_idle(options.opt_ins)
        issued = time.monotonic()
        await environment.start()
        await environment.watcher.all_written(1)
        await environment.stop()
        for _ in range(options.turns):
            issued = await _our_turn(environment, options, idle, ours, issued)
            await _bare_turn(environment, idle, bare)
    _show(table, options, server, ours, bare)


def due_after_start(namespaces: int, issued: float) -> str:
    """Return the `maxTokenAge` by which tokens that were issued then are due once a process that starts now is at rest.

    Until then it hears of every Namespace, which no other rotation does.
    """
    passed = math.ceil(time.monotonic() - issued)
    return f"{max(_SHORTEST_AGE, namespaces // _PER_SECOND, passed + seconds_to_start(namespaces))}s"


def seconds_to_start(namespaces: int) -> int:
    """Return the seconds after which a process that starts now is at rest."""
    return _START + namespaces // _STARTED_PER_SECOND


async def rotate(environment: Environment, namespaces: int, issued: float) -> tuple[float, float, float]:
    """Start a controller that replaces, once at rest, the tokens that were issued then, in all Secrets.

    Returns when the first one was written and when the last, and the controller's processor seconds between them.
    """
    environment.watcher.forget()
    await environment.start(maxTokenAge=due_after_start(namespaces, issued))
    first = await environment.watcher.begun()
    cpu = environment.cpu_seconds()
    last = await environment.watcher.all_written(1)
    return first, last, environment.cpu_seconds() - cpu


async def rotate_bare(environment: Environment) -> tuple[float, float, float]:
    """Have a bare program write all Secrets; returns the same of it."""
    environment.watcher.forget()
    async with bare_program(environment, ROTATE) as program:
        await go_on(program)
        first = await environment.watcher.begun()
        last = await environment.watcher.all_written(1)
        cpu: float = json.loads(await line(program))["cpu"]
    return first, last, cpu


async def _our_turn(
    environment: Environment, options: Options, idle: Sequence[str], measured: Measured, issued: float
) -> float:
    """Start, so that the tokens which were issued last are due when the start is over; return when new ones were."""
    asked = await asyncio.to_thread(environment.aws.calls)
    first, last, cpu = await rotate(environment, options.turn_namespaces, issued)
    await asyncio.sleep(_QUIET)
    counted = await environment.figures()
    resident = environment.resident_mib()
    tokens = counted.aws[_TOKENS] - asked[_TOKENS]
    measured.rotations.append(
        Rotated(seconds=last - first, cpu=cpu, applies=counted.applies, tokens=tokens, resident=resident)
    )
    measured.opt_ins.append([await environment.opt_in(name, number) for number, name in enumerate(idle)])
    await environment.opt_out(idle)
    await asyncio.sleep(_QUIET)
    await environment.stop()
    return first


async def _bare_turn(environment: Environment, idle: Sequence[str], measured: Measured) -> None:
    first, last, cpu = await rotate_bare(environment)
    measured.rotations.append(Rotated(seconds=last - first, cpu=cpu))
    async with bare_program(environment, SERVE):
        measured.opt_ins.append([await environment.opt_in(name, number) for number, name in enumerate(idle)])
    await environment.opt_out(idle)
    installation = environment.installation
    await asyncio.gather(*(installation.api.delete(installation.path(name)) for name in idle))


def _show(table: Table, options: Options, server: str, ours: Measured, bare: Measured) -> None:
    table.heading(
        f"beside a bare program with the same watches, {options.turns} turns, API server: {server}; "
        "median (lowest-highest)"
    )
    count = options.turn_namespaces
    table.row(
        f"applies per second, a rotation of {count:,}", _spread([count / each.seconds for each in ours.rotations])
    )
    table.row(
        f"applies per second, bare, {AT_ONCE} at once", _spread([count / each.seconds for each in bare.rotations])
    )
    faster = [theirs.seconds / own.seconds for own, theirs in zip(ours.rotations, bare.rotations, strict=True)]
    table.row("the controller's speed over the bare one's", _spread(faster), "goal: at least 0.85")
    cpu = [own.cpu / theirs.cpu for own, theirs in zip(ours.rotations, bare.rotations, strict=True)]
    table.row("processor time per Secret", _spread([each.cpu / count * 1000 for each in ours.rotations], " ms"))
    table.row("resident memory after a rotation", _spread([each.resident for each in ours.rotations], " MiB"))
    table.row("processor time per Secret over the bare one's", _spread(cpu), "goal: at most 2")
    for name, share in (("median", 50), ("99th percentile", 99)):
        _waits(
            table,
            name,
            [percentile(each, share) for each in ours.opt_ins],
            [percentile(each, share) for each in bare.opt_ins],
        )
    table.exactly(
        "Kubernetes writes for each rotated Secret",
        sum(each.applies for each in ours.rotations) / (count * options.turns),
        1,
    )
    table.exactly(
        "GetAuthorizationToken calls for each rotation", sum(each.tokens for each in ours.rotations) / options.turns, 1
    )


def _waits(table: Table, name: str, ours: Sequence[float], bare: Sequence[float]) -> None:
    table.row(f"from opt-in to the Secret at rest: {name}", _spread([each * 1000 for each in ours], " ms"))
    ratios = [own / theirs for own, theirs in zip(ours, bare, strict=True)]
    goal = "1.3" if name == "median" else "2"
    table.row(f"the same over the bare program's: {name}", _spread(ratios), f"goal: at most {goal}")


def _spread(values: Sequence[float], unit: str = "") -> str:
    digits = 0 if min(values) >= 100 else 2
    return f"{median(values):,.{digits}f} ({min(values):,.{digits}f}-{max(values):,.{digits}f}){unit}"
