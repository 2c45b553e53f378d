"""Causes of failures: what was raised, what it means, what to do about it, and who has to."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from pullkeeper.domain.errors.failures import EXPLANATIONS, Actor, Reason

_MAX_WORDS = 4000


@dataclass(frozen=True, kw_only=True, slots=True)
class Raised:
    """What a library raised or a server answered, as far as its cause is told from it.

    `words` may hold anything, credentials included: causes are recognised by them, and they are never shown.
    """

    names: tuple[str, ...]
    """Names of what was raised, the most specific first: error codes, or an exception's class and its bases."""
    operation: str = ""
    """Operation of AWS that was refused."""
    words: str = field(default="", repr=False)
    sent: bool = True
    """Whether a request was sent at all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cause:
    """One row of a table: a cause that is known.

    `what` and `fix` may name these: {asked} is who was asked, {file} what was to be read, {own} what the program
    itself says, {operation} what was refused, {actions} what to allow, {fips} a hint where FIPS is demanded;
    for the API server {why} what TLS says, {trusted} which CAs are trusted, {proxy} and {status}.
    """

    raised: tuple[str, ...]
    reason: Reason
    what: str
    fix: str
    actor: Actor | None = None
    """Who has to act, where it is not the one of the reason."""
    words: str = ""
    """Regular expression that has to be found in the words, whatever its case."""
    operations: tuple[str, ...] = ()
    """Operations that it is limited to."""
    unsent: bool = False
    """Whether it is limited to what failed before anything was sent."""
    obvious: bool = False
    """Whether what was raised says by its name what it means, so that a message needs the fix only."""
    shows_words: bool = False
    """Whether the words are those of the configuration, and safe to show."""

    @property
    def who(self) -> Actor:
        """Who has to act."""
        return self.actor or EXPLANATIONS[self.reason].actor

    def matches(self, raised: Raised) -> bool:
        """Return whether everything that the cause is limited to holds."""
        if self.operations and raised.operation not in self.operations:
            return False
        if self.unsent and raised.sent:
            return False
        return not self.words or _pattern(self.words).search(raised.words[:_MAX_WORDS]) is not None

    def text(self, values: Mapping[str, str]) -> str:
        """Return the sentence for a message: what happened, unless that is obvious, and the fix."""
        fix = self.fix.format_map(values)
        return fix if self.obvious else f"{self.what.format_map(values)}: {fix}"


class CauseTable:
    """Finds causes by what was raised; of several for one name the first that matches. The last one is for the rest."""

    def __init__(self, causes: Iterable[Cause]) -> None:
        self.causes: Sequence[Cause] = tuple(causes)
        self._by_name: dict[str, list[Cause]] = {}
        for cause in self.causes:
            for name in cause.raised:
                self._by_name.setdefault(name, []).append(cause)

    @property
    def names(self) -> frozenset[str]:
        """Everything that has a cause."""
        return frozenset(self._by_name)

    def find(self, raised: Raised) -> Cause:
        """Return the cause of what was raised."""
        known = (cause for name in raised.names for cause in self._by_name.get(name, ()))
        return next((cause for cause in known if cause.matches(raised)), self.causes[-1])


@lru_cache(maxsize=256)
def _pattern(words: str) -> re.Pattern[str]:
    return re.compile(words, re.IGNORECASE)
