"""`pullkeeper cleanup`: delete the pull Secrets created by the controller, and no others."""

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from pullkeeper.adapters.kubernetes.api_errors import ApiError
from pullkeeper.adapters.kubernetes.client import KubeClient
from pullkeeper.adapters.kubernetes.pull_secrets import PullSecretClient
from pullkeeper.adapters.kubernetes.snapshot import SnapshotReader
from pullkeeper.cli.api_server import connected
from pullkeeper.cli.lease_taking import take_lease
from pullkeeper.cli.options import add_config, add_kubeconfig, add_secret_name, settings_from
from pullkeeper.domain.config.policy import Policy
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.errors.failures import FailureError, NamespaceGoneError, StaleObservationError
from pullkeeper.domain.errors.text import listed, printable
from pullkeeper.domain.errors.validation import InvalidInputError, Problem
from pullkeeper.domain.kube.api import FORBIDDEN
from pullkeeper.domain.namespace.namespace import ObservedNamespace, observe_namespace
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.shapes import DockerConfig
from pullkeeper.domain.views.scope import abandoned, of_other_classes

_MAX_CONCURRENT_DELETES = 16
_NO_SCOPE = Problem(
    where="--unwatched",
    found="settings without `watchNamespaces`: they watch all",
    expected="--config with the settings of an installation that watches some namespaces only",
)
_MAX_ATTEMPTS = 3
"""How often the remaining Secrets are listed and deleted again: a last rotation may interfere."""


@dataclass(kw_only=True, slots=True)
class _Outcome:
    deleted: int = 0
    remaining: dict[str, str] = field(default_factory=dict)
    """Why a Secret was not deleted, by namespace."""
    unreadable: tuple[str, ...] = ()
    """The namespaces of `watchNamespaces` that could not be looked into."""
    others: frozenset[str] = frozenset()
    """The other installations whose Secrets were left alone."""
    other_classes: tuple[str, ...] = ()
    """The namespaces of other classes, whose Secrets were left alone."""


EXAMPLES = (
    "--config settings.yaml --take-lease",
    "--config settings.yaml --unwatched",
)


