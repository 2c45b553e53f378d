"""Checkers for drawn worlds, beside those that any run can use."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import pairwise

from pullkeeper.domain.reporting.rate_limiter import EVENTS
from testsupport.simulation import check_interference, check_objects
from testsupport.simulation.check_tokens import longest_gap
from testsupport.simulation.record import CONTROLLER, Issued, NamespaceVersion, Record, SecretVersion, Status
from testsupport.simulation.store import SECRET_NAME
from testsupport.simulation.years.drawing import AUTO, World
from testsupport.simulation.years.obstacles import HOSTILE, honest, is_quiet, stirs
from testsupport.virtual_time import HOUR, MINUTE

_READING = {"get", "list"}
_EARLY = 0.94
"""A cached token is used up to nine tenths of the time to its rotation, so that one write renews all regions."""
_IN_PROGRESS = 6
"""Calls and writes beside those of two rotations in each slot, which were in progress when a namespace opted in."""
_NOTES = 13
"""How often an Event that goes on is noted in an hour, if the first time is at its beginning."""
_OK = 200


def hands_off(record: Record) -> Iterator[str]:
    """Report each request that would change anything but a pull Secret, an Event, a Lease or a ServiceAccount."""
    for request in record.requests:
        if request.verb in _READING:
            continue
        match request.path.strip("/").split("/"):
            case ["api", "v1", "namespaces", _, "secrets", name] if name == SECRET_NAME:
                continue
            case ["api", "v1", "namespaces", _, "serviceaccounts", _, *_]:
                continue
            case ["apis", "events.k8s.io" | "coordination.k8s.io", *_]:
                continue
        yield f"{request.verb} {request.path}"


def least_privilege(record: Record) -> Iterator[str]:
    """Report each request that the chart's rules do not allow, and each Secret that the fence would not."""
    yield from (f"denied: {text}" for text in record.denied)
    for before, after in record.changes():
        if after.writer != CONTROLLER or after.gone:
            continue
        kept = before.auths if before else {}
        if any(host not in kept and not _is_ecr(host) for host in after.auths):
            yield f"{after.namespace} at {after.at:.0f}: an entry that is not ECR's"


def waits_out_the_grace(world: World, record: Record) -> Iterator[str]:
    """Report each deletion of the Secret of a namespace that the settings alone have ceased to opt in, too early."""
    grace = world.run.settings.opt_out_grace.total_seconds()
    for before, after in record.changes():
        lost = record.namespace_at(AUTO, after.at)
        if after.namespace == AUTO and before and after.gone and after.writer == CONTROLLER and lost:
            waited = after.at - lost.at
            if lost.status is Status.OPTED_IN or (lost.status is Status.OPTED_OUT and waited < grace - 1):
                yield f"{AUTO} at {after.at:.0f}: deleted {waited:.0f} s after the settings had lost its opt-in"


def leaves_others_entries(record: Record) -> Iterator[str]:
    """Report each name in `imagePullSecrets` that the controller took out or put in, except its own."""
    for key, versions in record.accounts.items():
        for before, after in pairwise(versions):
            if after.writer == CONTROLLER and not after.gone and before.uid == after.uid:
                changed = set(before.pull_secrets) ^ set(after.pull_secrets)
                if changed - {SECRET_NAME}:
                    yield f"{key} at {after.at:.0f}: {sorted(changed)}"


def attached(record: Record) -> Iterator[str]:
    """Report each ServiceAccount that, at the end, does not name the pull Secret as its namespace asks."""
    for (namespace, name), versions in record.accounts.items():
        latest = record.namespaces[namespace][-1] if record.namespaces.get(namespace) else None
        if versions[-1].gone or latest is None or namespace.startswith(HOSTILE):
            continue
        asked = latest.annotations.get("pullkeeper.dev/attach-to-service-accounts") == name
        has = SECRET_NAME in versions[-1].pull_secrets
        secret = record.secret_at(namespace, record.end)
        if latest.status is Status.OPTED_IN and asked and secret and secret.managed and not has:
            yield f"{namespace}/{name}: not attached in the end"
        if latest.status is Status.OPTED_OUT and has:
            yield f"{namespace}/{name}: still attached in the end"


def calls_on_quiet_days(world: World, record: Record) -> Iterator[str]:
    """Report each token that was fetched before the one of the same key was due, while nothing else had happened."""
    last: dict[str, Issued] = {}
    periods = [period for name in record.secrets for period in stirs(record, name)]
    for token in sorted(record.issued.values(), key=lambda token: token.at):
        before, last[token.key] = last.get(token.key), token
        if before is None or HOSTILE in token.key:
            continue
        if token.at < _due(world, before, _EARLY) and is_quiet(record, periods, before.at, token.at):
            yield f"{token.key} at {token.at:.0f}: the token of {before.at:.0f} was not due"


def writes_on_quiet_days(world: World, record: Record) -> Iterator[str]:
    """Report each write of a Secret that had nothing due in it, while nothing else had happened."""
    for name in honest(record):
        versions = [version for version in record.secrets.get(name, ()) if not version.gone]
        periods = list(stirs(record, name))
        for before, after in pairwise(versions):
            not_due = after.writer == CONTROLLER and not _had_due(world, record, before, after)
            if not_due and is_quiet(record, periods, before.at, after.at):
                yield f"{name} at {after.at:.0f}: written although nothing was due"


