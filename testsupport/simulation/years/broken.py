"""More classes that are broken on purpose, each in one way, for drawn worlds; see `simulation.mutants` for others."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from unittest import mock

from pullkeeper.adapters.kubernetes.events import EventRecorder
from pullkeeper.adapters.kubernetes.pull_secrets import PullSecretClient
from pullkeeper.adapters.kubernetes.reflector import ListWatch, secrets_list_watch
from pullkeeper.adapters.kubernetes.service_accounts import ServiceAccountClient
from pullkeeper.domain.ecr.rotation import Rotation
from pullkeeper.domain.errors.failures import Failure
from pullkeeper.domain.iam.principal import NOBODY, UNKNOWN
from pullkeeper.domain.reporting.event_reasons import EventReason
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.pull_secret import PullSecret
from pullkeeper.domain.secret.service_account_patch import ObservedServiceAccount, ServiceAccountPatch
from pullkeeper.reconcile import cached_kinds
from pullkeeper.reconcile.caches import ResourceCache
from pullkeeper.reconcile.desired_states import DesiredStates
from pullkeeper.reconcile.namespace_records import NamespaceRecord
from pullkeeper.reconcile.reconciler import Reconciler
from pullkeeper.reconcile.result import Result
from pullkeeper.reconcile.service_account_poller import ServiceAccountPoller
from pullkeeper.reconcile.status_reporter import StatusReporter
from pullkeeper.reconcile.watched_roles import WatchedRoles
from pullkeeper.reconcile.worker import Worker


class RotatesTooLate(Reconciler):
    """Waits until a token has expired."""

    def __init__(self, **others: Any) -> None:
        late = Rotation(fraction=1.1, max_token_age=timedelta(days=2))
        super().__init__(**{**others, "rotation": late})


class GivesUp(Worker):
    """Tries again only after a week."""

    def _back_off(self, record: NamespaceRecord, *, requires_action: bool) -> datetime:
        return super()._back_off(record, requires_action=requires_action) + timedelta(days=7)


class DropsWhatCannotBeRenewed(PullSecretClient):
    """Writes the entries that hold the youngest token only."""

    async def apply(self, namespace: str, content: PullSecret, secret: ObservedSecret | None) -> ObservedSecret:
        """Leave out entries whose token is older than another."""
        newest = max((each.issued_at for each in content.record.held.values()), default=None)
        fresh = {host: auth for host, auth in content.auths.items() if content.record.held[host].issued_at == newest}
        return await super().apply(namespace, replace(content, auths=fresh), secret)


class CreatesOverWhatIsThere(PullSecretClient):
    """Creates by force, whatever Secret somebody else has made meanwhile."""

    async def apply(self, namespace: str, content: PullSecret, secret: ObservedSecret | None) -> ObservedSecret:
        """Send a forced apply without a version."""
        if secret is not None:
            return await super().apply(namespace, content, secret)
        body = self._body(namespace, content, None)
        del body["metadata"]["resourceVersion"]
        path, query = self._path(namespace), {"fieldManager": "pullkeeper", "force": "true"}
        await self._client.request("patch", path, query=query, body=body)
        return await super().apply(namespace, content, secret)


class RecreatesToRepair(PullSecretClient):
    """Deletes what somebody has edited, and creates it anew."""

    async def apply(self, namespace: str, content: PullSecret, secret: ObservedSecret | None) -> ObservedSecret:
        """Delete before repairing."""
        if secret is None or secret.intact:
            return await super().apply(namespace, content, secret)
        await self.delete(namespace, secret)
        return await super().apply(namespace, content, None)


class PutsFinalizers(PullSecretClient):
    """Adds a finalizer to the Namespace of each Secret that it deletes."""

    async def delete(self, namespace: str, secret: ObservedSecret) -> None:
        """Patch the Namespace, and delete."""
        body = {"metadata": {"finalizers": ["pullkeeper.dev/cleanup"]}}
        await self._client.request("patch", f"/api/v1/namespaces/{namespace}", body=body)
        await super().delete(namespace, secret)


class ReadsOtherSecrets(PullSecretClient):
    """Reads a Secret of another name before writing."""

    async def apply(self, namespace: str, content: PullSecret, secret: ObservedSecret | None) -> ObservedSecret:
        """Look at somebody else's Secret."""
        await self._client.request("get", f"/api/v1/namespaces/{namespace}/secrets/default-token")
        return await super().apply(namespace, content, secret)


class ReadsBeforeWriting(PullSecretClient):
    """Reads the pull Secret before each write."""

    async def apply(self, namespace: str, content: PullSecret, secret: ObservedSecret | None) -> ObservedSecret:
        """Read, and write."""
        if secret is not None:
            await self.read_auths(namespace)
        return await super().apply(namespace, content, secret)


