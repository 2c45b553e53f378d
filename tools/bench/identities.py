"""Many namespaces over many identities and regions: calls, writes, waiting times and memory."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from statistics import median

from tools.bench.bare import bare_first_secrets
from tools.bench.environment import Environment, Figures, open_environment
from tools.bench.options import QUARTER, REGIONS, Options
from tools.bench.table import Table, ms

_QUIET = 1.0
"""Seconds after what was waited for, in which nothing more may come."""
_LATE, _EARLY = 0.9, 0.1
"""Two settings of `refreshFraction`: what is fresh by the one is due by the other."""
_LONG_LIFE = 12 * 3600
_MOST_GROWTH = 1.1


async def measure(options: Options, table: Table) -> None:
    """Print all figures that many identities have a part in; lives only grow, for no younger token may die earlier."""
    async with open_environment(
        namespaces=options.namespaces, identities=options.identities, regions=REGIONS
    ) as environment:
        await _fill(environment, options, table)
        await _memory(environment, options, table)
        busy = await _opt_ins_in_rotation(environment, options)
        calm_since = await _calm(environment, options)
        at_rest = await _opt_ins_at_rest(environment, options)
        bare = await _bare_opt_ins(environment, options)
        _waits(table, at_rest, busy, bare)
        await _restart(environment, options, table)
        await asyncio.sleep(max(calm_since + _EARLY * options.calm_life - time.monotonic(), 0))
        await _one_rotation(environment, options, table)


async def _fill(environment: Environment, options: Options, table: Table) -> None:
    await asyncio.to_thread(environment.aws.set_life, options.life)
    started = time.monotonic()
    await environment.start(refreshFraction=_LATE)
    ended = await environment.watcher.all_written(1)
    calls = await asyncio.to_thread(environment.aws.calls)
    asked = ", ".join(f"{calls.get(name, 0):,} {name}" for name in ("GetAuthorizationToken", "AssumeRole"))
    table.heading(f"{options.namespaces:,} namespaces, {options.identities} identities, {len(REGIONS)} regions")
    table.row("all first Secrets, from the start of the process", f"{ended - started:.1f} s", asked)


async def _memory(environment: Environment, options: Options, table: Table) -> None:
    """Rotate again and again, as fast as it can be worked."""
    await environment.stop()
    before = await asyncio.to_thread(environment.aws.calls)
    environment.watcher.forget()
    await environment.start(refreshFraction=QUARTER)
    sizes, ends = [], []
    for number in range(1, options.rotations + 1):
        ends.append(await environment.watcher.all_written(number))
        sizes.append(environment.resident_mib())
    after = await environment.figures()
    table.heading(f"resident memory after each of {options.rotations} rotations of {options.namespaces:,}, in MiB")
    table.row(" ".join(f"{size:.0f}" for size in sizes), "")
    base = options.memory_base
    table.at_most(f"after the last, over that after number {base}", sizes[-1] / sizes[base - 1], _MOST_GROWTH)
    table.row("from one rotation to the next", f"{(ends[-1] - ends[0]) / (options.rotations - 1):.1f} s")
    asked = after.aws["GetAuthorizationToken"] - before["GetAuthorizationToken"]
    each = asked / after.rotated * options.namespaces
    table.row(f"GetAuthorizationToken calls for {options.namespaces:,} rotated", f"{each:.1f}", "with those under way")


async def _opt_ins_in_rotation(environment: Environment, options: Options) -> list[float]:
    """Opt in from the beginning of a rotation on, one every so often, whether the last one has its Secret or not."""
    idle = await environment.add_idle(options.in_rotation)
    environment.watcher.forget()
    await environment.watcher.begun()
    tasks = []
    for number, name in enumerate(idle):
        tasks.append(asyncio.create_task(environment.opt_in(name, number)))
        await asyncio.sleep(options.opt_in_pause)
    waits = await asyncio.gather(*tasks)
    await environment.opt_out(idle)
    return list(waits)


async def _calm(environment: Environment, options: Options) -> float:
    """Rotate to tokens of a longer life; tells since when all have them."""
    await asyncio.to_thread(environment.aws.set_life, options.calm_life)
    environment.watcher.forget()
    await environment.watcher.all_good_until(datetime.now(UTC) + timedelta(seconds=options.life))
    return time.monotonic()


async def _opt_ins_at_rest(environment: Environment, options: Options) -> list[float]:
    idle = await environment.add_idle(options.at_rest)
    await asyncio.sleep(_QUIET)
    waits = [await environment.opt_in(name, number) for number, name in enumerate(idle)]
    await environment.opt_out(idle)
    await asyncio.sleep(_QUIET)
    return waits


async def _bare_opt_ins(environment: Environment, options: Options) -> list[float]:
    """Stop the controller, and opt namespaces in while a bare loop writes their Secrets."""
    await environment.stop()
    idle = await environment.add_idle(options.at_rest)
    installation = environment.installation
    async with bare_first_secrets(installation.user, installation.secret_name):
        waits = [await environment.opt_in(name, number) for number, name in enumerate(idle)]
    await environment.opt_out(idle)
    # The next controller must find nothing to do.
    await asyncio.gather(*(installation.api.delete(installation.path(name)) for name in idle))
    return waits


async def _restart(environment: Environment, options: Options, table: Table) -> None:
    """Start anew with every Secret fresh: nothing is to be done, so nothing may be done."""
    await environment.stop()
    before = await asyncio.to_thread(environment.aws.calls)
    started = time.monotonic()
    await environment.start(refreshFraction=_LATE)
    ready = time.monotonic() - started
    await asyncio.sleep(_QUIET)
    after = await environment.figures()
    table.heading(f"a restart with {options.namespaces:,} fresh Secrets")
    table.row("from the start of the process to ready", f"{ready:.2f} s")
    table.exactly("AWS calls", sum(after.aws.values()) - sum(before.values()), 0)
    table.exactly("writes of Secrets", after.writes, 0)
    await environment.stop()


async def _one_rotation(environment: Environment, options: Options, table: Table) -> None:
    """Rotate everything once, all of it due at the same moment, and nothing of it again for more than an hour."""
    await asyncio.to_thread(environment.aws.set_life, _LONG_LIFE)
    before = await asyncio.to_thread(environment.aws.calls)
    environment.watcher.forget()
    await environment.start(refreshFraction=_EARLY)
    first, cpu = await environment.watcher.begun(), environment.cpu_seconds()
    last = await environment.watcher.all_written(1)
    cpu = environment.cpu_seconds() - cpu
    await asyncio.sleep(_QUIET)
    after = await environment.figures()
    await environment.stop()
    table.heading("one rotation at full speed (window 0), everything due at once")
    _judge(table, options, before.get("GetAuthorizationToken", 0), after)
    assumed = after.aws.get("AssumeRole", 0) - before.get("AssumeRole", 0)
    table.row("AssumeRole calls", f"{assumed:,}", f"{options.identities} roles; a new process knows no credentials")
    table.row("from the first write to the last", f"{last - first:.1f} s", "five tokens a second in each region")
    table.row("processor time for each rotated Secret", f"{cpu / options.namespaces * 1000:.1f} ms")


def _judge(table: Table, options: Options, asked_before: int, after: Figures) -> None:
    table.exactly("Secrets rotated", after.rotated, options.namespaces)
    table.exactly("GetAuthorizationToken calls", after.aws["GetAuthorizationToken"] - asked_before, options.scopes)
    table.exactly("Kubernetes writes for each rotated Secret", after.applies / options.namespaces, 1)
    table.exactly("Kubernetes reads for each rotated Secret", after.reads / options.namespaces, 0)


def _waits(table: Table, at_rest: Sequence[float], busy: Sequence[float], bare: Sequence[float]) -> None:
    table.heading("from opt-in to the Secret being seen")
    measured = {
        "by a bare loop that only watches and applies": bare,
        "at rest, one after the other": at_rest,
        "in the middle of a rotation": busy,
    }
    for what, waits in measured.items():
        table.row(f"{len(waits)} {what}: median", ms(median(waits)))
        table.row(f"{len(waits)} {what}: worst", ms(max(waits)))
    table.row("at rest over the bare loop: median", f"{median(at_rest) / median(bare):.1f}")
    table.row("in a rotation over at rest: median", f"{median(busy) / median(at_rest):.1f}")
    table.row("in a rotation over at rest: worst", f"{max(busy) / max(at_rest):.1f}")
