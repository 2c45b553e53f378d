"""`pullkeeper refresh`: annotate a namespace to request a fresh token, as the caller, and wait for the result."""

import argparse
import asyncio
import secrets
import sys
from datetime import UTC, datetime

from pullkeeper.adapters.kubernetes.refresh_request import request_refresh
from pullkeeper.adapters.kubernetes.snapshot import SnapshotReader
from pullkeeper.cli.api_server import connected
from pullkeeper.cli.found_settings import find_settings
from pullkeeper.cli.options import add_secret_name, add_settings
from pullkeeper.domain.errors.failures import FailureError
from pullkeeper.domain.errors.text import printable
from pullkeeper.domain.namespace.annotations import ENABLED
from pullkeeper.domain.namespace.namespace import PREFIX, observe_namespace
from pullkeeper.domain.reporting.last_warning import LastWarning
from pullkeeper.domain.secret.secret_record import SecretRecord
from pullkeeper.domain.views.durations import format_duration

_POLL_INTERVAL = 0.5
"""Seconds between polls of the pull Secret."""

EXAMPLES = (
    "-n team-a",
    "-n team-a --context prod --timeout 120",
)


def add_parser(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_settings(parser)
    add_secret_name(parser)
    parser.add_argument("-n", "--namespace", required=True, metavar="NAME", help="namespace to refresh")
    parser.add_argument(
        "--timeout", type=float, default=60.0, metavar="SECONDS", help="how long to wait for the token (default: 60)"
    )


def main(options: argparse.Namespace) -> int:
    """Print until when the new token is valid; the exit status is 1 if there is none, with the reason."""
    refreshed, message = asyncio.run(_refresh(options))
    print(printable(f"namespace/{options.namespace}: {message}"), file=sys.stdout if refreshed else sys.stderr)
    return 0 if refreshed else 1


async def _refresh(options: argparse.Namespace) -> tuple[bool, str]:
    name, loop = options.namespace, asyncio.get_running_loop()
    async with connected(options) as client:
        secret_name = (await find_settings(options, client)).settings.secret_name
        snapshot = SnapshotReader(client, secret_name=secret_name, namespaces=(name,))
        if reason := await _cannot_refresh(snapshot, name):
            return False, reason
        previous = await _last_warning(snapshot, name)
        value, started = _unique_value(), loop.time()
        await request_refresh(client, name, value)
        while (elapsed := loop.time() - started) < options.timeout:
            await asyncio.sleep(min(_POLL_INTERVAL, options.timeout - elapsed))
            if record := await _answer(snapshot, name, value):
                return True, _refreshed(record, loop.time() - started)
            warning = await _last_warning(snapshot, name)
            if warning and warning != previous:
                return False, f"not refreshed: {_reason_and_note(warning)}"
        return False, _timed_out(options.timeout, previous)


async def _cannot_refresh(snapshot: SnapshotReader, name: str) -> str:
    """Return why the controller would not answer a request; empty if it would."""
    namespaces, pull_secrets = await snapshot.namespaces(observe_namespace), await snapshot.secrets()
    if not namespaces:
        return "there is no such namespace"
    (namespace,) = namespaces
    if namespace.annotations.get(ENABLED) == "false" or not (namespace.is_requested or pull_secrets.get(name)):
        return f"not opted in: annotate it with {PREFIX}{ENABLED}=true"
    return ""


async def _answer(snapshot: SnapshotReader, name: str, value: str) -> SecretRecord | None:
    secret = (await snapshot.secrets()).get(name)
    record = secret.record if secret else None
    return record if record and record.refresh_requested_at == value else None


async def _last_warning(snapshot: SnapshotReader, name: str) -> LastWarning | None:
    """Return the controller's last warning; None also where the caller may not list Events."""
    try:
        return (await snapshot.warnings(datetime.now(UTC))).get(name)
    except FailureError:
        return None


def _refreshed(record: SecretRecord, seconds: float) -> str:
    issued_at = min(validity.issued_at for validity in record.tokens.values())
    return f"refreshed in {seconds:.1f} s: issued {_timestamp(issued_at)}, valid until {_timestamp(record.expires_at)}"


def _timed_out(seconds: float, warning: LastWarning | None) -> str:
    if warning is None:
        cause = "there is no warning: check that the controller is running"
    else:
        cause = f"last warning, {format_duration(datetime.now(UTC) - warning.at)} ago: {_reason_and_note(warning)}"
    return f"not refreshed within {seconds:g} s; {cause}; the request remains and is answered as soon as possible"


def _reason_and_note(warning: LastWarning) -> str:
    return f"{warning.reason}: {warning.note.removeprefix(f'namespace/{warning.namespace}: ')}"


def _unique_value() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}-{secrets.token_hex(3)}"


def _timestamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%SZ}"
