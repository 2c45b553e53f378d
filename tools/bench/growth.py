"""What may grow with the number of namespaces: memory, the start, the cost at rest, and waiting times."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from testsupport.fake_aws import ACCOUNT
from testsupport.installation import ROLE
from tools.bench.bare_program import FETCH
from tools.bench.environment import Environment, open_environment
from tools.bench.options import REGIONS, Options
from tools.bench.programs import bare_program, hostile_tenants, kopf_seconds
from tools.bench.table import Table, ms, percentile
from tools.bench.turns import rotating_age

_QUIET = 1.0
_SMALL, _MOST_SMALL = 100, 90.0
"""With so many namespaces no more MiB than that."""
_MOST_EACH = 5.0
"""KiB for each further namespace."""
_FAR_APART = 900
"""Namespaces between two sizes from which on their difference is more than a page of a listing."""
_FIRST = 10
"""Opt-ins with a token of their own."""
_PACE = 0.25
"""Seconds between two of those: a little more than the controller leaves between two calls to one region."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """The figures of one number of namespaces; times in seconds, memory in MiB."""

    namespaces: int
    resident: float
    """After a rotation."""
    ready: float
    kopf: float
    """What kopf alone takes to see every Namespace."""
    meanwhile: float
    """How long after it is ready a namespace is served that has opted in when the process was started."""
    idle_cpu: float
    """Percent of one processor."""
    rest_median: float
    rest_worst: float
    busy_worst: float
    """99th percentile, while all rotate."""
    hostile_worst: float
    first_median: float
    """With a token of its own."""
    bare_first_median: float


async def measure(options: Options, table: Table, server: str) -> None:
    """Print the figures of each size, and what follows from the smallest and the largest."""
    sizes = [await _measure(count, options, table, server) for count in options.sizes]
    table.growth.extend(asdict(size) for size in sizes)
    first, last = sizes[0], sizes[-1]
    table.heading("resident memory after a rotation")
    if first.namespaces <= _SMALL:
        table.at_most(f"MiB with {first.namespaces:,} namespaces", first.resident, _MOST_SMALL)
    if last.namespaces - first.namespaces >= _FAR_APART:
        each = (last.resident - first.resident) * 1024 / (last.namespaces - first.namespaces)
        table.at_most("KiB for each further namespace", each, _MOST_EACH)


async def _measure(count: int, options: Options, table: Table, server: str) -> Size:
    async with open_environment(namespaces=count, identities=0, regions=REGIONS[:1], server_kind=server) as environment:
        table.heading(f"{count:,} namespaces, API server: {server}")
        idle = await environment.add_idle(options.opt_ins)
        await environment.start()
        await environment.watcher.all_written(1)
        await environment.stop()
        busy, resident = await _rotation(environment, count, idle)
        ready, kopf = await _restart(environment, table)
        meanwhile = await _opt_in_meanwhile(environment, idle)
        cpu = await _at_rest(environment, options.idle, table)
        rest = [await environment.opt_in(name, number) for number, name in enumerate(idle)]
        await _opt_out(environment, idle)
        first, bare = await _first_tokens(environment, idle[:_FIRST])
        hostile = await _beside_hostile_tenants(environment, options.hostile, idle)
        size = Size(
            namespaces=count,
            resident=resident,
            ready=ready,
            kopf=kopf,
            meanwhile=meanwhile,
            idle_cpu=cpu,
            rest_median=percentile(rest, 50),
            rest_worst=percentile(rest, 99),
            busy_worst=percentile(busy, 99),
            hostile_worst=percentile(hostile, 99),
            first_median=percentile(first, 50),
            bare_first_median=percentile(bare, 50),
        )
        _show(size, table, len(busy))
        return size


def _show(size: Size, table: Table, busy: int) -> None:
    table.row("resident memory after a rotation", f"{size.resident:.1f} MiB")
    table.row("a restart, all Secrets fresh: ready after", f"{size.ready:.2f} s")
    ratio = size.ready / size.kopf
    table.row("the same over kopf with an empty handler", f"{ratio:.2f}", f"{size.kopf:.2f} s; goal: at most 1.1")
    table.row("who opted in meanwhile is served, after that", f"{size.meanwhile:.2f} s", "goal: at most 2 s")
    table.row("processor at rest", f"{size.idle_cpu:.2f} %", "goal: at most 0.5 %")
    table.row("opt-in at rest, median and p99", f"{ms(size.rest_median)}, {ms(size.rest_worst)}")
    for what, worst, goal in (
        (f"{busy} opt-ins while all rotate", size.busy_worst, "3"),
        ("beside hostile tenants", size.hostile_worst, "2"),
    ):
        table.row(f"{what}: p99 over that at rest", f"{worst / size.rest_worst:.2f}", f"goal: at most {goal}")
    table.row(
        "with a token of its own, over a bare program: median",
        f"{size.first_median / size.bare_first_median:.2f}",
        f"{ms(size.first_median)}; goal: at most 1.5",
    )


async def _rotation(environment: Environment, count: int, idle: Sequence[str]) -> tuple[list[float], float]:
    """Rotate all at full speed; return how long those waited who opted in meanwhile, and the memory afterwards."""
    environment.watcher.forget()
    await environment.start(maxTokenAge=rotating_age(count))
    await environment.watcher.begun()
    waits: list[float] = []
    for number, name in enumerate(idle):
        if len(waits) > 1 and environment.watcher.has_written_all():
            break
        waits.append(await environment.opt_in(name, number))
    await environment.watcher.all_written(1)
    await asyncio.sleep(_QUIET)
    resident = environment.resident_mib()
    await _opt_out(environment, idle)
    await environment.stop()
    return waits, resident


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
    """Opt a namespace in as the process is started, which goes on running."""
    ready, waited = await asyncio.gather(_start(environment), environment.opt_in(idle[0], 0))
    await _opt_out(environment, idle[:1])
    return max(waited - ready, 0.0)


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
    await _opt_out(environment, idle)
    await environment.stop()
    async with bare_program(environment, FETCH):
        bare = [await _opt_in_as_role(environment, name, f"bench-bare-{number}") for number, name in enumerate(idle)]
    await environment.opt_out(idle)
    installation = environment.installation
    await asyncio.gather(*(installation.api.delete(installation.path(name)) for name in idle))
    return ours, bare


async def _opt_in_as_role(environment: Environment, namespace: str, role: str) -> float:
    arn = f"arn:aws:iam::{ACCOUNT}:role/{role}"
    await asyncio.to_thread(environment.aws.allow_role, arn, trusted_principals=ROLE)
    await asyncio.sleep(_PACE)
    return await environment.opt_in(namespace, 0, role_arn=arn)


async def _opt_out(environment: Environment, namespaces: Sequence[str]) -> None:
    """Opt out, for good: without the role, too."""
    await environment.opt_out(namespaces)
    await asyncio.gather(*(environment.installation.annotate(name, role_arn=None) for name in namespaces))
    await asyncio.sleep(_QUIET)


async def _beside_hostile_tenants(environment: Environment, count: int, idle: Sequence[str]) -> list[float]:
    """Opt in beside tenants, with a controller that is started for that; it has its token before they begin."""
    *others, first = idle
    await environment.start()
    await environment.opt_in(first, 0)
    async with hostile_tenants(environment, count):
        waits = [await environment.opt_in(name, number) for number, name in enumerate(others)]
    await environment.stop()
    return waits
