"""Checkers of tokens: never stale, never replaced by a worse one, never shown, never fetched in vain."""

from collections.abc import Iterable, Iterator, Mapping

from pullkeeper.domain.ecr.rotation import Rotation
from pullkeeper.domain.errors.backoff import LONGEST_ACTION_RETRY, LONGEST_RETRY
from pullkeeper.domain.namespace.namespace import PREFIX
from testsupport.simulation.aws import needles
from testsupport.simulation.record import (
    CONTROLLER,
    SERVER,
    Issued,
    NamespaceVersion,
    Period,
    Record,
    SecretVersion,
    Status,
)
from testsupport.simulation.roles import without_role
from testsupport.virtual_time import MINUTE

_ROUNDING = 0.01
"""Seconds; a Secret's annotations hold milliseconds."""
_EARLY = 0.95
"""The token cache refreshes a token after this fraction of the time to its rotation."""
_IDENTITY = (f"{PREFIX}role-arn", f"{PREFIX}service-account-name")
_IS_WANTED = {Status.OPTED_IN, Status.INVALID}


def never_stale(record: Record, rotation: Rotation | None = None) -> Iterator[str]:
    """Report each managed Secret that held an expired token although it could have been replaced.

    It could if, between half of the token's lifetime and its end in that Secret, there was a gap between obstacles
    (AWS, the API server or the controller down, the Secret not writable, no role) that was long enough for the
    controller to act: the rotation jitter, its longest backoff, and a relist.
    """
    rotation = rotation or Rotation()
    for name in record.secrets:
        away = [*record.kube_down, *record.controller_down, *unwritable(record, name), *_obstacles(record, name)]
        for secret, until in _lives_of(record, name):
            for host, token in _tokens(record, secret):
                grace, due = _grace(record, token, rotation), max(token.half, _refresh_at(token, rotation, share=1.0))
                if secret.managed and not secret.gone and until > token.expires_at:
                    gap = longest_gap(
                        # What etcd was restored to may have been stale from the start.
                        max(due, secret.at) if secret.writer == SERVER else due,
                        until,
                        [
                            *away,
                            *_aws_down(record, token.region),
                            *_not_requested(record, name, host),
                        ],
                    )
                    if gap > grace:
                        yield f"{name}: {host} stale from {token.expires_at:.0f} to {until:.0f}, {gap:.0f} s were free"


def never_worse(record: Record) -> Iterator[str]:
    """Report each write that put in a token that expires earlier, or removed a registry that is still required.

    An expired entry may be removed. The times in a Secret's annotations count only while nobody has edited it.
    """
    for before, after in record.changes():
        if before is None or after.gone or after.writer != CONTROLLER:
            continue
        for host, old in _tokens(record, before):
            new = record.issued.get(after.auths.get(host, ""))
            is_lost = new is None and old.expires_at > after.at
            if is_lost and host in required_hosts(record, after.namespace, after.at):
                yield f"{after.namespace} at {after.at:.0f}: {host} was dropped"
            same = new is not None and new.key == old.key and not record.is_revoked(old, after.at)
            if new and same and _is_intact(before) and new.expires_at < old.expires_at - _ROUNDING:
                earlier = old.expires_at - new.expires_at
                yield f"{after.namespace} at {after.at:.0f}: {host} dies {earlier:.0f} s earlier"


def token_is_only_in_the_secret(record: Record) -> Iterator[str]:
    """Report each text outside the Secrets' data that contains a password or a part of one."""
    notes = (str(secret.annotations) for versions in record.secrets.values() for secret in versions)
    paths = (request.path for request in record.requests)
    for texts in (record.texts, record.memory, notes, paths):
        for text in texts:
            if any(needle in text for needle in needles()):
                yield f"a token is shown in: {text[:200]}"


def one_call_serves_all(record: Record, rotation: Rotation | None = None) -> Iterator[str]:
    """Report each call to AWS that was made before the previous token was due; a restart in between excuses it."""
    rotation = rotation or Rotation()
    last: dict[str, Issued] = {}
    for token in sorted(record.issued.values(), key=lambda token: token.at):
        before = last.get(token.scope)
        if before and token.at < _refresh_at(before, rotation) and not _restarted(record, before.at, token.at):
            yield f"{token.scope} at {token.at:.0f}: the token of {before.at:.0f} was not due"
        last[token.scope] = token


def each_write_replaces_what_is_due(record: Record, rotation: Rotation | None = None) -> Iterator[str]:
    """Report each rotation that replaced no token that was due."""
    rotation = rotation or Rotation()
    for before, after in record.changes():
        if before is None or after.writer != CONTROLLER:
            continue
        replaced = [old for host, old in _tokens(record, before) if after.auths.get(host) != before.auths[host]]
        if not any(after.at >= _refresh_at(token, rotation) for token in replaced):
            yield f"{after.namespace} at {after.at:.0f}: nothing was due"


