"""The fourteen invariants over the record of a drawn world: each covers every version of every object in it."""

from collections.abc import Callable, Iterator, Mapping

from testsupport.simulation import check_objects, check_tokens
from testsupport.simulation.record import Record
from testsupport.simulation.years import check_roles, checks, silence
from testsupport.simulation.years.drawing import World
from testsupport.virtual_time import MINUTE

_PATIENCE = 8 * MINUTE
"""Seconds after which an opt-out is obeyed: the longest retry, and a little."""
Check = Callable[[World, Record], Iterator[str]]


def _never_stale(world: World, record: Record) -> Iterator[str]:
    found = check_tokens.never_stale(record, world.run.settings.rotation)
    return (text for text in found if not text.startswith("hostile"))


def _cleans_up(world: World, record: Record) -> Iterator[str]:
    patience = record.relist_interval + _PATIENCE + world.run.settings.opt_out_grace.total_seconds()
    yield from check_objects.opted_out_is_gone(record, patience)
    yield from check_objects.deletes_just_what_was_seen(record)
    yield from checks.waits_out_the_grace(world, record)
    yield from checks.leaves_others_entries(record)


def _level_triggered(world: World, record: Record) -> Iterator[str]:
    yield from check_objects.converged(record)
    yield from checks.attached(record)
    yield from check_roles.follows_roles(world, record)
    if record.most_leaders > 1:
        yield f"{record.most_leaders} replicas led at the same time"


def _few_calls(world: World, record: Record) -> Iterator[str]:
    yield from checks.calls_on_quiet_days(world, record)
    yield from checks.writes_on_quiet_days(world, record)
    yield from checks.reads_on_quiet_days(world, record)


def _no_silence(world: World, record: Record) -> Iterator[str]:
    yield from silence.no_silence(world, record)
    yield from check_roles.reports_lost_roles(world, record)


def _of_record(check: Callable[[Record], Iterator[str]]) -> Check:
    return lambda _, record: check(record)


INVARIANTS: Mapping[str, Check] = {
    "01 never stale": _never_stale,
    "02 never worse": _of_record(check_tokens.never_worse),
    "03 only ours": _of_record(check_objects.only_ours),
    "04 in place": _of_record(check_objects.in_place),
    "05 hands off Namespaces": _of_record(checks.hands_off),
    "06 least privilege": _of_record(checks.least_privilege),
    "07 the token is only in the Secret": _of_record(check_tokens.token_is_only_in_the_secret),
    "08 few calls": _few_calls,
    "09 first Secret first": checks.first_secret_first,
    "10 bad input harms nobody else": _of_record(checks.bad_input),
    "11 opt-out cleans up": _cleans_up,
    "12 level-triggered": _level_triggered,
    "13 non-interference": _of_record(checks.costs_of_the_hostile),
    "14 no silence": _no_silence,
}


def violations(world: World, record: Record) -> Iterator[tuple[str, str]]:
    """Yield each invariant that is broken, with what has happened."""
    for name, check in INVARIANTS.items():
        yield from ((name, text) for text in check(world, record))
