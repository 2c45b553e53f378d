"""Checkers of objects: which Secrets were written and deleted, how, and the end state."""

from collections.abc import Iterator
from typing import NamedTuple

from pullkeeper.domain.namespace.namespace import PREFIX
from testsupport.simulation.check_tokens import known_until, longest_gap, required_hosts
from testsupport.simulation.record import CONTROLLER, NamespaceVersion, Record, SecretVersion, Status
from testsupport.simulation.store import SECRET_NAME

_READING = {"get", "list"}


def only_ours(record: Record) -> Iterator[str]:
    """Report each write and deletion of a Secret without the controller's label."""
    for before, after in record.changes():
        if before is not None and not before.managed and after.writer == CONTROLLER:
            what = "deleted" if after.gone else "written"
            yield f"{after.namespace} at {after.at:.0f}: a foreign Secret was {what}"


def in_place(record: Record) -> Iterator[str]:
    """Report each Secret that was deleted or replaced by a new object while it was required."""
    for before, after in record.changes():
        if before is None or after.writer != CONTROLLER:
            continue
        if after.uid != before.uid:
            yield f"{after.namespace} at {after.at:.0f}: the UID has changed"
        if after.gone and required_hosts(record, after.namespace, after.at):
            yield f"{after.namespace} at {after.at:.0f}: deleted while it was required"


def hands_off(record: Record) -> Iterator[str]:
    """Report each request that would change anything but the pull Secret or an Event."""
    for request in record.requests:
        if request.verb in _READING:
            continue
        match request.path.split("/"):
            case ["", "api", "v1", "namespaces", _, "secrets", name] if name == SECRET_NAME:
                continue
            case ["", "apis", "events.k8s.io", "v1", "namespaces", _, "events", *_]:
                continue
        yield f"{request.verb} {request.path}"


def deletes_just_what_was_seen(record: Record) -> Iterator[str]:
    """Report each deletion without both preconditions."""
    for request in record.secret_requests("delete"):
        if set((request.body or {}).get("preconditions") or {}) != {"uid", "resourceVersion"}:
            yield f"{request.path} at {request.at:.0f}: no preconditions"


def bad_input_creates_nothing(record: Record) -> Iterator[str]:
    """Report each Secret that was created although the annotations had been invalid for longer than a relist takes."""
    for before, after in record.changes():
        wrong_since = _since(record, after.namespace, after.at, Status.INVALID)
        if wrong_since is None or wrong_since > known_until(record, after.at):
            continue
        if before is None and after.writer == CONTROLLER:
            yield f"{after.namespace} at {after.at:.0f}: created on bad input"


def opted_out_is_gone(record: Record, patience: float) -> Iterator[str]:
    """Report each pull Secret that outlived the opt-out by more than `patience` seconds without an obstacle."""
    for name, versions in record.namespaces.items():
        for version, until in record.lives_of(versions):
            there = record.secret_at(name, until - 0.001)
            if version.status is Status.OPTED_OUT and there and there.managed:
                start = max(version.at, there.at)
                free = longest_gap(start, until, [*record.kube_down, *record.controller_down])
                if free > patience:
                    yield f"{name}: opted out at {version.at:.0f}, still there at {until:.0f}"


class EndState(NamedTuple):
    """The end state of one namespace."""

    owner: str
    hosts: tuple[str, ...]
    refresh: str | None


def end_states(record: Record) -> dict[str, EndState]:
    """Return the end state of each namespace, in terms that do not depend on the faults before.

    Deleted namespaces are left out, and those with invalid annotations: their Secret stays as it was then.
    """
    names = {
        name
        for name, versions in record.namespaces.items()
        if versions[-1].status in (Status.OPTED_IN, Status.OPTED_OUT)
    }
    return {name: _end(record.secret_at(name, record.end)) for name in sorted(names)}


def converged(record: Record) -> Iterator[str]:
    """Report each namespace whose Secret, at the end, does not match its annotations."""
    for name, end in end_states(record).items():
        namespace = record.namespaces[name][-1]
        expected = _expected(namespace, end)
        if end != expected:
            yield f"{name}: ended as {end}, expected {expected}"
        secret = record.secret_at(name, record.end)
        if secret is not None and end.owner == "managed" and not _alive(record, secret):
            yield f"{name}: ended with tokens that are expired or were never issued"


def _expected(namespace: NamespaceVersion, end: EndState) -> EndState:
    if end.owner == "foreign":
        return end
    if namespace.status is Status.OPTED_OUT:
        return EndState("none", (), None)
    return EndState("managed", namespace.hosts, namespace.annotations.get(f"{PREFIX}refresh-requested-at"))


def _end(secret: SecretVersion | None) -> EndState:
    if secret is None:
        return EndState("none", (), None)
    if not secret.managed:
        return EndState("foreign", tuple(secret.auths), None)
    return EndState("managed", tuple(sorted(secret.auths)), secret.annotations.get(f"{PREFIX}refresh-requested-at"))


def _alive(record: Record, secret: SecretVersion) -> bool:
    tokens = [record.issued.get(auth) for auth in secret.auths.values()]
    return all(token is not None and token.expires_at > record.end for token in tokens)


def _since(record: Record, name: str, at: float, status: Status) -> float | None:
    """Return since when a namespace has had this status without a break, None if it has not."""
    since = None
    for version in record.namespaces[name]:
        if version.at > at:
            break
        if version.status is not status:
            since = None
        elif since is None:
            since = version.at
    return since
