"""ServiceAccounts to attach: in every version others' entries are there, and ours only where it was asked for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

NAME, THEIRS = "builder", "theirs"
"""The ServiceAccount in each namespace, and the entry that somebody else has put there."""


@dataclass(kw_only=True)
class AccountJudge:
    """Knows where the pull Secret is to be attached, and notes what breaks an invariant."""

    ours: str
    """Name of the pull Secret."""
    wanted: dict[str, bool] = field(default_factory=dict)
    """Whether each namespace asks for it now."""
    asked: set[str] = field(default_factory=set)
    """Namespaces that ever did."""
    versions: int = 0
    broken: list[str] = field(default_factory=list)

    def want(self, namespace: str, *, attached: bool) -> None:
        """Take note of what is asked for from now on."""
        self.wanted[namespace] = attached
        if attached:
            self.asked.add(namespace)

    def history_went_back(self) -> None:
        """Do nothing: each version is judged by itself."""

    def take(self, kind: str, account: Mapping[str, Any]) -> None:
        """Judge the next version of a ServiceAccount: ADDED, MODIFIED or DELETED."""
        namespace, entries = account["metadata"]["namespace"], entries_of(account)
        self.versions += 1
        if kind == "DELETED":
            self.broken.append(f"somebody deleted the ServiceAccount in {namespace}")
        if [entry for entry in entries if entry != self.ours] != [THEIRS]:
            self.broken.append(f"only ours: the ServiceAccount in {namespace} has {entries}")
        if entries.count(self.ours) > (namespace in self.asked):
            self.broken.append(f"the ServiceAccount in {namespace} has {entries}, which nobody asked for")

    def satisfied(self, accounts: Iterable[Mapping[str, Any]]) -> bool:
        """Whether the ServiceAccounts are as asked for, of all that there are."""
        found = {account["metadata"]["namespace"]: entries_of(account) for account in accounts}
        return all(
            found.get(name) == [THEIRS, *([self.ours] if attached else [])] for name, attached in self.wanted.items()
        )


def entries_of(account: Mapping[str, Any]) -> list[str]:
    """Return the names in its `imagePullSecrets`."""
    return [entry["name"] for entry in account.get("imagePullSecrets") or ()]