def add_parser(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_config(parser)
    add_kubeconfig(parser)
    add_secret_name(parser)
    parser.add_argument(
        "--unwatched",
        action="store_true",
        help="only in namespaces that `watchNamespaces` does not name, where no controller acts any more",
    )
    parser.add_argument(
        "--take-lease",
        action="store_true",
        help="with leader election: take the Lease first, so that a running controller does not create them again",
    )


def main(options: argparse.Namespace) -> int:
    """Print the number of deleted Secrets, and a line for each remaining one; the exit status is 1 if any remains."""
    settings = settings_from(options)
    if options.unwatched and not settings.watch_namespaces:
        raise InvalidInputError([_NO_SCOPE])
    each_name = [settings]
    if not options.secret_name:
        each_name += [replace(settings, secret_name=secret.name) for secret in settings.additional_secrets]
    outcomes = asyncio.run(_delete_each(options, each_name))
    return max([_report(outcome, given) for outcome, given in zip(outcomes, each_name, strict=True)])


def _report(outcome: _Outcome, settings: Settings) -> int:
    """Report on the Secrets of one name; return the exit status."""
    for reason in outcome.remaining.values():
        print(printable(reason), file=sys.stderr)
    for namespace in outcome.unreadable:
        print(f"namespace/{namespace}: skipped: it does not exist, or listing its Secrets is denied", file=sys.stderr)
    if outcome.others:
        print(printable(f"left alone what others have written: {listed(sorted(outcome.others))}"), file=sys.stderr)
    for note in of_other_classes(outcome.other_classes):
        print(note, file=sys.stderr)
    remaining = f", {len(outcome.remaining):,} remaining" if outcome.remaining else ""
    plural = "" if outcome.deleted == 1 else "s"
    print(f"{outcome.deleted:,} pull Secret{plural} named {settings.secret_name} deleted{remaining}")
    nothing_readable = outcome.unreadable and len(outcome.unreadable) == len(settings.watch_namespaces)
    return 1 if outcome.remaining or nothing_readable else 0


async def _delete_each(options: argparse.Namespace, each_name: Sequence[Settings]) -> list[_Outcome]:
    """Delete the Secrets of the name in each of these settings, which are the same but for that."""
    settings = each_name[0]
    async with connected(options) as client:
        if options.take_lease and settings.leader_election:
            await take_lease(client, settings)
        return [await _delete_all(client, options, given) for given in each_name]


async def _delete_all(client: KubeClient, options: argparse.Namespace, settings: Settings) -> _Outcome:
    outcome = _Outcome()
    pull_secrets = PullSecretClient(
        client, shape=DockerConfig(name=settings.secret_name), installation=settings.installation
    )
    for _ in range(_MAX_ATTEMPTS):
        secrets, outcome.unreadable = await _secrets(client, settings, unwatched=options.unwatched)
        if options.unwatched:
            secrets, outcome.others = _unwatched(secrets, settings)
        # A Secret that carries the label but was never written by the controller still belongs to its author.
        ours = {namespace: secret for namespace, secret in secrets.items() if secret.managed and secret.written}
        ours, outcome.other_classes = _of_class(ours, await _namespaces(client, settings, ours), settings.policy)
        if options.config:
            ours, outcome.others = _without_others(ours, settings.installation, outcome.others)
        outcome.remaining = await _delete(pull_secrets, ours)
        outcome.deleted += len(ours) - len(outcome.remaining)
        if not outcome.remaining:
            break
    return outcome


async def _secrets(
    client: KubeClient, settings: Settings, *, unwatched: bool
) -> tuple[dict[str, ObservedSecret], tuple[str, ...]]:
    """Read all Secrets of the name, everywhere or where it is watched; the second part is where this is denied.

    The Role in a namespace is gone with it, so one that does not exist is denied to whoever has no rights but there.
    """
    found: dict[str, ObservedSecret] = {}
    unreadable: list[str] = []
    watched = settings.watch_namespaces
    everywhere: tuple[str, ...] = ()
    one_by_one: list[tuple[str, ...]] = [(name,) for name in watched]
    for scope in [everywhere] if unwatched else one_by_one or [everywhere]:
        try:
            found |= await SnapshotReader(client, secret_name=settings.secret_name, namespaces=scope).secrets()
        except ApiError as error:
            if not scope or error.status != FORBIDDEN:
                raise
            unreadable += scope
    return found, tuple(unreadable)


async def _namespaces(
    client: KubeClient, settings: Settings, names: Mapping[str, ObservedSecret]
) -> dict[str, ObservedNamespace]:
    """Read the Namespaces of some Secrets: all at once, or one by one where the rights are for each."""
    scope = tuple(names) if settings.watch_namespaces else ()
    reader = SnapshotReader(client, secret_name=settings.secret_name, namespaces=scope)
    return {each.name: each for each in (await reader.namespaces(observe_namespace) if names else ())}


def _of_class(
    secrets: Mapping[str, ObservedSecret], namespaces: Mapping[str, ObservedNamespace], policy: Policy
) -> tuple[dict[str, ObservedSecret], tuple[str, ...]]:
    """Select the Secrets in namespaces of the installation's class; the second part is the other namespaces."""
    found = {
        name: secret
        for name, secret in secrets.items()
        if name in namespaces and policy.serves(namespaces[name], secret.installation_class)
    }
    return found, tuple(sorted((secrets.keys() & namespaces.keys()) - found.keys()))


def _without_others(
    secrets: Mapping[str, ObservedSecret], installation: str, others: frozenset[str]
) -> tuple[dict[str, ObservedSecret], frozenset[str]]:
    """Leave out what another installation of the class has written last; the second part is which ones there are."""
    found = {name: secret for name, secret in secrets.items() if secret.written_by in {"", installation}}
    return found, others.union(secret.written_by for secret in secrets.values()) - {"", installation}


def _unwatched(
    secrets: Mapping[str, ObservedSecret], settings: Settings
) -> tuple[dict[str, ObservedSecret], frozenset[str]]:
    """Select the Secrets that nobody watches; the second part is who has written others that are not watched."""
    found = {
        secret.namespace: secret
        for secret in abandoned(secrets.values(), settings.watch_namespaces, settings.installation)
    }
    outside = (secret for name, secret in secrets.items() if name not in {*settings.watch_namespaces, *found})
    return found, frozenset(filter(None, (secret.written_by for secret in outside)))


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
