"""Checkers of non-interference: what hostile namespaces do to the honest ones beside them, and what they cost."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pullkeeper.domain.ecr.rotation import Rotation
from testsupport.simulation.hostile import SHARED
from testsupport.simulation.record import CONTROLLER, Record, SecretVersion
from testsupport.simulation.tenancy import END, HOSTILE, NEVER_ENTITLED, REFORMED
from testsupport.virtual_time import HOUR

PROMPTLY = 2.0
"""Seconds by which a first Secret may come later than without hostile neighbours.

A call to AWS takes up to 0.6 s, and two are made for a role; calls to one region are 0.2 s apart; a request to the API
server takes up to 0.06 s. The draws of these times differ between two runs, and nothing else may.
"""
LATE = 15.0
"""Seconds by which any other write may come earlier or later.

Each rotation counts from the token before it, so the differences of `PROMPTLY` add up over the five rotations of a run;
after a restart, or while a call takes longer than two seconds, there is a random delay of up to four more.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """What one hostile namespace may cost at most, whatever it does; the rates are by the hour.

    docs/configuration.md states what it may cause: 10 reconciliations, 30 log lines and 30 Events at once, and then one
    each 10 s, or a minute. What it causes goes on being retried, with a backoff, until it asks for something else.
    """

    lines: int = 90
    """Log lines."""
    events: int = 150
    """Events made, and notes that one is repeated: each of the 30 is, every five minutes at most, while it lasts."""
    writes: int = 100
    """Writes of its Secret, one for each reconciliation: it may undo each of them."""
    reads: int = 200
    """Reads of its Secret and ServiceAccount, for reconciliations and retries."""
    calls: int = 250
    """Calls to AWS: the regions that have not answered share a few slots, and calls to one are 0.2 s apart."""
    series: int = 400
    """Time series at any moment: 20 pairs of an identity and a region, with up to 20 series each."""
    items: int = 60
    """Items in any one collection of the process at any moment."""
    text: int = 4100
    """Characters of any one log line, Event or time series."""


BUDGET = Budget()


def same_tokens(alone: Record, beside: Record) -> Iterator[str]:
    """Report each honest namespace that did not get the same tokens at the same times.

    Whoever shares a token key with a hostile namespace may get younger tokens, because a token is fetched for all who
    share it; nobody gets an older one, or gets it later.
    """
    shared = _keys_of(beside, HOSTILE)
    for name in _honest(alone):
        before, after = _writes(alone, name), _writes(beside, name)
        yield from _first_came_late(name, before, after)
        if _keys_of(alone, [name]) & shared:
            yield from _older(beside, name)
        elif [_content(alone, each) for each in before] != [_content(beside, each) for each in after]:
            yield f"{name}: {len(before)} writes alone, {len(after)} beside hostile ones, or of other tokens"
        else:
            late = max((abs(a.at - b.at) for a, b in zip(before, after, strict=True)), default=0)
            if late > LATE:
                yield f"{name}: {late:.0f} s earlier or later than alone"


def not_entitled(record: Record) -> Iterator[str]:
    """Report each token in a Secret of a namespace that may have none."""
    usurped = max((version.at for version in record.secrets["leaver"] if version.gone), default=0)
    for name in NEVER_ENTITLED:
        for secret in _writes(record, name):
            if name != "leaver" or secret.at > usurped:
                yield f"{name} at {secret.at:.0f}: given a token that it has no right to"


def unserved(record: Record) -> Iterator[str]:
    """Report each hostile namespace that asked for what it may have, in the end, and did not get it."""
    for name in REFORMED:
        secret = record.secret_at(name, END)
        if secret is None or set(secret.auths) != {SHARED}:
            yield f"{name}: has no Secret for what it asked for in the end"


def over_budget(alone: Record, beside: Record, budget: Budget = BUDGET) -> Iterator[str]:
    """Report each cost that exceeds the budget of all hostile namespaces together."""
    for what, (cost, limit) in costs(alone, beside, budget).items():
        if cost > limit:
            yield f"{what}: {cost}, at most {limit}"


