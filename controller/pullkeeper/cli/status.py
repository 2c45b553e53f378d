"""`pullkeeper status`: how every namespace stands, from metadata alone: no Secret's data is read, no token fetched."""

import argparse
import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime

import yaml

from pullkeeper.adapters.kubernetes.snapshot import SnapshotReader
from pullkeeper.app.config_loader import add_config, add_secret_name, settings_from
from pullkeeper.cli.login import add_login, logged_in
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.errors.failures import FailureError
from pullkeeper.domain.namespace.namespace_request import NamespaceRequest, namespace_request
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.views import status_table
from pullkeeper.domain.views.namespace_status import (
    NamespaceStatus,
    StatusRules,
    namespace_status,
    not_found,
    with_warning,
)
from pullkeeper.domain.views.status_table import StatusReport

_EVERY = 5.0
"""Seconds between two looks with `--watch`, unless it says otherwise."""
_CLEAR = "\033[H\033[2J"
_NO_CONFIG = (
    "without --config it cannot be told which namespaces the installation opts in, its default registries, "
    "its policy and its rule of rotation"
)


def add_parser(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    add_config(parser)
    add_login(parser)
    add_secret_name(parser)
    parser.add_argument(
        "-n", "--namespace", action="append", default=[], metavar="NAME", help="only this namespace; may be given again"
    )
    parser.add_argument(
        "-o", "--output", choices=("text", "wide", "json", "yaml"), default="text", help="how to write it"
    )
    parser.add_argument(
        "-w",
        "--watch",
        nargs="?",
        const=_EVERY,
        type=float,
        metavar="SECONDS",
        help=f"look again every so many seconds ({_EVERY:.0f}), until Ctrl-C",
    )


def main(options: argparse.Namespace) -> int:
    """Print how the namespaces stand; 1 where something is wrong."""
    return asyncio.run(_shown(options, settings_from(options)))


async def _shown(options: argparse.Namespace, settings: Settings) -> int:
    rules = StatusRules(policy=settings.policy, rotation=settings.rotation) if options.config else StatusRules()
    stop = asyncio.Event()
    if options.watch is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)
    async with logged_in(options) as connection:
        namespaces = options.namespace or settings.watch_namespaces
        listing = SnapshotReader(connection, secret_name=settings.secret_name, namespaces=namespaces)
        if options.watch is None:
            report = await look(listing, rules, _now, expected=namespaces)
            print(_written(report, options))
            return 0 if report.healthy else 1
        while not stop.is_set():
            try:
                report = await look(listing, rules, _now, expected=namespaces)
                print(_written(report, options), flush=True)
            except FailureError as error:
                print(f"pullkeeper: {error}", file=sys.stderr, flush=True)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), options.watch)
        return 0


async def look(
    listing: SnapshotReader, rules: StatusRules, clock: Callable[[], datetime], *, expected: Sequence[str] = ()
) -> StatusReport:
    """Look once: one listing of Namespaces and one of Secrets, and one of Events where only they can tell more."""
    seen, secrets = await asyncio.gather(listing.namespaces(namespace_request), listing.secrets())
    now = clock()
    found = _statuses(seen, secrets, rules, now)
    found += [not_found(name) for name in expected if name not in {each.namespace.name for each in seen}]
    notes = [] if rules.policy else [_NO_CONFIG]
    if any(status.needs_events for status in found):
        try:
            warnings = await listing.warnings()
            found = [with_warning(each, warnings.get(each.namespace)) for each in found]
        except FailureError as error:
            notes.append(f"what the controller says of it is not shown: {error}")
    return StatusReport(namespaces=found, now=now, notes=notes)


def _statuses(
    seen: list[NamespaceRequest], secrets: Mapping[str, ObservedSecret], rules: StatusRules, now: datetime
) -> list[NamespaceStatus]:
    found = (namespace_status(each, secrets.get(each.namespace.name), rules, now) for each in seen)
    return sorted(filter(None, found), key=lambda each: each.namespace)


def _written(report: StatusReport, options: argparse.Namespace) -> str:
    if options.output == "json":
        return json.dumps(status_table.as_document(report), indent=2)
    if options.output == "yaml":
        document = status_table.as_document(report)
        return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1000).rstrip()
    terminal = sys.stdout.isatty()
    colours = terminal and not os.environ.get("NO_COLOR")
    text = status_table.as_text(report, wide=options.output == "wide", colours=colours)
    return f"{_CLEAR}{text}" if options.watch is not None and terminal else text


def _now() -> datetime:
    return datetime.now(UTC)
