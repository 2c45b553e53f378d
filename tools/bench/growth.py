"""What may grow with the number of namespaces: memory, the start, the cost at rest, and waiting times."""

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import asdict

from testsupport.fake_aws import ACCOUNT
from testsupport.installation import ROLE
from tools.bench.bare_program import BOTH, FETCH, SERVE
from tools.bench.environment import Environment, open_environment
from tools.bench.options import REGIONS, Options
from tools.bench.procfs import cpu_seconds
from tools.bench.programs import bare_program, hostile_tenants, kopf_seconds
from tools.bench.sizes import Hostility, Rotations, Size, Waits
from tools.bench.table import Table, ms
from tools.bench.turns import rotate, rotate_bare, seconds_to_start

_QUIET = 1.0
_SMALL, _MOST_SMALL = 100, 90.0
"""With so many namespaces no more MiB than that."""
_MOST_EACH = 5.0
"""KiB for each further namespace."""
_FAR_APART = 1900
"""Namespaces between two sizes from which on their difference is more than that of two runs."""
_FIRST = 10
"""Opt-ins with a token of their own."""
_PACE = 0.25
"""Seconds between two of those: a little more than the controller leaves between two calls to one region."""


async def measure(options: Options, table: Table, server: str) -> None:
    """Print the figures of each size, and what follows from the smallest and the largest."""
    sizes = []
    for count in options.sizes:
        sizes.append(await _measure(count, options, table, server))
        table.growth.append(asdict(sizes[-1]))
        table.save()
    first, last = sizes[0], sizes[-1]
    table.heading("resident memory after a rotation")
    if first.namespaces <= _SMALL:
        table.at_most(f"MiB with {first.namespaces:,} namespaces", first.resident, _MOST_SMALL)
    if last.namespaces - first.namespaces >= _FAR_APART:
        each = (last.resident - first.resident) * 1024 / (last.namespaces - first.namespaces)
        table.at_most("KiB for each further namespace", each, _MOST_EACH)


async def _measure(count: int, options: Options, table: Table, server: str) -> Size:
    load = os.getloadavg()[0]
    async with open_environment(namespaces=count, identities=0, regions=REGIONS[:1], server_kind=server) as environment:
        table.heading(f"{count:,} namespaces, API server: {server}, load average before: {load:.1f}")
        idle = await environment.add_idle(options.size_opt_ins)
        await environment.start()
        await environment.watcher.all_written(1)
        await environment.stop()
        rotation, resident, busy = await _rotations(environment, options, count, idle)
        bare_rotation, bare_busy = await _bare_rotations(environment, options, count, idle)
        ready, kopf = await _restart(environment, table)
        meanwhile = await _opt_in_meanwhile(environment, idle)
        cpu = await _at_rest(environment, options.idle, table)
        rest = await environment.opt_in_at_pace(idle, options.size_pause)
        await environment.reset(idle)
        first, bare_first = await _first_tokens(environment, idle[:_FIRST])
        bare_rest = await _bare_opt_ins(environment, options, idle)
        hostile, hostility = await _beside_hostile_tenants(environment, options, idle, count)
        bare_hostile, bare_hostility = await _bare_beside_hostile_tenants(environment, options, idle)
    size = Size(
        namespaces=count,
        load=load,
        rotation=rotation,
        bare_rotation=bare_rotation,
        resident=resident,
        ready=ready,
        kopf=kopf,
        meanwhile=meanwhile,
        idle_cpu=cpu,
        rest=Waits.of(rest),
        bare_rest=Waits.of(bare_rest),
        busy=Waits.of(busy),
        bare_busy=Waits.of(bare_busy),
        hostile=Waits.of(hostile),
        bare_hostile=Waits.of(bare_hostile),
        hostility=hostility,
        bare_hostility=bare_hostility,
        first=Waits.of(first),
        bare_first=Waits.of(bare_first),
    )
    show(size, table)
    return size


