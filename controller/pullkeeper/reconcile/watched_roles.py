"""Who is behind the ServiceAccounts that are watched: all of them, or those of some names."""

from collections.abc import Callable, Iterable, Mapping

from pullkeeper.domain.iam.principal import NOBODY, UNKNOWN
from pullkeeper.domain.namespace.annotations import SERVICE_ACCOUNT
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.namespace.service_account_names import ALL
from pullkeeper.domain.secret.service_account_patch import ObservedServiceAccount
from pullkeeper.reconcile.cached_kinds import service_account_cache
from pullkeeper.reconcile.caches import CacheReports, ResourceCache

ServiceAccountCache = ResourceCache[ObservedServiceAccount]


class WatchedRoles:
    """Tells the principal of a ServiceAccount as its watch has told of it last."""

    def __init__(self, caches: Mapping[str, ServiceAccountCache]) -> None:
        """`caches` has that of the ServiceAccounts of each name, or under "*" that of all."""
        self._caches = caches

    def is_watched(self, namespace: str, name: str) -> bool:
        """Whether a watch tells of each change of this ServiceAccount; not while its right is denied."""
        return any(cache.is_current(namespace) for cache in self._of(name))

    def principal(self, namespace: str, name: str) -> str:
        """Return who is behind it at AWS: NOBODY where it does not exist, UNKNOWN where it is not watched."""
        for cache in self._of(name):
            if cache.is_current(namespace):
                account = cache.get(namespace, name)
                return account.principal if account else NOBODY
        return UNKNOWN

    def _of(self, name: str) -> Iterable[ServiceAccountCache]:
        return (self._caches[key] for key in (name, ALL) if key in self._caches)


def role_caches(
    names: Iterable[str],
    namespaces: ResourceCache[ObservedNamespace],
    enqueue: Callable[[str], None],
    reports: CacheReports,
) -> Mapping[str, ServiceAccountCache]:
    """Make a cache for each name; only namespaces that name a ServiceAccount of their own are enqueued."""

    def changed(namespace: str) -> None:
        if (found := namespaces.get(namespace)) is not None and SERVICE_ACCOUNT in found.annotations:
            enqueue(namespace)

    def synced() -> None:
        for namespace in namespaces.items():
            changed(namespace.name)

    return {name: service_account_cache(changed, synced, reports) for name in names}
