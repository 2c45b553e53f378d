"""What stands in the way of a request in a drawn world, and what the controller should say about it."""

from collections.abc import Iterator, Sequence

from testsupport.simulation.record import Period, Record, SecretVersion, Status
from testsupport.virtual_time import MINUTE

HOSTILE = "hostile"


def honest(record: Record) -> list[str]:
    """Return the namespaces that nobody hostile has."""
    return [name for name in sorted(record.namespaces) if not name.startswith(HOSTILE)]


def stirs(record: Record, name: str) -> Iterator[Period]:
    """Yield when a namespace, its neighbours or the world were not as quiet as on most days."""
    yield from (*record.aws_down, *record.kube_down, *record.controller_down, *record.obstacles)
    for versions in record.namespaces.values():
        yield from (Period(start=each.at, end=each.at) for each in versions)
    for version in record.secrets.get(name, ()):
        if version.writer != "controller":
            yield Period(start=version.at, end=version.at)
    yield from (Period(start=at, end=at) for at in record.stirred)
    # A revocation is noticed when the token is tried again, or replaced.
    yield from (period for region in record.revoked for period in record.refused(region))


def is_quiet(record: Record, periods: Sequence[Period], start: float, end: float) -> bool:
    """Whether nothing of that overlaps a time, or has ended so shortly before it that it may only be noticed now."""
    noticed = record.relist_interval + 15 * MINUTE
    return not any(each.start <= end and each.end + noticed >= start for each in periods)


def serves(record: Record, secret: SecretVersion | None, hosts: Sequence[str], at: float) -> bool:
    """Whether a Secret has a valid token for each of these hosts."""
    if secret is None or secret.gone:
        return False
    tokens = [record.issued.get(secret.auths.get(host, "")) for host in hosts]
    return all(token is not None and token.expires_at > at for token in tokens)


def requests(record: Record, name: str) -> Iterator[tuple[Sequence[str], float, float]]:
    """Yield the hosts that a namespace asks for, and from when to when."""
    for version, until in record.lives_of(record.namespaces[name]):
        if version.status is Status.OPTED_IN:
            yield version.hosts, version.at, until
