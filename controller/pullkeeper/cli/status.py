"""`pullkeeper status`: show the status of all namespaces, from metadata alone: no Secret's data is read."""

import argparse
import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import yaml

from pullkeeper.adapters.kubernetes.client import ApiClient
from pullkeeper.adapters.kubernetes.snapshot import SnapshotReader
from pullkeeper.cli.api_server import connected
from pullkeeper.cli.found_settings import FoundSettings, find_settings
from pullkeeper.cli.options import add_output, add_secret_name, add_settings
from pullkeeper.cli.unwatched import abandoned_secrets
from pullkeeper.domain.config.additional_secrets import AdditionalSecret
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.errors.failures import FailureError
from pullkeeper.domain.errors.text import listed, printable
from pullkeeper.domain.namespace.namespace_request import NamespaceRequest, namespace_request
from pullkeeper.domain.reporting.state import State
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.shapes import shape_of
from pullkeeper.domain.views import status_table
from pullkeeper.domain.views.installations import rivals
from pullkeeper.domain.views.namespace_status import (
    NamespaceStatus,
    StatusRules,
    namespace_status,
    not_found,
    with_warning,
)
from pullkeeper.domain.views.scope import CLEANUP, describe, limited_to, of_other_classes
from pullkeeper.domain.views.status_table import StatusReport

_WATCH_INTERVAL = 5.0
"""Default seconds between two reports of --watch."""
_CLEAR_SCREEN = "\033[H\033[2J"
_UNKNOWN = (
    "until then its opt-ins, default registries, policy and refresh rule are unknown: "
    "everything counts as allowed, and overdue renewals are not detected"
)

EXAMPLES = (
    "",
    "-n team-a -o wide",
    "--context prod --watch",
    "--all-namespaces -o json",
)


def add_parser(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_settings(parser)
    add_secret_name(parser)
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "-n", "--namespace", action="append", default=[], metavar="NAME", help="show only this namespace; repeatable"
    )
    which.add_argument(
        "-A", "--all-namespaces", action="store_true", help="show also what `watchNamespaces` does not name"
    )
    add_output(parser, ("text", "wide", "json", "yaml"))
    parser.add_argument(
        "-w",
        "--watch",
        nargs="?",
        const=_WATCH_INTERVAL,
        type=float,
        metavar="SECONDS",
        help=f"repeat at this interval until Ctrl-C (default: every {_WATCH_INTERVAL:.0f} seconds)",
    )


def main(options: argparse.Namespace) -> int:
    """Print the status of the namespaces; the exit status is 1 if one is unhealthy."""
    return asyncio.run(_show(options))


async def _show(options: argparse.Namespace) -> int:
    stop = asyncio.Event()
    if options.watch is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)
    async with connected(options) as client:
        found = await find_settings(options, client)
        settings, rules = found.settings, status_rules(found)
        unknown = [f"{note}; {_UNKNOWN}" for note in found.notes]
        namespaces = options.namespace or (() if options.all_namespaces else settings.watch_namespaces)
        snapshot = SnapshotReader(client, secret_name=settings.secret_name, namespaces=namespaces)

        async def take() -> StatusReport:
            report = await status_report(snapshot, rules, _now, expected=namespaces)
            about_scope = await scope_notes(client, settings, namespaces, report.now)
            return replace(report, notes=[*unknown, *report.notes, *about_scope])

        if options.watch is None:
            report = await take()
            print(_format(report, options))
            return 0 if report.healthy else 1
        while not stop.is_set():
            try:
                report = await take()
                print(_format(report, options), flush=True)
            except FailureError as error:
                print(printable(f"pullkeeper: {error}"), file=sys.stderr, flush=True)
            with suppress(TimeoutError):
                async with asyncio.timeout(options.watch):
                    await stop.wait()
        return 0


def status_rules(found: FoundSettings) -> StatusRules:
    """Return what a namespace is judged by: nothing of the settings where they are unknown."""
    if not found.known:
        return StatusRules()
    settings = found.settings
    return StatusRules(
        policy=settings.policy,
        rotation=settings.rotation,
        attaches=settings.service_account_attachment,
        additional=settings.additional_secrets,
    )


