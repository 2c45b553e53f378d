"""Everything that happened in a run, as it truly was: the checkers judge by this alone."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pullkeeper.domain.secret.pull_secret import SECRET_TYPE

CONTROLLER = "controller"
USER = "user"
SERVER = "server"


class Wish(StrEnum):
    """What the annotations of a namespace amount to."""

    IN = "opted in"
    OUT = "opted out"
    INVALID = "invalid"
    ENDING = "terminating"
    GONE = "gone"


@dataclass(frozen=True, kw_only=True, slots=True)
class SecretVersion:
    """A Secret of our name from `at` (seconds) on; `gone` is its end."""

    at: float
    namespace: str
    uid: str
    resource_version: int
    writer: str
    managed: bool = False
    type: str = SECRET_TYPE
    immutable: bool = False
    annotations: Mapping[str, str] = field(default_factory=dict)
    auths: Mapping[str, str] = field(default_factory=dict)
    """Host to `auth`, from the data as it truly is."""
    owned: frozenset[str] = frozenset()
    """The fields that belong to the controller's field manager."""
    gone: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class NamespaceVersion:
    """A Namespace from `at` (seconds) on."""

    at: float
    name: str
    uid: str
    resource_version: int
    wish: Wish
    hosts: tuple[str, ...] = ()
    """What it asks for, worked out by the world that wrote the annotations, not by the controller."""
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Issued:
    """A token that AWS gave out; the times in seconds."""

    at: float
    scope: str
    """Its region, and whether it is for ECR Public."""
    issued_at: float
    expires_at: float

    @property
    def region(self) -> str:
        """Tell the region that issued it."""
        return self.scope.partition("/")[0]

    @property
    def half(self) -> float:
        """Tell when the second half of its life begins."""
        return (self.issued_at + self.expires_at) / 2


@dataclass(frozen=True, kw_only=True, slots=True)
class AwsCall:
    """One request for a token, `reason` being why it failed."""

    at: float
    scope: str
    reason: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One request to the API server, as it arrived there; status 0 is one that never did."""

    at: float
    verb: str
    path: str
    status: int
    body: Any = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """A stretch of time in seconds, and what was wrong then; no region means all of them."""

    start: float
    end: float
    reason: str = ""
    region: str = ""


@dataclass(kw_only=True, slots=True)
class Record:
    """The whole record of one run."""

    secrets: dict[str, list[SecretVersion]] = field(default_factory=lambda: defaultdict(list))
    namespaces: dict[str, list[NamespaceVersion]] = field(default_factory=lambda: defaultdict(list))
    issued: dict[str, Issued] = field(default_factory=dict)
    """By the text of the token."""
    aws_calls: list[AwsCall] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    """Every log line, every Event, every repr: all that people and machines could read."""
    aws_down: list[Span] = field(default_factory=list)
    kube_down: list[Span] = field(default_factory=list)
    absent: list[Span] = field(default_factory=list)
    """When no controller ran."""
    audit: float = 600.0
    """Seconds between two audits: what a watch has lost is known to the controller after that time at the latest."""
    states: dict[str, str] = field(default_factory=dict)
    """How each namespace stands, as the controller's metrics say at the end."""
    end: float = 0.0

    def lives(self) -> Iterator[tuple[SecretVersion, float]]:
        """Give every version of every Secret, and until when it was so."""
        for versions in self.secrets.values():
            ends = [*(version.at for version in versions[1:]), self.end]
            yield from zip(versions, ends, strict=True)

    def changes(self) -> Iterator[tuple[SecretVersion | None, SecretVersion]]:
        """Give every version with the one before it, None where there was no Secret."""
        for versions in self.secrets.values():
            before: SecretVersion | None = None
            for version in versions:
                yield before, version
                before = None if version.gone else version

    def namespace_at(self, name: str, at: float) -> NamespaceVersion | None:
        """Tell how a namespace truly was at a time."""
        past = [version for version in self.namespaces.get(name, ()) if version.at <= at]
        return past[-1] if past else None

    def secret_at(self, name: str, at: float) -> SecretVersion | None:
        """Tell which Secret was truly there at a time."""
        past = [version for version in self.secrets.get(name, ()) if version.at <= at]
        return past[-1] if past and not past[-1].gone else None

    def asked(self, verb: str) -> list[Request]:
        """List the controller's requests with this verb for the Secret of one namespace."""
        return [request for request in self.requests if request.verb == verb and "/secrets/" in request.path]

    def events(self, namespace: str) -> list[Request]:
        """List the Events that the controller posted in a namespace."""
        path = f"/namespaces/{namespace}/events"
        return [request for request in self.requests if request.verb == "create" and request.path.endswith(path)]
