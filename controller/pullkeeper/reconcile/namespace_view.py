"""The Namespaces as far as they are known; one is read anew where something that depends on it may be newer."""

from collections.abc import Awaitable, Callable

from pullkeeper.domain.errors.failures import NamespaceGoneError, StaleObservationError
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.reconcile.caches import ResourceCache

ReadNamespace = Callable[[str, int], Awaitable[ObservedNamespace | None]]
"""Reads a Namespace as it is now, or None if it is gone.

Raises FailureError, or StaleObservationError if the answer is known to be older than the version that is given.
"""


class NamespaceView:
    """What is known of each Namespace, and how to make sure of it."""

    def __init__(self, cache: ResourceCache[ObservedNamespace], read: ReadNamespace) -> None:
        self._cache = cache
        self._read = read

    def get(self, name: str) -> ObservedNamespace | None:
        """Return a Namespace as last observed."""
        return self._cache.get(name)

    async def confirm(self, name: str, version: int) -> None:
        """Make sure that a Namespace is still as known, where a Secret of it has this version.

        Watches are apart: the Secret may be due to an opt-in that the watch of Namespaces has yet to bring. Raises
        StaleObservationError if the Namespace has changed, NamespaceGoneError, or FailureError if it cannot be read.
        """
        if self._cache.is_known_at(version, name):
            return
        known, current = self._cache.get(name), await self._read(name, version)
        if current is None:
            raise NamespaceGoneError(f"namespace/{name}")
        self._cache.upsert(current)
        if self._cache.get(name) is not known or known is None or current.resource_version != known.resource_version:
            raise StaleObservationError(f"namespace/{name}")