def first_secret_first(world: World, record: Record) -> Iterator[str]:
    """Report each first Secret after many rotations, or calls to AWS for them, that began after the request."""
    most = 2 * world.run.settings.max_concurrent_reconciles + _IN_PROGRESS
    writes = [each.at for each in record.secret_requests("patch") if each.status == _OK]
    calls = [each.at for each in record.aws_calls]
    hindrances = (*record.aws_down, *record.kube_down, *record.obstacles, *record.controller_down)
    for name in honest(record):
        requested_at = next((each.at for each in record.namespaces[name] if each.status is Status.OPTED_IN), None)
        first = next((each.at for each in record.secrets.get(name, ()) if each.writer == CONTROLLER), record.end)
        if requested_at is None or any(each.start <= first and each.end >= requested_at for each in hindrances):
            continue
        others = {other for other in record.namespaces if other.startswith(name.partition("-")[0])}
        for what, moments in (("writes", writes), ("calls to AWS", calls)):
            ahead = sum(requested_at < at < first for at in moments) - len(others)
            if ahead > most:
                yield f"{name}: {ahead} {what} between its request at {requested_at:.0f} and its first Secret"


def bad_input(record: Record) -> Iterator[str]:
    """Report each Secret that bad input has created, and each invalid request of an hour that is not reported."""
    yield from (text for text in check_objects.bad_input_creates_nothing(record) if not text.startswith(HOSTILE))
    for name in honest(record):
        for version, until in record.lives_of(_distinct(record.namespaces[name])):
            away = [*record.kube_down, *record.controller_down]
            long_enough = longest_gap(version.at, until, away) > record.relist_interval + HOUR
            if version.status is Status.INVALID and long_enough:
                said = {reason for at, reason, _ in record.events_said(name) if version.at <= at <= until}
                if "InvalidAnnotation" not in said:
                    yield f"{name} at {version.at:.0f}: bad input was not reported"


def _distinct(versions: Sequence[NamespaceVersion]) -> list[NamespaceVersion]:
    """Return the versions without those that repeat the one before: what was said of it holds on."""
    repeated = {
        after.at
        for before, after in pairwise(versions)
        if (before.status, before.annotations) == (after.status, after.annotations)
    }
    return [version for version in versions if version.at not in repeated]


def reads_on_quiet_days(world: World, record: Record) -> Iterator[str]:
    """Report each Secret that was read while nothing had happened and nobody verified what it holds."""
    if world.run.settings.verify != "off":
        return
    for request in record.secret_requests("get"):
        name = request.path.split("/")[4]
        periods = stirs(record, name)
        if not name.startswith(HOSTILE) and is_quiet(record, list(periods), request.at - HOUR, request.at):
            yield f"{name} at {request.at:.0f}: read"


def costs_of_the_hostile(record: Record) -> Iterator[str]:
    """Report each text that is longer, and each process that is bigger, than the budget of a hostile namespace."""
    budget = check_interference.BUDGET
    longest = max((len(line.text) for line in record.log_lines), default=0)
    if longest > budget.text:
        yield f"a log line of {longest} characters"
    for usage in record.usage:
        if usage.series > 4 * budget.series + 40 * len(record.namespaces):
            yield f"{usage.series} series at {usage.at:.0f}"
    where = f"/namespaces/{HOSTILE}"
    times = {
        "lines": [line.at for line in record.log_lines if HOSTILE in line.text],
        "writes": [each.at for each in record.secret_requests("patch") if where in each.path],
    }
    for what, moments in times.items():
        most = max(Counter(int(at // HOUR) for at in moments).values(), default=0)
        if most > getattr(budget, what):
            yield f"{most} {what} of one hostile namespace in an hour"
    yield from _too_many_events(record)


def _too_many_events(record: Record) -> Iterator[str]:
    """Report each hour with more new Events of one hostile namespace, or notes that one is repeated, than are due.

    A namespace has a budget of new Events in each process. One that goes on is noted every five minutes; where
    another process, or somebody else, has made it already, two notes follow the attempt to make it.
    """
    made, noted = Counter[int](), Counter[tuple[int, str]]()
    for each in record.requests:
        _, found, event = each.path.partition(f"/namespaces/{HOSTILE}-0/events")
        hour = int(each.at // HOUR)
        if found and each.verb == "create":
            made[hour] += 1
            noted[hour, f"/{each.body['metadata']['name']}"] -= 2
        elif found:
            noted[hour, event] += 1
    for hour, number in made.items():
        processes = 1 + sum(int(each.end // HOUR) == hour for each in record.controller_down)
        if number > processes * (EVENTS.burst + timedelta(hours=1) / EVENTS.interval):
            yield f"{number} new Events of one hostile namespace in hour {hour}"
    yield from (
        f"{number} notes of the Event {event} in hour {hour}"
        for (hour, event), number in noted.items()
        if number > _NOTES
    )


def _due(world: World, token: Issued, share: float) -> float:
    rotation, life = world.run.settings.rotation, token.expires_at - token.issued_at
    return token.issued_at + share * min(rotation.fraction * life, rotation.max_token_age.total_seconds()) - MINUTE


def _had_due(world: World, record: Record, before: SecretVersion, after: SecretVersion) -> bool:
    tokens = [record.issued.get(auth) for auth in before.auths.values()]
    return any(token is None or after.at >= _due(world, token, _EARLY) for token in tokens)


def _is_ecr(host: str) -> bool:
    return host == "public.ecr.aws" or ".dkr.ecr" in host or ".dkr-ecr" in host
