"""The ground truth of a run, recorded by the simulated cluster and AWS; the checkers judge by it alone."""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, TypeVar

from pullkeeper.domain.secret.pull_secret import DATA_KEY, SECRET_TYPE

SECRET_NAME = "ecr-pull-secret"
CONTROLLER = "controller"
USER = "user"
SERVER = "server"
_OK = 200
_V = TypeVar("_V", "SecretVersion", "NamespaceVersion")


class Status(StrEnum):
    """What a namespace's annotations ask for."""

    OPTED_IN = "opted in"
    OPTED_OUT = "opted out"
    INVALID = "invalid"
    TERMINATING = "terminating"
    DELETED = "deleted"


@dataclass(frozen=True, kw_only=True, slots=True)
class SecretVersion:
    """A Secret of ours from `at` (seconds) on; `gone` means deleted."""

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
    """The `auth` of each host in the Secret's data."""
    owned: frozenset[str] = frozenset()
    """Fields owned by the controller's field manager."""
    gone: bool = False
    name: str = SECRET_NAME
    labels: Mapping[str, str] = field(default_factory=dict)
    """Labels of the controller beside the one that makes it ours."""
    keys: tuple[str, ...] = (DATA_KEY,)
    """The keys of its data."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountVersion:
    """A ServiceAccount from `at` (seconds) on; `gone` means deleted."""

    at: float
    namespace: str
    name: str
    uid: str
    resource_version: int
    writer: str
    annotations: Mapping[str, str] = field(default_factory=dict)
    pull_secrets: tuple[str, ...] = ()
    """Names in its `imagePullSecrets`."""
    gone: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class NamespaceVersion:
    """A Namespace from `at` (seconds) on."""

    at: float
    name: str
    uid: str
    resource_version: int
    status: Status
    hosts: tuple[str, ...] = ()
    """The hosts it requests, as intended by whoever wrote the annotations, not as read by the controller."""
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Issued:
    """A token issued by AWS; times in seconds."""

    at: float
    scope: str
    """Its region, and whether it is for ECR Public."""
    issued_at: float
    expires_at: float
    key: str = ""
    """Everything that the request for it said: who it is issued to, and by which endpoint."""
    generation: int = 0
    """How many tokens were issued under this key before it."""

    @property
    def region(self) -> str:
        """The region that issued it."""
        return self.scope.partition("/")[0]

    @property
    def half(self) -> float:
        """When half of its lifetime has passed."""
        return (self.issued_at + self.expires_at) / 2


@dataclass(frozen=True, kw_only=True, slots=True)
class AwsCall:
    """A request for a token; `reason` says why it failed."""

    at: float
    scope: str
    reason: str | None
    key: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A request to the API server; status 0 means that it did not arrive."""

    at: float
    verb: str
    path: str
    status: int
    body: Any = None


@dataclass(frozen=True, kw_only=True, slots=True)
class LogLine:
    """A line that the controller would log at its default level."""

    at: float
    level: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What the controller holds at one moment."""

    at: float
    items: Mapping[str, int]
    """Number of items in each of its collections, by class and field."""
    series: int
    """Number of time series that a scrape returns."""
    longest_line: int
    """Characters in the longest line of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Period:
    """An interval in seconds with the failure in it; an empty region or namespace means all of them."""

    start: float
    end: float
    reason: str = ""
    region: str = ""
    namespace: str = ""


