"""Who waits for a token: it decides the order in which tokens are fetched."""

from dataclasses import dataclass

_MAX_NAMESPACES = 16
"""A token that more namespaces share needs no more of them to get its turn."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Requester:
    """A namespace that asks for a token."""

    namespace: str
    first: bool
    """Whether it has no pull Secret yet: a first Secret is served ahead of rotations."""


class Demand:
    """The namespaces that wait for one fetch; it may grow until the fetch ends."""

    __slots__ = ("_namespaces", "first")

    def __init__(self, requester: Requester) -> None:
        self._namespaces = {requester.namespace: None}
        self.first = requester.first
        """Whether one of them waits for its first Secret."""

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Return the first of the namespaces, in the order in which they asked."""
        return tuple(self._namespaces)

    def add(self, requester: Requester) -> None:
        """Let another namespace share the fetch."""
        self.first = self.first or requester.first
        if len(self._namespaces) < _MAX_NAMESPACES:
            self._namespaces[requester.namespace] = None
