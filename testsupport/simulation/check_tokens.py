"""What the record says of the tokens: never stale, never worse, never shown, never asked for twice."""

from collections.abc import Iterable, Iterator, Mapping

from pullkeeper.domain.ecr.rotation import Rotation
from pullkeeper.domain.errors.backoff import LONGEST_ACTION_RETRY, LONGEST_RETRY
from testsupport.simulation.aws import needles
from testsupport.simulation.record import CONTROLLER, Issued, Record, SecretVersion, Span, Wish
from testsupport.virtual_time import MINUTE

_ROUNDING = 0.01
"""Times in a Secret are told in milliseconds."""
_EARLY = 0.95
"""From this part of the time to its rotation on, a token is not given out any more."""
_IS_WANTED = {Wish.IN, Wish.INVALID}


def never_stale(record: Record, rotation: Rotation | None = None) -> Iterator[str]:
    """Find each managed Secret that held an expired token although it could have been replaced.

    It could, if between the middle of the token's life and its end in that Secret there was a stretch without any
    obstacle (AWS and the API server answer, a controller runs, the Secret can be written) that is long enough for
    the controller to come round: its turn in the rotation window, its longest pause after a failure, and an audit.
    """
    rotation = rotation or Rotation()
    for name in record.secrets:
        away = [*record.kube_down, *record.absent, *_unwritable(record, name)]
        for secret, until in _lives_of(record, name):
            for host, token in _tokens(record, secret):
                grace = _grace(record, token, rotation)
                if secret.managed and not secret.gone and until > token.expires_at:
                    gap = longest_gap(
                        token.half, until, [*away, *_silent(record, token.region), *_unwanted(record, name, host)]
                    )
                    if gap > grace:
                        yield f"{name}: {host} stale from {token.expires_at:.0f} to {until:.0f}, {gap:.0f} s were free"


def never_worse(record: Record) -> Iterator[str]:
    """Find each write that put in an earlier death, or took out a registry that was still wanted.

    A dead entry may go. And what a Secret says of its tokens' times is believed only while nobody has changed it.
    """
    for before, after in record.changes():
        if before is None or after.gone or after.writer != CONTROLLER:
            continue
        for host, old in _tokens(record, before):
            new = record.issued.get(after.auths.get(host, ""))
            is_lost = new is None and old.expires_at > after.at
            if is_lost and host in wanted_lately(record, after.namespace, after.at):
                yield f"{after.namespace} at {after.at:.0f}: {host} was dropped"
            if new and _is_intact(before) and new.expires_at < old.expires_at - _ROUNDING:
                earlier = old.expires_at - new.expires_at
                yield f"{after.namespace} at {after.at:.0f}: {host} dies {earlier:.0f} s earlier"


def token_is_only_in_the_secret(record: Record) -> Iterator[str]:
    """Find each text outside the Secrets' data that shows a password or a part of one."""
    notes = (str(secret.annotations) for versions in record.secrets.values() for secret in versions)
    paths = (request.path for request in record.requests)
    for texts in (record.texts, notes, paths):
        for text in texts:
            if any(needle in text for needle in needles()):
                yield f"a token is shown in: {text[:200]}"


def one_call_serves_all(record: Record, rotation: Rotation | None = None) -> Iterator[str]:
    """Find each call to AWS that was made while a token that was not due was at hand; restarts excuse one."""
    rotation = rotation or Rotation()
    last: dict[str, Issued] = {}
    for token in sorted(record.issued.values(), key=lambda token: token.at):
        before = last.get(token.scope)
        if before and token.at < _due(before, rotation) and not _restarted(record, before.at, token.at):
            yield f"{token.scope} at {token.at:.0f}: the token of {before.at:.0f} was not due"
        last[token.scope] = token


def each_write_replaces_what_is_due(record: Record, rotation: Rotation | None = None) -> Iterator[str]:
    """Find each rotation that replaced no token that was due."""
    rotation = rotation or Rotation()
    for before, after in record.changes():
        if before is None or after.writer != CONTROLLER:
            continue
        replaced = [old for host, old in _tokens(record, before) if after.auths.get(host) != before.auths[host]]
        if not any(after.at >= _due(token, rotation) for token in replaced):
            yield f"{after.namespace} at {after.at:.0f}: nothing was due"


def wanted_lately(record: Record, name: str, at: float) -> set[str]:
    """List the hosts that a namespace has wanted for longer than the controller can have missed a change."""
    since = unmissable(record, at)
    lately = [version for version in record.namespaces[name] if since <= version.at <= at]
    past = record.namespace_at(name, since)
    versions = [*([past] if past else []), *lately]
    if not past or any(version.wish is not Wish.IN for version in versions):
        return set()
    return set.intersection(*(set(version.hosts) for version in versions))


def unmissable(record: Record, at: float) -> float:
    """Tell up to when the controller must know everything at a time: an audit has come round since."""
    since = at - record.audit - 2 * MINUTE
    for span in sorted((*record.kube_down, *record.absent), key=lambda span: -span.end):
        if since < span.end <= at + MINUTE:
            since -= span.end - span.start
    return since


def longest_gap(start: float, end: float, blocked: Iterable[Span]) -> float:
    """Tell the longest stretch between two moments that no span covers."""
    longest, free_from = 0.0, start
    for span in sorted(blocked, key=lambda span: span.start):
        if span.end <= free_from or span.start >= end:
            continue
        longest = max(longest, span.start - free_from)
        free_from = span.end
    return max(longest, end - free_from)


def _is_intact(secret: SecretVersion) -> bool:
    return secret.owned >= {"data", *secret.annotations}


def _grace(record: Record, token: Issued, rotation: Rotation) -> float:
    turn = min(rotation.jitter.total_seconds(), (token.expires_at - token.half) / 4)
    pauses = (LONGEST_ACTION_RETRY + LONGEST_RETRY).total_seconds()
    return turn + pauses + record.audit + MINUTE


def _due(token: Issued, rotation: Rotation) -> float:
    life = token.expires_at - token.issued_at
    return token.issued_at + min(rotation.fraction * life, rotation.max_token_age.total_seconds()) * _EARLY - _ROUNDING


def _restarted(record: Record, since: float, until: float) -> bool:
    return any(since <= span.end <= until for span in record.absent)


def _lives_of(record: Record, name: str) -> Iterator[tuple[SecretVersion, float]]:
    versions = record.secrets[name]
    return zip(versions, [*(version.at for version in versions[1:]), record.end], strict=True)


def _tokens(record: Record, secret: SecretVersion) -> Iterator[tuple[str, Issued]]:
    """Give the tokens that a Secret truly holds, by its data; what somebody else put there is left out."""
    known: Mapping[str, Issued] = record.issued
    for host, auth in secret.auths.items():
        if auth in known:
            yield host, known[auth]


def _silent(record: Record, region: str) -> Iterator[Span]:
    return (span for span in record.aws_down if span.region in ("", region))


def _unwritable(record: Record, name: str) -> Iterator[Span]:
    """Give the times when the Secret could not be written."""
    for secret, until in _lives_of(record, name):
        if secret.gone or secret.immutable or not secret.managed:
            yield Span(start=secret.at, end=until)


def _unwanted(record: Record, name: str, host: str) -> Iterator[Span]:
    """Give the times when nobody asked for this host."""
    versions = record.namespaces[name]
    ends = [*(version.at for version in versions[1:]), record.end]
    for version, until in zip(versions, ends, strict=True):
        if version.wish not in _IS_WANTED or (version.wish is Wish.IN and host not in version.hosts):
            yield Span(start=version.at, end=until)