class KeepsWhatItWrites(PullSecretClient):
    """Keeps the last body in plain text."""

    async def apply(self, namespace: str, content: PullSecret, secret: ObservedSecret | None) -> ObservedSecret:
        """Keep the text, and write."""
        self.last = [auth.reveal() for auth in content.auths.values()]
        return await super().apply(namespace, content, secret)


def every_secret(name: str, namespace: str = "") -> ListWatch:
    """Select all Secrets, whatever their name."""
    return replace(secrets_list_watch(name, namespace), query={})


class WaitsForNothing(DesiredStates):
    """Deletes at once what the settings have ceased to opt in."""

    def _delete_at(self, record: NamespaceRecord, *, lost: bool) -> datetime | None:  # noqa: ARG002 -- the mutation
        return None


class ClearsPullSecrets(ServiceAccountClient):
    """Takes out everybody's names together with its own."""

    async def patch(
        self, account: ObservedServiceAccount, change: ServiceAccountPatch
    ) -> ObservedServiceAccount | None:
        """Empty the list before the rest."""
        test, *others = change.operations
        entry = {"op": "add", "path": "/imagePullSecrets", "value": []}
        kept = [each for each in others if not str(each["path"]).startswith("/imagePullSecrets")]
        return await super().patch(account, replace(change, operations=(test, entry, *kept)))


class NeverBeginsAnew(ResourceCache[Any]):
    """Compares everything with what it has seen, even after etcd was restored."""

    def start_anew(self) -> None:
        """Go on as before."""

    def _went_back(self, *_: object) -> bool:
        return False


class IgnoresRoles(ResourceCache[Any]):
    """Takes over nothing that a watch tells; the next listing does."""

    def upsert(self, item: Any) -> None:
        """Drop it."""


class ListsRolesOnce(ResourceCache[Any]):
    """Takes over the first listing, and relies on the watch after that."""

    def replace(self, found: Iterable[Any], version: int, scope: str = "", *, watched: bool = False) -> None:
        """Drop what was listed before."""
        if not self._scopes[scope].is_listed or not self._scopes[scope].is_trusted:
            super().replace(found, version, scope, watched=watched)


class ReliesOnWhatIsDenied(ResourceCache[Any]):
    """Goes by what was known before the right to list was taken away."""

    def is_current(self, namespace: str) -> bool:
        """Return whether it was ever listed."""
        return self.has_synced(namespace)


class MissesAccounts(WatchedRoles):
    """Takes a ServiceAccount that is gone, or has no role, for one of which nothing is known."""

    def principal(self, namespace: str, name: str) -> str:
        """Return nothing where nobody is behind it."""
        found = super().principal(namespace, name)
        return UNKNOWN if found == NOBODY else found


class PollsNothing(ServiceAccountPoller):
    """Reads no ServiceAccount in turn."""

    async def run(self) -> None:
        """Do nothing for ever."""
        await asyncio.Event().wait()


class SaysNothing(EventRecorder):
    """Posts no Event."""

    def post(self, namespace: str, reason: EventReason, note: str, **others: Any) -> None:
        """Drop it."""


class IsAlwaysReady(StatusReporter):
    """Reports every namespace as ready, with no failures."""

    def report(self, name: str, record: NamespaceRecord, results: Sequence[Result]) -> None:
        """Report without the failures."""
        super().report(name, record, [replace(result, failures=()) for result in results])


def blames_aws(_: Failure) -> EventReason:
    """Return the same reason for whatever has failed."""
    return EventReason.TOKEN_FETCH_FAILED


def nothing_to_fall_back_to(*_: object) -> None:
    """Give an existing Secret up while its annotations are invalid."""


def without_bad_input(real: Callable[[Failure], EventReason | None]) -> Callable[[Failure], EventReason | None]:
    """Wrap the choice of Events to leave out those for annotations."""
    return lambda failure: None if real(failure) is EventReason.INVALID_ANNOTATION else real(failure)


def first_come_first_served(_pool: object, _waiter: object) -> tuple[bool, int]:
    """Rank all calls to AWS alike."""
    return False, 0


def role_cache(
    broken_class: type[ResourceCache[Any]], enqueue: Callable[[str], None], on_synced: Callable[[], None], reports: Any
) -> ResourceCache[Any]:
    """Make a cache of ServiceAccounts of a broken class."""
    with mock.patch.object(cached_kinds, "ResourceCache", broken_class):
        return cached_kinds.service_account_cache(enqueue, on_synced, reports)
