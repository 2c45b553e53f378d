"""`pullkeeper refresh`: asks for a fresh token by the namespace's annotation, as whoever calls it, and waits for it."""

import argparse
import asyncio
import secrets
import sys
from datetime import UTC, datetime

from pullkeeper.adapters.kubernetes import refresh_request
from pullkeeper.adapters.kubernetes.snapshot import SnapshotReader
from pullkeeper.app.config_loader import add_config, add_secret_name, settings_from
from pullkeeper.cli.login import add_login, logged_in
from pullkeeper.domain.errors.failures import FailureError
from pullkeeper.domain.namespace.annotations import ENABLED
from pullkeeper.domain.namespace.namespace import observe_namespace
from pullkeeper.domain.reporting.last_warning import LastWarning
from pullkeeper.domain.secret.pull_secret import SecretRecord
from pullkeeper.domain.views.durations import format_duration

_EVERY = 0.5
"""Seconds between two looks."""


def add_parser(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    add_config(parser)
    add_login(parser)
    add_secret_name(parser)
    parser.add_argument("-n", "--namespace", required=True, metavar="NAME", help="the namespace")
    parser.add_argument(
        "--timeout", type=float, default=60.0, metavar="SECONDS", help="wait so long for the answer (default: 60)"
    )


def main(options: argparse.Namespace) -> int:
    """Print until when the new token is good; 1 where there is none, and why."""
    where = f"namespace/{options.namespace}"
    refused, said = asyncio.run(_asked(options, settings_from(options).secret_name))
    print(f"{where}: {said}", file=sys.stderr if refused else sys.stdout)
    return 1 if refused else 0


async def _asked(options: argparse.Namespace, secret_name: str) -> tuple[bool, str]:
    name, loop = options.namespace, asyncio.get_running_loop()
    async with logged_in(options) as connection:
        listing = SnapshotReader(connection, secret_name=secret_name, namespaces=(name,))
        if why := await _hopeless(listing, name):
            return True, why
        before = await _warned(listing, name)
        value, started = _value(), loop.time()
        await refresh_request.put(connection, name, value)
        while (passed := loop.time() - started) < options.timeout:
            await asyncio.sleep(min(_EVERY, options.timeout - passed))
            if held := await _answered(listing, name, value):
                return False, _refreshed(held, loop.time() - started)
            last = await _warned(listing, name)
            if last and last != before:
                return True, f"not refreshed: {last.reason}: {last.note.removeprefix(f'namespace/{name}: ')}"
        return True, _in_vain(options.timeout, before, name)


async def _hopeless(listing: SnapshotReader, name: str) -> str:
    """Tell why nobody would answer, before anything is written."""
    views, secrets_there = await listing.namespaces(observe_namespace), await listing.secrets()
    if not views:
        return "there is no such namespace"
    secret = secrets_there.get(name)
    if views[0].annotations.get(ENABLED) == "false" or not (views[0].is_requested or secret):
        return f"it is not opted in: annotate it with pullkeeper.dev/{ENABLED}=true"
    return ""


async def _answered(listing: SnapshotReader, name: str, value: str) -> SecretRecord | None:
    secret = (await listing.secrets()).get(name)
    held = secret.record if secret else None
    return held if held and held.refresh_requested_at == value else None


async def _warned(listing: SnapshotReader, name: str) -> LastWarning | None:
    """Give the controller's last warning; whoever may not list Events has to wait for the timeout."""
    try:
        return (await listing.warnings()).get(name)
    except FailureError:
        return None


def _refreshed(held: SecretRecord, seconds: float) -> str:
    issued, until = min(times.issued_at for times in held.tokens.values()), held.expires_at
    return f"refreshed after {seconds:.1f} s: issued {_moment(issued)}, good until {_moment(until)}"


def _in_vain(seconds: float, before: LastWarning | None, name: str) -> str:
    if before is None:
        why = "and no warning says why: look whether the controller runs"
    else:
        note = before.note.removeprefix(f"namespace/{name}: ")
        why = f"the last warning, {format_duration(datetime.now(UTC) - before.at)} ago: {before.reason}: {note}"
    return f"not refreshed within {seconds:g} s; {why}; the request stays, and is answered when it can be"


def _value() -> str:
    """Give a value that was never there before."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}-{secrets.token_hex(3)}"


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%SZ}"
