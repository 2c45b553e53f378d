"""The invariants, judged at each version of each pull Secret that a watcher saw."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from testsupport.chaos.audit import microseconds
from testsupport.fake_aws import TOKEN_MARKER
from testsupport.fake_aws.records import IssuedToken
from testsupport.fake_aws.registry import fits
from testsupport.installation import auths

_LABEL = ("app.kubernetes.io/managed-by", "pullkeeper")
_REFRESH = "pullkeeper.dev/refresh-requested-at"


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """What a namespace's Secret holds."""

    uid: str
    version: int
    tokens: Mapping[str, IssuedToken]
    """The token of each registry host."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Publication:
    """The first version of a namespace's Secret that was seen with a token for a registry."""

    namespace: str
    host: str
    serial: int
    version: int
    seen: int
    """Microseconds since 1970."""
    history: int
    """How often etcd had been restored."""


@dataclass(kw_only=True)
class Judge:
    """Knows what the test asked for, and notes whatever breaks an invariant."""

    token_of: Callable[[str], IssuedToken | None]
    """Gives the token that AWS has issued with this text, or None."""
    clock: Callable[[], datetime]
    wanted: dict[str, frozenset[str]] = field(default_factory=dict)
    """The registry hosts that each namespace which is opted in asks for."""
    refreshes: dict[str, str] = field(default_factory=dict)
    """The last request for fresh tokens of each namespace, as far as it is known to be there."""
    foreign: set[str] = field(default_factory=set)
    """Namespaces where a Secret of somebody else has the name."""
    deletions: Counter[str] = field(default_factory=Counter)
    """How often the test has deleted each namespace's Secret without that having been seen yet."""
    held: dict[str, Held] = field(default_factory=dict)
    published: dict[tuple[str, str, int], Publication] = field(default_factory=dict)
    """By namespace, registry host and serial of the token."""
    histories: int = 0
    versions: int = 0
    broken: list[str] = field(default_factory=list)

    def history_went_back(self) -> None:
        """Compare what comes next with nothing that was seen before."""
        self.held.clear()
        self.refreshes.clear()
        self.histories += 1

    def expect_deletion(self, namespace: str) -> None:
        """Allow the next disappearance of this Secret: the test deletes it."""
        self.deletions[namespace] += 1

    def take(self, kind: str, secret: Mapping[str, Any]) -> None:
        """Judge the next version of a Secret: ADDED, MODIFIED or DELETED."""
        namespace = secret["metadata"]["namespace"]
        self.versions += 1
        before = self.held.pop(namespace, None)
        if namespace in self.foreign:
            if kind != "ADDED":
                self._note(f"only ours: somebody else's Secret in {namespace} was {kind}")
            return
        if kind == "DELETED":
            self._judge_deletion(namespace)
            return
        now = self._held(namespace, secret)
        self.held[namespace] = now
        self._note_publications(namespace, now)
        if before is not None:
            self._judge_replacement(namespace, before, now)

    def sweep(self) -> None:
        """Judge what no new version shows: tokens that expired where they are."""
        for namespace in self.wanted.keys() & self.held.keys():
            self._judge_age(namespace, self.held[namespace])

    def _judge_deletion(self, namespace: str) -> None:
        if self.deletions[namespace]:
            self.deletions[namespace] -= 1
        elif namespace in self.wanted:
            self._note(f"opt-out cleans up, a slip does not: the Secret in {namespace} was deleted")

    def _judge_replacement(self, namespace: str, before: Held, now: Held) -> None:
        if now.uid != before.uid and self.deletions[namespace]:
            self.deletions[namespace] -= 1  # in a gap of the watch
        elif now.uid != before.uid:
            self._note(f"in place: the Secret in {namespace} is another object")
        if namespace not in self.wanted:
            return
        self._judge_age(namespace, before)
        for host in before.tokens.keys() & self.wanted[namespace]:
            if host not in now.tokens:
                self._note(f"never worse: {namespace} lost its entry for {host}")
            elif now.tokens[host].expires_at < before.tokens[host].expires_at:
                self._note(f"never worse: {namespace} has an older token for {host}")

    def _judge_age(self, namespace: str, held: Held) -> None:
        for host, token in held.tokens.items():
            if token.expires_at < self.clock():
                expired = f"{token.expires_at:%H:%M:%S}"
                self._note(f"never stale: {namespace} holds a token for {host} that expired at {expired}")

    def _note_publications(self, namespace: str, held: Held) -> None:
        for host, token in held.tokens.items():
            published = Publication(
                namespace=namespace,
                host=host,
                serial=token.serial,
                version=held.version,
                seen=microseconds(self.clock()),
                history=self.histories,
            )
            self.published.setdefault((namespace, host, token.serial), published)

    def _held(self, namespace: str, secret: Mapping[str, Any]) -> Held:
        metadata = secret["metadata"]
        if (metadata.get("labels") or {}).get(_LABEL[0]) != _LABEL[1]:
            self._note(f"only ours: the Secret in {namespace} has no label of ours")
        if TOKEN_MARKER in json.dumps({**secret, "data": None}):
            self._note(f"the token is only in the data: {namespace}")
        found = {host: self._token(namespace, host, auth) for host, auth in auths(secret).items()}
        tokens = {host: token for host, token in found.items() if token is not None}
        return Held(uid=metadata["uid"], version=int(metadata["resourceVersion"]), tokens=tokens)

    def _token(self, namespace: str, host: str, auth: str) -> IssuedToken | None:
        token = self.token_of(auth)
        if token is None or not fits(token, host):
            self._note(f"{namespace} holds for {host} what AWS has not issued for it")
            return None
        return token

    def _note(self, what: str) -> None:
        self.broken.append(f"{self.clock():%H:%M:%S} {what}")


def satisfied(judge: Judge, served: Mapping[str, Mapping[str, Any] | None]) -> list[str]:
    """Return the namespaces that are not as asked for, of those whose Secrets are given."""
    return [namespace for namespace, secret in served.items() if not _as_wanted(judge, namespace, secret)]


def _as_wanted(judge: Judge, namespace: str, secret: Mapping[str, Any] | None) -> bool:
    wanted: Iterable[str] = judge.wanted.get(namespace, ())
    if secret is None or namespace not in judge.wanted:
        return secret is None and namespace not in judge.wanted
    tokens = {host: judge.token_of(auth) for host, auth in auths(secret).items()}
    answered = secret["metadata"].get("annotations", {}).get(_REFRESH)
    if judge.refreshes.get(namespace, answered) != answered:
        return False
    return set(tokens) == set(wanted) and all(token and token.usable(judge.clock()) for token in tokens.values())
