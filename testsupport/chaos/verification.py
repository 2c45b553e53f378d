"""Tokens that were published: each was accepted by its registry before, and was shown to no other.

A registry that gives no verdict gets the token all the same; the writer's log has to say so.
"""

import re
from bisect import bisect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from testsupport.chaos.audit import Audited, microseconds
from testsupport.chaos.judge import Publication
from testsupport.fake_aws.endpoints import PUBLIC_HOSTS
from testsupport.fake_aws.records import OK, Call, IssuedToken
from testsupport.fake_aws.registry import fits

VERDICTS: Final = frozenset({OK, "DENIED", "UNAUTHORIZED"})
"""Outcomes of a probe that say something about the token."""
_WORD: Final = re.compile(r"registry (\S+): (cannot verify tokens|reachable again)")
_SECOND: Final = 1_000_000
_UNDER_WAY: Final = 10 * _SECOND
"""Microseconds between a decision to write and the arrival of the write, at most: it may have been sent again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """What a replica's log says of a registry at some second: that it cannot be asked, or that it can."""

    at: int
    """Microseconds since 1970, of which the log has the seconds."""
    host: str
    """Empty at the start of a process, which knows of none."""
    unreachable: bool


def statements(lines: Sequence[Mapping[str, Any]]) -> Iterator[Statement]:
    """Read what one process logged, in order."""
    for number, line in enumerate(lines):
        at = microseconds(line["time"])
        if number == 0:
            yield Statement(at=at, host="", unreachable=False)
        if word := _WORD.match(line["message"]):
            yield Statement(at=at, host=word[1], unreachable=word[2].startswith("cannot"))


def published_unverified(
    published: Iterable[Publication],
    requests: Iterable[Audited],
    probes: Iterable[Call],
    said: Mapping[str, Sequence[Statement]],
    *,
    restored: Sequence[int] = (),
) -> Iterator[str]:
    """Return the tokens that a Secret got although their registry had refused them, or had not been asked.

    `said` has what each replica logged. A version that no request accounts for may be of any replica, and was written
    before it was seen. At each moment of `restored` (microseconds) versions begin anew.
    """
    writes = {
        (bisect(restored, each.call), each.namespace, each.version): each
        for each in requests
        if each.resource == "secrets" and each.writes and each.version
    }
    verdicts: dict[tuple[str | None, int | None], list[Call]] = {}
    for probe in probes:
        if probe.operation == "ProbeRegistry" and probe.outcome in VERDICTS:
            verdicts.setdefault((probe.host, probe.token), []).append(probe)
    for each in published:
        if each.host in PUBLIC_HOSTS:
            continue
        write = writes.get((each.history, each.namespace, each.version))
        at = write.call if write else each.seen
        found = [probe.outcome for probe in verdicts.get((each.host, each.serial), ()) if _ended_before(probe, at)]
        what = f"token {each.serial} of {each.host} in {each.namespace}"
        if OK in found:
            continue
        if found:
            yield f"verification: {what} was published, which its registry refuses"
        elif not any(_unreachable(words, each.host, at) for words in _words_of(write, said)):
            yield f"verification: {what} was published untried"


def shown_elsewhere(probes: Iterable[Call], tokens: Iterable[IssuedToken], wanted: frozenset[str]) -> Iterator[str]:
    """Return the registries that were shown what is not for them."""
    issued = {token.serial: token for token in tokens}
    for probe in probes:
        host, token = probe.host or "", issued.get(probe.token or 0)
        if token is None or not fits(token, host) or host not in wanted:
            yield f"the token is only for its registry: {host} was shown token {probe.token}"


def _ended_before(probe: Call, at: int) -> bool:
    return probe.ended is not None and microseconds(probe.ended) < at


def _words_of(write: Audited | None, said: Mapping[str, Sequence[Statement]]) -> Iterable[Sequence[Statement]]:
    return [said.get(write.replica, ())] if write else said.values()


def _unreachable(words: Sequence[Statement], host: str, at: int) -> bool:
    """Whether a replica had said that it cannot ask, at some time while it may have decided on a write."""
    known = False
    for word in words:
        if word.host not in {"", host} or word.at > at:
            continue
        if known and not word.unreachable and word.at + _SECOND + _UNDER_WAY <= at:
            known = False
        known = known or word.unreachable
    return known