@dataclass(kw_only=True, slots=True)
class Record:
    """The record of one run."""

    secrets: dict[str, list[SecretVersion]] = field(default_factory=lambda: defaultdict(list))
    """The versions of the pull Secret of each namespace."""
    additional: dict[str, dict[str, list[SecretVersion]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    """Those of the additional Secrets, by their name."""
    namespaces: dict[str, list[NamespaceVersion]] = field(default_factory=lambda: defaultdict(list))
    accounts: dict[tuple[str, str], list[AccountVersion]] = field(default_factory=lambda: defaultdict(list))
    issued: dict[str, Issued] = field(default_factory=dict)
    """Tokens by their `auth`."""
    aws_calls: list[AwsCall] = field(default_factory=list)
    sts_calls: list[AwsCall] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    """Every log record and Event: whatever a person or another program could read."""
    memory: list[str] = field(default_factory=list)
    """What a debugger would show of each process at its end."""
    log_lines: list[LogLine] = field(default_factory=list)
    usage: list[Usage] = field(default_factory=list)
    """Samples taken by the script, and one at the end of each process."""
    aws_down: list[Period] = field(default_factory=list)
    kube_down: list[Period] = field(default_factory=list)
    controller_down: list[Period] = field(default_factory=list)
    """When no controller was running."""
    obstacles: list[Period] = field(default_factory=list)
    """What kept the Secret of a namespace, or of all, from being as it should be, and was nobody's fault here."""
    revoked: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """For each region the moments from which its registries refuse what was issued before."""
    happened: Counter[str] = field(default_factory=Counter)
    """How often each kind of fault has met a request, an event or an object."""
    relist_interval: float = 600.0
    """Seconds between two relists, after which the controller has noticed even what a watch has lost."""
    state_changes: dict[str, list[tuple[float, str]]] = field(default_factory=lambda: defaultdict(list))
    """Each new state of a namespace, and when the metrics began to say so."""
    states: dict[str, str] = field(default_factory=dict)
    """State of each namespace at the end, according to the controller's metrics."""
    end: float = 0.0
    denied: list[str] = field(default_factory=list)
    """Requests that the chart's rules do not allow, where the API server checks that."""
    stirred: list[float] = field(default_factory=list)
    """When the script did anything."""
    replicas: int = 1
    most_leaders: int = 0
    """How many replicas believed to lead at the same instant, at most."""

    def of_secrets_named(self, name: str) -> "Record":
        """Return the same record of the Secrets of one name, for the checkers of pull Secrets."""
        return self if name == SECRET_NAME else replace(self, secrets=self.additional[name])

    def is_revoked(self, token: Issued, at: float) -> bool:
        """Return whether the registries refuse a token by that second."""
        return any(token.at < since <= at for since in self.revoked.get(token.region, ()))

    def refused(self, region: str) -> Iterator[Period]:
        """Iterate over the periods from a revocation to the next token of the region."""
        issued = sorted(token.at for token in self.issued.values() if token.region == region)
        for since in self.revoked.get(region, ()):
            yield Period(start=since, end=next((at for at in issued if at > since), self.end))

    def lives(self) -> Iterator[tuple[SecretVersion, float]]:
        """Iterate over every version of every Secret and its end in seconds."""
        for versions in self.secrets.values():
            yield from self.lives_of(versions)

    def lives_of(self, versions: Sequence[_V]) -> Iterator[tuple[_V, float]]:
        """Iterate over the versions of one object, each with the second of the next one or of the run's end."""
        for number, version in enumerate(versions, 1):
            yield version, versions[number].at if number < len(versions) else self.end

    def obstacles_of(self, namespace: str) -> Iterator[Period]:
        """Iterate over the obstacles of one namespace and those of all."""
        return (period for period in self.obstacles if period.namespace in ("", namespace))

    def changes(self) -> Iterator[tuple[SecretVersion | None, SecretVersion]]:
        """Iterate over every version with the one before it, None if there was no Secret."""
        for versions in self.secrets.values():
            before: SecretVersion | None = None
            for version in versions:
                yield before, version
                before = None if version.gone else version

    def namespace_at(self, name: str, at: float) -> NamespaceVersion | None:
        """Return the Namespace as it was at that second."""
        return _last(self.namespaces.get(name, ()), at)

    def secret_at(self, name: str, at: float) -> SecretVersion | None:
        """Return the Secret as it was at that second."""
        found = _last(self.secrets.get(name, ()), at)
        return found if found and not found.gone else None

    def secret_requests(self, verb: str) -> list[Request]:
        """Return the controller's requests with this verb for single Secrets."""
        return [request for request in self.requests if request.verb == verb and "/secrets/" in request.path]

    def add_state(self, namespace: str, at: float, state: str) -> None:
        """Take note of a new state of a namespace."""
        self.state_changes[namespace].append((at, state))

    def events_said(self, namespace: str) -> Iterator[tuple[float, str, str]]:
        """Iterate over when an Event was made or repeated, with its reason and type."""
        made: dict[str, tuple[str, str]] = {}
        for request in self.requests:
            _, found, rest = request.path.partition(f"/namespaces/{namespace}/events")
            if not found or request.status != _OK:
                continue
            if request.verb == "create":
                made[request.body["metadata"]["name"]] = (request.body["reason"], request.body["type"])
            name = request.body["metadata"]["name"] if request.verb == "create" else rest.removeprefix("/")
            if name in made:
                yield request.at, *made[name]

    def events(self, namespace: str) -> list[Request]:
        """Return the requests that created Events in a namespace."""
        path = f"/namespaces/{namespace}/events"
        return [request for request in self.requests if request.verb == "create" and request.path.endswith(path)]


def _last(versions: Sequence[_V], at: float) -> _V | None:
    """Return the last version up to that second."""
    number = bisect_right(versions, at, key=lambda version: version.at)
    return versions[number - 1] if number else None