def show(size: Size, table: Table) -> None:
    """Print the figures, each with its ratio to a bare program's where there is one."""
    table.row("resident memory after a rotation", f"{size.resident:.1f} MiB")
    rates = 1 / size.rotation.seconds, 1 / size.bare_rotation.seconds
    _ratio(table, "rotation: Secrets per second, over bare", *rates, "; goal: at least 0.85")
    ours, bare = size.rotation.cpu * 1000, size.bare_rotation.cpu * 1000
    _ratio(table, "rotation: processor time per Secret, over bare", ours, bare, " ms; goal: at most 2")
    table.row("a restart, all Secrets fresh: ready after", f"{size.ready:.2f} s")
    _ratio(table, "the same over kopf with an empty handler", size.ready, size.kopf, " s; goal: at most 1.1")
    table.row("who opted in meanwhile is served, after that", f"{size.meanwhile:.2f} s", "goal: at most 2 s")
    table.row("processor at rest", f"{size.idle_cpu:.2f} %", "goal: at most 0.5 %")
    _waits(table, "opt-in at rest", size.rest, size.bare_rest)
    _waits(table, "opt-in while all rotate", size.busy, size.bare_busy)
    _over_rest(table, "opt-in while all rotate", size.busy, size.rest, 3)
    _waits(table, "opt-in beside hostile tenants", size.hostile, size.bare_hostile)
    _over_rest(table, "opt-in beside hostile tenants", size.hostile, size.rest, 2)
    hammered = f"{size.hostility.rate:.0f}/s", f"{size.bare_hostility.rate:.0f}/s beside bare"
    table.row("requests of the hostile tenants", *hammered)
    ours, bare = size.hostility.cpu * 1000, size.bare_hostility.cpu * 1000
    _ratio(table, "processor time for each of those, over bare", ours, bare, " ms")
    _waits(table, "opt-in with a token of its own", size.first, size.bare_first)


def _ratio(table: Table, what: str, ours: float, bare: float, note: str) -> None:
    table.row(what, f"{ours / bare:.2f}", f"{ours:.2f} over {bare:.2f}{note}")


def _waits(table: Table, what: str, ours: Waits, bare: Waits) -> None:
    for name, own, theirs in (("median", ours.median, bare.median), (ours.slow_name, ours.slow, bare.slow)):
        table.row(f"{what}: {name} over bare", f"{own / theirs:.2f}", f"{ms(own)} over {ms(theirs)}")


def _over_rest(table: Table, what: str, ours: Waits, rest: Waits, goal: int) -> None:
    table.row(f"{what}: {ours.slow_name} over at rest", f"{ours.slow / rest.slow:.2f}", f"goal: at most {goal}")


async def _rotations(
    environment: Environment, options: Options, count: int, idle: Sequence[str]
) -> tuple[Rotations, float, list[float]]:
    """Rotate all at full speed; return the figures and the memory of that, and the waits in further rotations."""
    first, last, cpu = await rotate(environment, count, environment.watcher.first_at)
    environment.watcher.forget()
    await asyncio.sleep(_QUIET)
    resident = environment.resident_mib()
    waits = await _while_rotating(environment, options, idle)
    await environment.reset(idle)
    await environment.stop()
    return Rotations(seconds=(last - first) / count, cpu=cpu / count), resident, waits


async def _while_rotating(environment: Environment, options: Options, idle: Sequence[str]) -> list[float]:
    waits: list[float] = []
    for _ in range(options.busy_rotations):
        await environment.watcher.begun()
        waits += await environment.opt_in_at_pace(
            idle[len(waits) :], options.size_pause, lambda: not environment.watcher.has_written_all()
        )
        await environment.watcher.all_written(1)
        environment.watcher.forget()
        if len(waits) == len(idle):
            break
    return waits


async def _bare_rotations(
    environment: Environment, options: Options, count: int, idle: Sequence[str]
) -> tuple[Rotations, list[float]]:
    first, last, cpu = await rotate_bare(environment)
    waits = await _bare_opt_ins(environment, options, idle, BOTH)
    return Rotations(seconds=(last - first) / count, cpu=cpu / count), waits


async def _bare_opt_ins(
    environment: Environment, options: Options, idle: Sequence[str], work: str = SERVE
) -> list[float]:
    async with bare_program(environment, work):
        waits = await environment.opt_in_at_pace(idle, options.size_pause)
    await environment.reset(idle)
    return waits


