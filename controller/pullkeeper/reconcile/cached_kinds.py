"""The caches that there are: of Namespaces, pull Secrets and ServiceAccounts."""

from collections.abc import Callable, Mapping
from typing import Any

from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.service_account_patch import ObservedServiceAccount
from pullkeeper.reconcile.caches import CacheReports, Observer, ResourceCache


def namespace_cache(
    enqueue: Callable[[str], None], observer: Observer[ObservedNamespace], reports: CacheReports | None = None
) -> ResourceCache[ObservedNamespace]:
    """Make the cache of Namespaces: only what matters to the pull Secret is enqueued, or another object of the name."""
    return ResourceCache(
        "namespaces",
        key=lambda namespace: (namespace.name, ""),
        enqueue=enqueue,
        is_relevant=lambda before, after: (before.uid, before.content) != (after.uid, after.content),
        observer=observer,
        one_by_one=True,
        reports=reports,
    )


def secret_cache(
    enqueue: Callable[[str], None],
    reports: CacheReports | None = None,
    *,
    on_synced: Callable[[], None] = lambda: None,
) -> ResourceCache[ObservedSecret]:
    """Make the cache of the Secrets of one name: there is one in each namespace."""
    return ResourceCache(
        "secrets",
        key=lambda secret: (secret.namespace, ""),
        enqueue=enqueue,
        on_synced=on_synced,
        reports=reports,
    )


def recalling(cache: ResourceCache[ObservedSecret]) -> Callable[[Mapping[str, Any]], ObservedSecret | None]:
    """Return what finds a Secret of just this version by its metadata: most events of a watch are our own writes.

    Not for a listing: versions may have gone back before one, and then come again.
    """

    def recall(metadata: Mapping[str, Any]) -> ObservedSecret | None:
        known = cache.get(metadata["namespace"])
        same = known is not None and str(known.resource_version) == metadata["resourceVersion"]
        return known if same else None

    return recall


def service_account_cache(
    enqueue: Callable[[str], None], on_synced: Callable[[], None], reports: CacheReports | None = None
) -> ResourceCache[ObservedServiceAccount]:
    """Make the cache of ServiceAccounts."""
    return ResourceCache(
        "serviceaccounts",
        key=lambda account: (account.namespace, account.name),
        enqueue=enqueue,
        on_synced=on_synced,
        reports=reports,
    )
