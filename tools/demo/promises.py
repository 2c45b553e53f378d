"""What is judged at the end: every version of every Secret that was seen, every call and write that was made."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from textwrap import shorten

from testsupport.installation import auths
from testsupport.secret_recorder import Version
from testsupport.token_leaks import assert_no_leak
from tools.demo.environment import LIFE, Stage
from tools.demo.namespaces import CAST, LEAVING
from tools.demo.scenes import Outcome
from tools.demo.timeline import now

_LONGEST_FIGURE = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Promise:
    """A promise in words, and what came of it."""

    words: str
    outcome: Outcome


async def judge(stage: Stage) -> list[Promise]:
    """Hold everything that happened against the promises that are about all of it."""
    return [
        Promise(words="No Secret ever held an expired token", outcome=_never_stale(stage)),
        Promise(words="One token per region and rotation, shared by all", outcome=_few_calls(stage)),
        Promise(words="One write for each change, and none to Namespaces", outcome=_few_writes(stage)),
        Promise(words="No token in any log, Event, metric or annotation", outcome=await _no_leak(stage)),
    ]


def _never_stale(stage: Stage) -> Outcome:
    """Judge by what AWS says of the tokens that stood in the Secrets, not by what their annotations say."""
    expiry = {token.authorization_token: token.expires_at for token in stage.aws.tokens}
    left = [left for member in CAST for left in _left(stage.recorder.of(member.name), expiry)]
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


def _few_calls(stage: Stage) -> Outcome:
    answered = Counter((token.region, token.public) for token in stage.aws.tokens)
    figure = f"{sum(answered.values())} tokens; {len(answered)} regions (ECR Public is one) and {len(CAST)} namespaces"
    return Outcome(kept=max(answered.values(), default=0) <= 1 + _rotations(stage), figure=figure)


def _few_writes(stage: Stage) -> Outcome:
    most = _most_writes(_rotations(stage))
    secrets, namespaces = stage.writes("secrets"), stage.writes("namespaces")
    return Outcome(
        kept=secrets <= most and not namespaces,
        figure=f"{secrets} writes to Secrets, where it takes {most}; {namespaces} to Namespaces",
    )


def _rotations(stage: Stage) -> int:
    """Return how many rotations can have begun by now: one, unless the machine is so slow that a second one is due."""
    first = min((token.issued_at for token in stage.aws.tokens), default=now())
    return max(int((now() - first) / (LIFE / 2)), 1)


def _most_writes(rotations: int) -> int:
    """Count what has to be written: each is created, one put back, one removed, and those that stay rotate."""
    staying = sum(member.name != LEAVING for member in CAST)
    return len(CAST) + 1 + 1 + staying * rotations


async def _no_leak(stage: Stage) -> Outcome:
    try:
        await assert_no_leak(stage.installation)
    except AssertionError as error:
        return Outcome(kept=False, figure=in_short(error))
    lines = sum(len(process.text().splitlines()) for process in stage.installation.processes)
    events = [event for member in CAST for event in await stage.installation.events(member.name)]
    return Outcome(kept=True, figure=f"searched {lines} log lines, {len(events)} Events, all metrics")


def in_short(error: BaseException) -> str:
    """Give what an error says, as far as it goes on one line."""
    return shorten(str(error) or type(error).__name__, _LONGEST_FIGURE, placeholder="…")