async def status_report(
    snapshot: SnapshotReader, rules: StatusRules, clock: Callable[[], datetime], *, expected: Sequence[str] = ()
) -> StatusReport:
    """Return one report, from a list of Namespaces, one of Secrets of each name and, only if needed, one of Events."""
    requests, secrets, (additional, notes) = await asyncio.gather(
        snapshot.namespaces(namespace_request), snapshot.secrets(), _additional(snapshot, rules.additional)
    )
    now = clock()
    statuses = _statuses(requests, secrets, additional, rules, now)
    others = [each.namespace for each in statuses if each.state is State.OTHER_CLASS and each.namespace not in expected]
    statuses = [each for each in statuses if each.namespace not in others]
    existing = {request.namespace.name for request in requests}
    statuses += [not_found(name) for name in expected if name not in existing]
    notes = [*notes, *rivals(secrets.values()), *of_other_classes(others)]
    if any(status.needs_events for status in statuses):
        try:
            warnings = await snapshot.warnings(now)
            statuses = [with_warning(status, warnings.get(status.namespace)) for status in statuses]
        except FailureError as error:
            notes.append(f"the controller's warnings are not shown: {error}")
    return StatusReport(namespaces=statuses, now=now, notes=notes)


async def scope_notes(client: ApiClient, settings: Settings, shown: Sequence[str], now: datetime) -> Sequence[str]:
    """Return what an installation with `watchNamespaces` leaves outside, if all that it watches is shown."""
    watched = settings.watch_namespaces
    if strangers := [name for name in shown if watched and name not in watched]:
        return [f"{limited_to(watched)}, so not in {listed(strangers)}"]
    if not watched or len(shown) < len(watched):
        return []
    found = await abandoned_secrets(client, settings)
    return [limited_to(watched), *([f"{describe(found, now)}; {CLEANUP}"] if found else [])]


async def _additional(
    snapshot: SnapshotReader, additional: Sequence[AdditionalSecret]
) -> tuple[Mapping[AdditionalSecret, Mapping[str, ObservedSecret]], list[str]]:
    """Return each additional Secret by namespace, and a note of each that the caller may not list."""
    found = await asyncio.gather(*(snapshot.secrets_of(shape_of(each)) for each in additional), return_exceptions=True)
    read: dict[AdditionalSecret, Mapping[str, ObservedSecret]] = {}
    notes: list[str] = []
    for each, outcome in zip(additional, found, strict=True):
        if isinstance(outcome, FailureError):
            notes.append(f"the additional Secret {each.name} is not shown: {outcome}")
        elif isinstance(outcome, BaseException):
            raise outcome
        else:
            read[each] = outcome
    return read, notes


def _statuses(
    requests: list[NamespaceRequest],
    secrets: Mapping[str, ObservedSecret],
    additional: Mapping[AdditionalSecret, Mapping[str, ObservedSecret]],
    rules: StatusRules,
    now: datetime,
) -> list[NamespaceStatus]:
    def status_of(request: NamespaceRequest) -> NamespaceStatus | None:
        name = request.namespace.name
        observed = [(each, held.get(name)) for each, held in additional.items()]
        return namespace_status(request, secrets.get(name), rules, now, observed)

    return sorted(filter(None, map(status_of, requests)), key=lambda status: status.namespace)


def _format(report: StatusReport, options: argparse.Namespace) -> str:
    if options.output == "json":
        return json.dumps(status_table.as_document(report), indent=2)
    if options.output == "yaml":
        document = status_table.as_document(report)
        return yaml.safe_dump(document, sort_keys=False, width=1000).rstrip()
    is_terminal = sys.stdout.isatty()
    colours = is_terminal and not os.environ.get("NO_COLOR")
    text = status_table.as_text(report, wide=options.output == "wide", colours=colours)
    return f"{_CLEAR_SCREEN}{text}" if options.watch is not None and is_terminal else text


def _now() -> datetime:
    return datetime.now(UTC)
