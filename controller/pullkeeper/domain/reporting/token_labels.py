"""Which identities and regions have series of their own: a namespace may name any, and few of them exist."""

from collections import Counter

from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.iam.identity import Identity, Kind

OTHER = "other"
"""Label of everything that has no series of its own."""
MAX_SERIES = 1000
"""How many pairs of identity and region have series of their own."""
MAX_SERIES_PER_NAMESPACE = 20
"""How many of them may be of identities that one namespace has to itself."""
IDLE_SECONDS = 24 * 3600.0
"""Seconds after which an identity that requests no tokens is no longer in use: tokens are replaced twice a day."""

Labels = tuple[str, str]
"""Identity and region."""


class TokenLabels:
    """The labels of token requests; an identity in a region gets its own with the first token that AWS issues to it."""

    def __init__(self) -> None:
        self._used_at: dict[Labels, float] = {}
        self._regions: set[str] = set()
        self._owners: Counter[str] = Counter()

    def of(self, scope: TokenScope, now: float, *, issued: bool) -> tuple[Labels, bool]:
        """Return the labels for a request that AWS has answered with a token or not, and whether they are new.

        `now` is in monotonic seconds. What has no labels of its own may still have those of the controller's identity,
        and of a region in which AWS has issued a token to somebody.
        """
        labels = (scope.identity.name, scope.label)
        if labels not in self._used_at and not (issued and self._admits(scope)):
            # As many as the settings name: nobody else can add to them.
            identity = scope.identity.name if scope.identity.kind is Kind.CONTROLLER else OTHER
            labels = (identity, scope.label if scope.label in self._regions else OTHER)
        is_new = labels not in self._used_at
        self._used_at[labels] = now
        return labels, is_new

    def remove_unused(self, now: float) -> list[Labels]:
        """Remove the labels that are no longer in use, and return them: their series would look stale forever."""
        unused = [labels for labels, used_at in self._used_at.items() if now - used_at > IDLE_SECONDS]
        for labels in unused:
            del self._used_at[labels]
            self._owners[_owner(Identity(name=labels[0]))] -= 1
        return unused

    def _admits(self, scope: TokenScope) -> bool:
        owner = _owner(scope.identity)
        if len(self._used_at) >= MAX_SERIES or (owner and self._owners[owner] >= MAX_SERIES_PER_NAMESPACE):
            return False
        self._owners[owner] += 1
        self._regions.add(scope.label)
        return True


def _owner(identity: Identity) -> str:
    """Return the only namespace that may use an identity, or "" if others may, too."""
    if identity.kind is Kind.SERVICE_ACCOUNT:
        return identity.service_account[0]
    return identity.name.partition(" for ")[2]