def required_hosts(record: Record, name: str, at: float) -> set[str]:
    """Return the hosts that a namespace has requested for so long that the controller must know of them."""
    since = known_until(record, at)
    lately = [version for version in record.namespaces[name] if since <= version.at <= at]
    past = record.namespace_at(name, since)
    versions = [*([past] if past else []), *lately]
    if not past or any(version.status is not Status.OPTED_IN for version in versions):
        return set()
    return set.intersection(*(set(version.hosts) for version in versions))


def known_until(record: Record, at: float) -> float:
    """Return the second up to which the controller must know every change by `at`, because it has relisted since."""
    since = at - record.relist_interval - 2 * MINUTE
    for period in sorted((*record.kube_down, *record.controller_down), key=lambda period: -period.end):
        if since < period.end <= at + MINUTE:
            since -= period.end - period.start
    return since


def longest_gap(start: float, end: float, blocked: Iterable[Period]) -> float:
    """Return the longest gap between two moments that no period covers, in seconds."""
    longest, free_from = 0.0, start
    for period in sorted(blocked, key=lambda period: period.start):
        if period.end <= free_from or period.start >= end:
            continue
        longest = max(longest, period.start - free_from)
        free_from = period.end
    return max(longest, end - free_from)


def _is_intact(secret: SecretVersion) -> bool:
    return secret.owned >= {"data", *secret.annotations}


def _grace(record: Record, token: Issued, rotation: Rotation) -> float:
    turn = min(rotation.jitter.total_seconds(), (token.expires_at - token.half) / 4)
    pauses = (LONGEST_ACTION_RETRY + LONGEST_RETRY).total_seconds()
    return turn + pauses + record.relist_interval + MINUTE


def _refresh_at(token: Issued, rotation: Rotation, *, share: float = _EARLY) -> float:
    life = token.expires_at - token.issued_at
    return token.issued_at + min(rotation.fraction * life, rotation.max_token_age.total_seconds()) * share - _ROUNDING


def _restarted(record: Record, since: float, until: float) -> bool:
    return any(since <= period.end <= until for period in record.controller_down)


def _lives_of(record: Record, name: str) -> Iterator[tuple[SecretVersion, float]]:
    return record.lives_of(record.secrets.get(name, ()))


def _tokens(record: Record, secret: SecretVersion) -> Iterator[tuple[str, Issued]]:
    """Iterate over the issued tokens in a Secret's data; foreign entries are left out."""
    known: Mapping[str, Issued] = record.issued
    for host, auth in secret.auths.items():
        if auth in known:
            yield host, known[auth]


def _aws_down(record: Record, region: str) -> Iterator[Period]:
    return (period for period in record.aws_down if period.region in ("", region))


def _obstacles(record: Record, name: str) -> Iterator[Period]:
    yield from record.obstacles_of(name)
    yield from without_role(record, name)


def unwritable(record: Record, name: str) -> Iterator[Period]:
    """Iterate over the periods in which the Secret could not be written."""
    for secret, until in _lives_of(record, name):
        if secret.gone or secret.immutable or not secret.managed:
            yield Period(start=secret.at, end=until)


def _not_requested(record: Record, name: str, host: str) -> Iterator[Period]:
    """Iterate over the periods in which the namespace did not request this host."""
    valid: NamespaceVersion | None = None
    forgotten = False
    for version, until in record.lives_of(record.namespaces[name]):
        valid = version if version.status is Status.OPTED_IN else valid
        forgotten &= version.status is Status.INVALID
        if version.status not in _IS_WANTED or (version.status is Status.OPTED_IN and host not in version.hosts):
            yield Period(start=version.at, end=until)
        elif version.status is Status.INVALID:
            # A restart forgets the last valid request, and nothing but the tenant's Secret says that it opted in, or
            # as whom.
            restarts = [period.start for period in record.controller_down if version.at <= period.end <= until]
            if forgotten or _is_forgotten(record, version.at):
                restarts.insert(0, version.at)
            forgotten = bool(restarts)
            if restarts and not _tells_on_its_own(version, valid):
                yield Period(start=restarts[0], end=until)


def _tells_on_its_own(invalid: NamespaceVersion, valid: NamespaceVersion | None) -> bool:
    """Whether what can be read of invalid annotations says that it is opted in, and as whom before."""
    before = valid.annotations if valid else {}
    same = all(invalid.annotations.get(key) == before.get(key) for key in _IDENTITY)
    return same and invalid.annotations.get(f"{PREFIX}enabled") == "true"


def _is_forgotten(record: Record, at: float) -> bool:
    """Whether a process may lead then that has not seen what was asked for before: a new one, or another replica."""
    started = max((period.end for period in record.controller_down if period.end <= at), default=0.0)
    return record.replicas > 1 or longest_gap(started, at, record.kube_down) < record.relist_interval + 2 * MINUTE
