"""`pullkeeper cleanup`: delete the pull Secrets created by the controller, and no others."""

import argparse
import asyncio
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from pullkeeper.adapters.kubernetes.pull_secrets import PullSecretClient
from pullkeeper.adapters.kubernetes.snapshot import SnapshotReader
from pullkeeper.cli.api_server import connected
from pullkeeper.cli.options import add_config, add_kubeconfig, add_secret_name, settings_from
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.errors.failures import FailureError, NamespaceGoneError, StaleObservationError
from pullkeeper.domain.errors.text import printable
from pullkeeper.domain.secret.observed_secret import ObservedSecret

_MAX_CONCURRENT_DELETES = 16
_MAX_ATTEMPTS = 3
"""How often the remaining Secrets are listed and deleted again: a last rotation may interfere."""


@dataclass(kw_only=True, slots=True)
class _Outcome:
    deleted: int = 0
    remaining: dict[str, str] = field(default_factory=dict)
    """Why a Secret was not deleted, by namespace."""


def add_parser(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_config(parser)
    add_kubeconfig(parser)
    add_secret_name(parser)


def main(options: argparse.Namespace) -> int:
    """Print the number of deleted Secrets, and a line for each remaining one; the exit status is 1 if any remains."""
    settings = settings_from(options)
    outcome = asyncio.run(_delete_all(options, settings))
    for reason in outcome.remaining.values():
        print(printable(reason), file=sys.stderr)
    remaining = f", {len(outcome.remaining):,} remaining" if outcome.remaining else ""
    plural = "" if outcome.deleted == 1 else "s"
    print(f"{outcome.deleted:,} pull Secret{plural} named {settings.secret_name} deleted{remaining}")
    return 1 if outcome.remaining else 0


async def _delete_all(options: argparse.Namespace, settings: Settings) -> _Outcome:
    outcome = _Outcome()
    async with connected(options) as client:
        name = settings.secret_name
        snapshot = SnapshotReader(client, secret_name=name, namespaces=settings.watch_namespaces)
        pull_secrets = PullSecretClient(client, secret_name=name)
        for _ in range(_MAX_ATTEMPTS):
            secrets = await snapshot.secrets()
            # A Secret that carries the label but was never written by the controller still belongs to its author.
            ours = {namespace: secret for namespace, secret in secrets.items() if secret.managed and secret.written}
            outcome.remaining = await _delete(pull_secrets, ours)
            outcome.deleted += len(ours) - len(outcome.remaining)
            if not outcome.remaining:
                break
    return outcome


async def _delete(pull_secrets: PullSecretClient, secrets: Mapping[str, ObservedSecret]) -> dict[str, str]:
    """Delete exactly the observed Secrets; returns why one remains, by namespace."""
    semaphore = asyncio.Semaphore(_MAX_CONCURRENT_DELETES)

    async def delete(namespace: str, secret: ObservedSecret) -> str:
        async with semaphore:
            try:
                await pull_secrets.delete(namespace, secret)
            except NamespaceGoneError:
                return ""  # deleted with the namespace
            except StaleObservationError:
                return f"namespace/{namespace}: its pull Secret keeps changing: stop the controller, then try again"
            except FailureError as error:
                return f"namespace/{namespace}: {error}"
        return ""

    reasons = await asyncio.gather(*(delete(*each) for each in secrets.items()))
    return {namespace: reason for namespace, reason in zip(secrets, reasons, strict=True) if reason}