async def _restart(environment: Environment, table: Table) -> tuple[float, float]:
    """Start anew with every Secret fresh: nothing is to be done, so nothing may be done."""
    before = await asyncio.to_thread(environment.aws.calls)
    ready = await _start(environment)
    await asyncio.sleep(_QUIET)
    after = await environment.figures()
    table.exactly("a restart, all Secrets fresh: AWS calls", sum(after.aws.values()) - sum(before.values()), 0)
    table.exactly("a restart, all Secrets fresh: writes of Secrets", after.writes, 0)
    await environment.stop()
    listed = (await environment.installation.api.get("/api/v1/namespaces")).ok()["items"]
    return ready, await kopf_seconds(environment, len(listed))


async def _start(environment: Environment) -> float:
    started = time.monotonic()
    await environment.start()
    return time.monotonic() - started


async def _opt_in_meanwhile(environment: Environment, idle: Sequence[str]) -> float:
    """Opt one namespace in as the process is started, and one once it is ready; return the longest wait from then."""
    starting = asyncio.create_task(environment.opt_in(idle[0], 0))
    ready = await _start(environment)
    waited = await environment.opt_in(idle[1], 1)
    waited = max(await starting - ready, waited)
    await environment.reset(idle[:2])
    return waited


async def _at_rest(environment: Environment, seconds: float, table: Table) -> float:
    """Return the processor's share in percent, with no request but watches and renewals of the Lease."""
    await asyncio.sleep(_QUIET)
    cpu, requests = environment.cpu_seconds(), await environment.idle_requests()
    await asyncio.sleep(seconds)
    cpu, requests = environment.cpu_seconds() - cpu, await environment.idle_requests() - requests
    table.exactly(f"requests in {seconds:g} s at rest", requests, 0)
    return cpu / seconds * 100


async def _first_tokens(environment: Environment, idle: Sequence[str]) -> tuple[list[float], list[float]]:
    """Opt in with a role of its own each: the controller's waits, and those of a bare program; both are stopped."""
    ours = [await _opt_in_as_role(environment, name, f"bench-{number}") for number, name in enumerate(idle)]
    await environment.reset(idle)
    await environment.stop()
    async with bare_program(environment, FETCH):
        bare = [await _opt_in_as_role(environment, name, f"bench-bare-{number}") for number, name in enumerate(idle)]
    await environment.reset(idle)
    return ours, bare


async def _opt_in_as_role(environment: Environment, namespace: str, role: str) -> float:
    arn = f"arn:aws:iam::{ACCOUNT}:role/{role}"
    await asyncio.to_thread(environment.aws.allow_role, arn, trusted_principals=ROLE)
    await asyncio.sleep(_PACE)
    return await environment.opt_in(namespace, 0, role_arn=arn)


async def _beside_hostile_tenants(
    environment: Environment, options: Options, idle: Sequence[str], count: int
) -> tuple[list[float], Hostility]:
    """Opt in beside tenants, with a controller that is started for that; it has its token before they begin.

    So is its start over, whose delays are measured by themselves.
    """
    *others, first = idle
    await environment.start()
    await environment.opt_in(first, 0)
    await asyncio.sleep(seconds_to_start(count))
    found = await _hammered(environment, options, others, environment.process.popen.pid)
    await environment.reset(idle)
    await environment.stop()
    return found


async def _bare_beside_hostile_tenants(
    environment: Environment, options: Options, idle: Sequence[str]
) -> tuple[list[float], Hostility]:
    async with bare_program(environment, SERVE) as program:
        found = await _hammered(environment, options, idle, program.pid)
    await environment.reset(idle)
    return found


async def _hammered(
    environment: Environment, options: Options, idle: Sequence[str], pid: int
) -> tuple[list[float], Hostility]:
    async with hostile_tenants(environment, options.hostile, options.hostile_pace) as rates:
        cpu, started = cpu_seconds(pid), time.monotonic()
        waits = await environment.opt_in_at_pace(idle, options.size_pause)
        cpu, seconds = cpu_seconds(pid) - cpu, time.monotonic() - started
    return waits, Hostility(rate=sum(rates), cpu=cpu / seconds / sum(rates))
