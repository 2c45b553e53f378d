"""Promises that are checked at the end, over every version of every Secret and every call and write."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from textwrap import shorten

from testsupport.installation import auths
from testsupport.secret_recorder import Version
from testsupport.token_leaks import assert_no_leak
from tools.demo.environment import LIFE, Environment
from tools.demo.namespaces import NAMESPACES, OPTING_OUT
from tools.demo.scenes import Outcome
from tools.demo.timeline import now

_LONGEST_FIGURE = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Promise:
    """A promise in words, and its outcome."""

    words: str
    outcome: Outcome


async def judge(environment: Environment) -> list[Promise]:
    """Check the promises that are about everything that happened."""
    return [
        Promise(words="No Secret ever held an expired token", outcome=_never_stale(environment)),
        Promise(words="One token per endpoint and rotation, shared by all", outcome=_few_calls(environment)),
        Promise(words="One write per change, and none to Namespaces", outcome=_few_writes(environment)),
        Promise(words="No token in a log, Event, metric or annotation", outcome=await _no_leak(environment)),
    ]


def _never_stale(environment: Environment) -> Outcome:
    """Check against the expiry that AWS gave each token, not against the annotations."""
    expiry = {token.authorization_token: token.expires_at for token in environment.aws.tokens}
    left = [left for namespace in NAMESPACES for left in _left(environment.recorder.of(namespace.name), expiry)]
    lowest = min(left, default=0.0)
    figure = f"{len(left)} versions seen; never less than {lowest:.0f} s of {LIFE.seconds} s left"
    return Outcome(kept=lowest > 0, figure=figure)


def _left(versions: list[Version], expiry: Mapping[str, datetime]) -> Iterator[float]:
    """Give the life that each version's shortest-lived token had left when the next version came."""
    ends = [*(version.seen_at for version in versions[1:]), now()]
    for held, end in zip(versions, ends, strict=True):
        if held.kind != "DELETED":
            yield (_dies(held, expiry) - end).total_seconds()


def _dies(version: Version, expiry: Mapping[str, datetime]) -> datetime:
    return min(expiry[auth] for auth in auths(version.secret).values())


def _few_calls(environment: Environment) -> Outcome:
    asked = [call for call in environment.aws.calls if call.operation == "GetAuthorizationToken"]
    answered = Counter(call.host for call in asked if call.outcome == "ok")
    figure = f"{sum(answered.values())} tokens from {len(answered)} endpoints for {len(NAMESPACES)} namespaces"
    return Outcome(kept=max(answered.values(), default=0) <= 1 + _rotations(environment), figure=figure)


def _few_writes(environment: Environment) -> Outcome:
    most = _most_writes(_rotations(environment))
    secrets, namespaces = environment.writes("secrets"), environment.writes("namespaces")
    return Outcome(
        kept=secrets <= most and not namespaces,
        figure=f"{secrets} writes to Secrets, where it takes {most}; {namespaces} to Namespaces",
    )


def _rotations(environment: Environment) -> int:
    """Return how many rotations can have begun by now: one, unless the machine is so slow that a second one is due."""
    first = min((token.issued_at for token in environment.aws.tokens), default=now())
    return max(int((now() - first) / (LIFE / 2)), 1)


def _most_writes(rotations: int) -> int:
    """Count what has to be written: each is created, one put back, one removed, and those that stay rotate."""
    staying = sum(namespace.name != OPTING_OUT for namespace in NAMESPACES)
    return len(NAMESPACES) + 1 + 1 + staying * rotations


async def _no_leak(environment: Environment) -> Outcome:
    try:
        await assert_no_leak(environment.installation)
    except AssertionError as error:
        return Outcome(kept=False, figure=in_short(error))
    lines = sum(len(process.text().splitlines()) for process in environment.installation.processes)
    events = [event for namespace in NAMESPACES for event in await environment.installation.events(namespace.name)]
    return Outcome(kept=True, figure=f"searched {lines} log lines, {len(events)} Events, all metrics")


def in_short(error: BaseException) -> str:
    """Give what an error says, as far as it goes on one line."""
    return shorten(str(error) or type(error).__name__, _LONGEST_FIGURE, placeholder="…")