def costs(alone: Record, beside: Record, budget: Budget = BUDGET) -> dict[str, tuple[int, int]]:
    """Return each cost of the hostile namespaces, and its limit."""
    count = len(HOSTILE)
    rates = {
        name: (_most_in_an_hour(of(alone), of(beside)), getattr(budget, name) * count) for name, of in _RATES.items()
    }
    items = {name: (size, budget.items * count) for name, size in _growth(alone, beside).items()}
    series = max(usage.series for usage in beside.usage) - max(usage.series for usage in alone.usage)
    texts = max(map(len, _texts(beside)))
    return {**rates, **items, "series": (series, budget.series * count), "length of a text": (texts, budget.text)}


def _honest(record: Record) -> list[str]:
    return [name for name in sorted(record.namespaces) if name not in HOSTILE]


def _writes(record: Record, name: str) -> list[SecretVersion]:
    versions = record.secrets.get(name, ())
    return [version for version in versions if version.writer == CONTROLLER and not version.gone]


def _keys_of(record: Record, names: Sequence[str]) -> set[str]:
    auths = (auth for name in names for secret in _writes(record, name) for auth in secret.auths.values())
    return {record.issued[auth].key for auth in auths if auth in record.issued}


def _content(record: Record, secret: SecretVersion) -> Mapping[str, tuple[str, int]]:
    """Return the key of each token and its place among the tokens of that key."""
    tokens = {host: record.issued.get(auth) for host, auth in secret.auths.items()}
    return {host: (token.key, token.generation) for host, token in tokens.items() if token}


def _first_came_late(name: str, before: list[SecretVersion], after: list[SecretVersion]) -> Iterator[str]:
    if before and not after:
        yield f"{name}: no Secret at all"
    elif before and after[0].at > before[0].at + PROMPTLY:
        yield f"{name}: first Secret {after[0].at - before[0].at:.1f} s later than alone"


def _older(record: Record, name: str) -> Iterator[str]:
    """Report each token that was not replaced when it was due."""
    rotation = Rotation()
    for version, until in _lives(record, name):
        for auth in version.auths.values():
            token = record.issued.get(auth)
            if token is None or not version.managed:
                continue
            life = token.expires_at - token.issued_at
            due = token.issued_at + min(rotation.fraction * life, rotation.max_token_age.total_seconds())
            latest = due + rotation.jitter.total_seconds() + LATE
            if until > latest + _down_after(record, due):
                yield f"{name}: a token due at {due:.0f} was held until {until:.0f}"


def _lives(record: Record, name: str) -> Iterator[tuple[SecretVersion, float]]:
    versions = record.secrets[name]
    for version, until in zip(versions, [*(each.at for each in versions[1:]), END], strict=True):
        if not version.gone:
            yield version, until


def _down_after(record: Record, at: float) -> float:
    return sum(period.end - period.start for period in record.controller_down if period.end > at)


def _most_in_an_hour(alone: Iterable[float], beside: Iterable[float]) -> int:
    """Return by how much the number in an hour exceeds that of the run without hostile namespaces, at most."""
    before, after = (Counter(int(at // HOUR) for at in times) for times in (alone, beside))
    return max((count - before[hour] for hour, count in after.items()), default=0)


def _growth(alone: Record, beside: Record) -> dict[str, int]:
    """Return by how many items each collection was larger at its largest."""
    before, after = _peaks(alone), _peaks(beside)
    return {name: size - before.get(name, 0) for name, size in after.items()}


def _peaks(record: Record) -> dict[str, int]:
    found: dict[str, int] = {}
    for usage in record.usage:
        for name, size in usage.items.items():
            found[name] = max(found.get(name, 0), size)
    return found


def _texts(record: Record) -> Iterator[str]:
    yield from (line.text for line in record.log_lines)
    yield from (json.dumps(request.body) for request in record.requests if "/events" in request.path)
    yield from ("x" * usage.longest_line for usage in record.usage)


def _times(record: Record, part: str, *verbs: str) -> list[float]:
    return [request.at for request in record.requests if request.verb in verbs and part in request.path]


_RATES: Mapping[str, Callable[[Record], Iterable[float]]] = {
    "lines": lambda record: [line.at for line in record.log_lines],
    "events": lambda record: _times(record, "/events", "create", "patch"),
    "writes": lambda record: _times(record, "/secrets/", "patch", "delete"),
    "reads": lambda record: [
        *_times(record, "/secrets/", "get"),
        *_times(record, "/serviceaccounts/", "get", "create"),
    ],
    "calls": lambda record: [call.at for call in (*record.aws_calls, *record.sts_calls)],
}
