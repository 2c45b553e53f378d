"""What the record says of the objects: whose Secrets were touched, how, and where everything ended up."""

from collections.abc import Iterator
from typing import NamedTuple

from pullkeeper.domain.namespace.namespace import PREFIX
from testsupport.simulation.check_tokens import longest_gap, unmissable, wanted_lately
from testsupport.simulation.record import CONTROLLER, NamespaceVersion, Record, SecretVersion, Wish
from testsupport.simulation.store import SECRET_NAME

_READING = {"get", "list"}


def only_ours(record: Record) -> Iterator[str]:
    """Find each write to, and each deletion of, a Secret that did not carry our label."""
    for before, after in record.changes():
        if before is not None and not before.managed and after.writer == CONTROLLER:
            what = "deleted" if after.gone else "written"
            yield f"{after.namespace} at {after.at:.0f}: a stranger's Secret was {what}"


def in_place(record: Record) -> Iterator[str]:
    """Find each Secret that was taken away, or exchanged for a new object, while it was wanted."""
    for before, after in record.changes():
        if before is None or after.writer != CONTROLLER:
            continue
        if after.uid != before.uid:
            yield f"{after.namespace} at {after.at:.0f}: the UID has changed"
        if after.gone and wanted_lately(record, after.namespace, after.at):
            yield f"{after.namespace} at {after.at:.0f}: deleted while it was wanted"


def hands_off(record: Record) -> Iterator[str]:
    """Find each request that would change anything but the pull Secret or an Event of ours."""
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
    """Find each deletion without both preconditions."""
    for request in record.asked("delete"):
        if set((request.body or {}).get("preconditions") or {}) != {"uid", "resourceVersion"}:
            yield f"{request.path} at {request.at:.0f}: no preconditions"


def bad_input_creates_nothing(record: Record) -> Iterator[str]:
    """Find each Secret that came to be while the annotations had been wrong for longer than anybody can miss."""
    for before, after in record.changes():
        wrong_since = _since(record, after.namespace, after.at, Wish.INVALID)
        if wrong_since is None or wrong_since > unmissable(record, after.at):
            continue
        if before is None and after.writer == CONTROLLER:
            yield f"{after.namespace} at {after.at:.0f}: created on bad input"


def opted_out_is_gone(record: Record, patience: float) -> Iterator[str]:
    """Find each pull Secret that stayed for longer than `patience` (seconds, nothing in the way) after the opt-out."""
    for name, versions in record.namespaces.items():
        ends = [*(version.at for version in versions[1:]), record.end]
        for version, until in zip(versions, ends, strict=True):
            there = record.secret_at(name, until - 0.001)
            if version.wish is Wish.OUT and there and there.managed:
                start = max(version.at, there.at)
                free = longest_gap(start, until, [*record.kube_down, *record.absent])
                if free > patience:
                    yield f"{name}: opted out at {version.at:.0f}, still there at {until:.0f}"


class End(NamedTuple):
    """How one namespace ended up."""

    whose: str
    hosts: tuple[str, ...]
    refresh: str | None


def ends(record: Record) -> dict[str, End]:
    """Tell how everything ended up, in terms that do not depend on the way there.

    Left out is who is gone, and whose annotations are wrong: their Secret stays as it was at that moment.
    """
    names = {name for name, versions in record.namespaces.items() if versions[-1].wish in (Wish.IN, Wish.OUT)}
    return {name: _end(record.secret_at(name, record.end)) for name in sorted(names)}


def converged(record: Record) -> Iterator[str]:
    """Find each namespace whose Secret, at the end, is not what its annotations ask for."""
    for name, end in ends(record).items():
        namespace = record.namespaces[name][-1]
        wanted = _wanted(namespace, end)
        if end != wanted:
            yield f"{name}: ended as {end}, wanted {wanted}"
        secret = record.secret_at(name, record.end)
        if secret is not None and end.whose == "ours" and not _alive(record, secret):
            yield f"{name}: ended with content that opens nothing"


def _wanted(namespace: NamespaceVersion, end: End) -> End:
    if end.whose == "a stranger's":
        return end
    if namespace.wish is Wish.OUT:
        return End("nobody's", (), None)
    return End("ours", namespace.hosts, namespace.annotations.get(f"{PREFIX}refresh-requested-at"))


def _end(secret: SecretVersion | None) -> End:
    if secret is None:
        return End("nobody's", (), None)
    if not secret.managed:
        return End("a stranger's", tuple(secret.auths), None)
    return End("ours", tuple(sorted(secret.auths)), secret.annotations.get(f"{PREFIX}refresh-requested-at"))


def _alive(record: Record, secret: SecretVersion) -> bool:
    tokens = [record.issued.get(auth) for auth in secret.auths.values()]
    return all(token is not None and token.expires_at > record.end for token in tokens)


def _since(record: Record, name: str, at: float, wish: Wish) -> float | None:
    """Tell since when a namespace has been so without a break, None if it is not so."""
    since = None
    for version in record.namespaces[name]:
        if version.at > at:
            break
        if version.wish is not wish:
            since = None
        elif since is None:
            since = version.at
    return since
