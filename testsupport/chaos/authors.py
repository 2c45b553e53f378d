"""Who wrote what, by the audit log: only the replica that holds the Lease, and only what is ours to write."""

from bisect import bisect
from collections.abc import Iterable, Iterator, Mapping, Sequence

from testsupport.chaos.audit import Audited

_CREATED = 201


def written_by_others(requests: Sequence[Audited], user: str, name: str, foreign: Iterable[str]) -> Iterator[str]:
    """Return the controller's accepted writes of what is not its own."""
    spared = set(foreign)
    for each in requests:
        if each.user != user or not each.writes or not each.accepted:
            continue
        if each.resource == "secrets" and (each.name != name or each.namespace in spared):
            yield f"only ours: {each.replica} wrote secret {each.namespace}/{each.name}"
        if each.resource == "namespaces":
            yield f"hands off Namespaces: {each.replica} wrote {each.name}"


def written_without_lease(
    requests: Sequence[Audited], set_out: Mapping[str, float], *, restored: Sequence[int] = ()
) -> Iterator[str]:
    """Return the accepted writes of a replica after another one had taken the Lease.

    `set_out` has for each Audit-ID when the proxy first saw the request, in seconds; what was under way when the Lease
    was taken names the version that it replaces, and is no fault. At each moment of `restored` (microseconds) the
    record begins anew.
    """
    on_lease: dict[int, list[Audited]] = {}
    for each in requests:
        if each.resource == "leases" and each.replica:
            on_lease.setdefault(bisect(restored, each.call), []).append(each)
    for each in requests:
        if each.resource != "secrets" or not each.replica or not each.writes or not each.accepted:
            continue
        begun = int(set_out[each.id] * 1_000_000) if each.id in set_out else each.call
        if not _may_write(on_lease.get(bisect(restored, begun), ()), each, begun):
            yield f"{each.replica} wrote secret {each.namespace} after another replica had taken the Lease ({each.id})"


def _may_write(on_lease: Sequence[Audited], write: Audited, begun: int) -> bool:
    """Whether the last replica that surely held the Lease, or one that may have taken it meanwhile, is the writer."""
    takings = [each for each in on_lease if each.writes and each.accepted and _name(each.holder) == each.replica]
    surely = [each for each in takings if each.answered < begun]
    perhaps = [each for each in takings if each.call <= write.answered and each.answered >= begun]
    last = max(surely, key=lambda each: each.answered, default=None)
    if last is None or any(each.replica == write.replica for each in (last, *perhaps)):
        return True
    return not _has_noticed(on_lease, write.replica, _created_since(takings, write.replica, begun), begun)


def _created_since(takings: Sequence[Audited], replica: str, begun: int) -> Audited | None:
    """Return the creation of a Lease that had been deleted, if that and no takeover ended a replica's holding it."""
    held = max((each.answered for each in takings if each.replica == replica and each.answered < begun), default=0)
    after = [each for each in takings if held < each.answered < begun]
    first = min(after, key=lambda each: each.answered)
    return first if first.code == _CREATED else None


def _has_noticed(on_lease: Sequence[Audited], replica: str, created: Audited | None, begun: int) -> bool:
    """Whether a replica knows that it holds the Lease no more: of a deletion it learns when it reads.

    The record has when the API server answered, not when that arrived; it surely has when the replica asks once more.
    """
    if created is None:
        return True
    later = [each for each in on_lease if each.replica == replica and created.answered < each.call < begun]
    # A refused renewal says that the Lease was written; who holds it is in the answer to the read that follows.
    told = min((each.answered for each in later if each.answered and each.verb == "get"), default=begun)
    return any(told < each.call for each in later)


def _name(holder: str) -> str:
    """Return the pod's name in a holder's identity."""
    return holder.rpartition("_")[0]


def unexplained(seen: Iterable[tuple[str, int]], requests: Sequence[Audited], name: str) -> list[str]:
    """Return the versions that a watcher saw and no request explains, where every request was answered."""
    writes = [each for each in requests if each.resource == "secrets" and each.name == name and each.writes]
    answered = {(each.namespace, each.version) for each in writes if each.accepted}
    open_ended = {each.namespace for each in writes if each.answered == 0 or each.code >= 500}
    return [
        f"nobody is on record for version {version} of the Secret in {namespace}"
        for namespace, version in sorted(set(seen) - answered)
        if namespace not in open_ended
    ]


def unseen(seen: Iterable[tuple[str, int]], requests: Iterable[Audited], name: str) -> list[tuple[str, int]]:
    """Return the versions that were written and no watcher saw: those between the end of a watch and the next list."""
    writes = (each for each in requests if each.resource == "secrets" and each.name == name and each.accepted)
    written = {(each.namespace, each.version) for each in writes if each.writes and each.verb != "delete"}
    return sorted(written - set(seen))
