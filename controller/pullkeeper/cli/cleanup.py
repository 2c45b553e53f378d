"""`pullkeeper cleanup`: deletes the pull Secrets that the controller has made, and no other."""

import argparse
import asyncio
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from pullkeeper.adapters.kubernetes.pull_secrets import PullSecretClient
from pullkeeper.adapters.kubernetes.snapshot import SnapshotReader
from pullkeeper.app.config_loader import add_config, add_secret_name, settings_from
from pullkeeper.cli.login import add_login, logged_in
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.errors.failures import FailureError, NamespaceGoneError, StaleObservationError
from pullkeeper.domain.secret.observed_secret import ObservedSecret

_AT_ONCE = 16
_ROUNDS = 3
"""What is left is looked at anew and tried again so often: the last rotation may have come in between."""


@dataclass(kw_only=True, slots=True)
class _Tally:
    """What has come of it."""

    deleted: int = 0
    left: dict[str, str] = field(default_factory=dict)
    """Why, by namespace, of the last round."""


def add_parser(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    add_config(parser)
    add_login(parser)
    add_secret_name(parser)


def main(options: argparse.Namespace) -> int:
    """Print how many were deleted, and a line for each that was not; 1 where one is left."""
    settings = settings_from(options)
    tally = asyncio.run(_swept(options, settings))
    for why in tally.left.values():
        print(why, file=sys.stderr)
    left = f", {len(tally.left):,} left" if tally.left else ""
    several = "" if tally.deleted == 1 else "s"
    print(f"{tally.deleted:,} pull Secret{several} named {settings.secret_name} deleted{left}")
    return 1 if tally.left else 0


async def _swept(options: argparse.Namespace, settings: Settings) -> _Tally:
    tally = _Tally()
    async with logged_in(options) as connection:
        name = settings.secret_name
        listing = SnapshotReader(connection, secret_name=name, namespaces=settings.watch_namespaces)
        cluster = PullSecretClient(connection, secret_name=name)
        for _ in range(_ROUNDS):
            secrets = await listing.secrets()
            # One that somebody has only labelled, and that was never taken over, is still theirs.
            ours = {where: secret for where, secret in secrets.items() if secret.managed and secret.written}
            tally.left = await _delete(cluster, ours)
            tally.deleted += len(ours) - len(tally.left)
            if not tally.left:
                break
    return tally


async def _delete(cluster: PullSecretClient, secrets: Mapping[str, ObservedSecret]) -> dict[str, str]:
    """Delete just what was seen; tells what is left, and why."""
    free = asyncio.Semaphore(_AT_ONCE)

    async def delete(namespace: str, secret: ObservedSecret) -> str:
        async with free:
            try:
                await cluster.delete(namespace, secret)
            except NamespaceGoneError:
                return ""  # it takes the Secret along
            except StaleObservationError:
                return f"namespace/{namespace}: its pull Secret is being changed: stop the controller, then try again"
            except FailureError as error:
                return f"namespace/{namespace}: {error}"
        return ""

    outcomes = await asyncio.gather(*(delete(*each) for each in secrets.items()))
    return {namespace: why for namespace, why in zip(secrets, outcomes, strict=True) if why}
