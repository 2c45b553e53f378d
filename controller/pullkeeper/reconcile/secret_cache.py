"""The Secrets of our name as they were last seen, by their metadata alone."""

import asyncio
from collections.abc import Callable, Mapping

from pullkeeper.domain.secret.observed_secret import ObservedSecret

Placed = tuple[str, ObservedSecret]
"""The namespace that a Secret is in, and the Secret."""


class SecretCache:
    """Knows what one watch tells, and wakes whoever is to look at a namespace when its Secret changes."""

    def __init__(self, *, wake: Callable[[str], None]) -> None:
        self._wake = wake
        self._known: dict[str, ObservedSecret] = {}
        self._told = 0
        """Up to this version the API server has told everything, our own writes included."""
        self.synced = asyncio.Event()

    def get(self, namespace: str) -> ObservedSecret | None:
        """Give the Secret of this namespace as it was last seen."""
        return self._known.get(namespace)

    def all(self) -> Mapping[str, ObservedSecret]:
        """Give the Secrets of all namespaces as they were last seen."""
        return dict(self._known)

    def written(self, namespace: str, secret: ObservedSecret | None) -> None:
        """Take note of our own write: the watch will bring the same, and nobody is woken for it.

        A write that the watch has overtaken is no news: what came after it may be somebody else's.
        """
        if secret is None:
            self._known.pop(namespace, None)
        elif secret.resource_version > self._told:
            self._known[namespace] = secret

    def replace(self, found: list[Placed], version: int) -> None:
        """Take over a whole listing."""
        listed = dict(found)
        for namespace, known in list(self._known.items()):
            # Our own write may be younger than the listing.
            if namespace not in listed and known.resource_version <= version:
                self._drop(namespace)
        for each in found:
            self.upsert(each)
        self.on_bookmark(max(self._told, version))
        self.synced.set()

    def upsert(self, placed: Placed) -> None:
        """Take note of one that is there or has changed."""
        namespace, secret = placed
        known = self._known.get(namespace)
        if known is None or known.resource_version < secret.resource_version:
            self._known[namespace] = secret
            self._wake(namespace)

    def delete(self, placed: Placed) -> None:
        """Take note of one that is gone, as it was last."""
        namespace, last = placed
        known = self._known.get(namespace)
        if known is not None and known.resource_version < last.resource_version:
            self._drop(namespace)

    def on_bookmark(self, version: int) -> None:
        """Take note that everything up to this version has been told."""
        self._told = version

    def on_forbidden(self) -> None:
        """Nothing can be known: wait on."""

    def _drop(self, namespace: str) -> None:
        del self._known[namespace]
        self._wake(namespace)


class OneNamespaceSecrets(SecretCache):
    """What the watch of one namespace tells: where there is no right to look, the others are not held up by it."""

    def on_forbidden(self) -> None:
        """Go on without it."""
        self.synced.set()


class ByNamespace:
    """The pull Secrets of a few namespaces, each with a watch of its own."""

    def __init__(self, parts: Mapping[str, SecretCache]) -> None:
        self._parts = parts

    def get(self, namespace: str) -> ObservedSecret | None:
        """Give the Secret of this namespace as it was last seen."""
        return self._parts[namespace].get(namespace) if namespace in self._parts else None

    def all(self) -> Mapping[str, ObservedSecret]:
        """Give the Secrets of all of them."""
        return {name: secret for part in self._parts.values() for name, secret in part.all().items()}

    def written(self, namespace: str, secret: ObservedSecret | None) -> None:
        """Take note of our own write."""
        self._parts[namespace].written(namespace, secret)
