"""Faults on demand: what a cluster does to its clients on a bad day."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType

from testsupport.fake_kube.admission import Admission
from testsupport.fake_kube.request_info import RequestRecord
from testsupport.fake_kube.status import ApiError
from testsupport.fake_kube.store import Store

When = Callable[[RequestRecord], bool]


def always(_record: RequestRecord) -> bool:
    """Select every request."""
    return True


def matching(**wanted: str) -> When:
    """Select requests by fields of their record: `matching(verb="list", resource="secrets")`."""
    return lambda record: all(getattr(record, name) == value for name, value in wanted.items())


@dataclass(slots=True, kw_only=True, eq=False)
class Fault:
    """One fault in force. It ends by `remove()`, at the end of a `with`, or after `times` requests."""

    owner: "Faults"
    kind: str
    when: When
    times: int | None = None
    seconds: float = 0.0
    error: ApiError | None = None
    resource_version: int = 0
    hits: int = 0

    def remove(self) -> None:
        """End the fault."""
        if self in self.owner.active:
            self.owner.active.remove(self)

    def __enter__(self) -> "Fault":
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.remove()

    def strike(self) -> None:
        """Count a request that it hit."""
        self.hits += 1
        if self.times is not None and self.hits >= self.times:
            self.remove()


@dataclass(slots=True, eq=False)
class Faults:
    """Everything that can be made to go wrong. All of it works at once, on the next request."""

    store: Store
    active: list[Fault] = field(default_factory=list)
    admission: Admission = field(default_factory=Admission)
    """Quotas, policies and webhooks that refuse writes."""
    on_disconnect: Callable[[], object] = lambda: None
    on_drop_watches: Callable[[When, ApiError | None], int] = lambda _when, _error: 0
    _down: bool = False

    def latency(self, seconds: float, when: When = always, *, times: int | None = None) -> Fault:
        """Hold requests back before they are handled."""
        return self._add(Fault(owner=self, kind="latency", when=when, times=times, seconds=seconds))

    def too_many_requests(self, when: When = always, *, retry_after: int = 1, times: int | None = None) -> Fault:
        """Answer 429 with Retry-After (seconds)."""
        message = "Too many requests, please try again later."
        headers = {"Retry-After": str(retry_after)}
        error = ApiError(429, "TooManyRequests", message, details={"retryAfterSeconds": retry_after}, headers=headers)
        return self._add(Fault(owner=self, kind="error", when=when, times=times, error=error))

    def fail(self, code: int = 500, when: When = always, *, times: int | None = None) -> Fault:
        """Answer with an error of the server's own (5xx)."""
        reasons = {500: "InternalError", 503: "ServiceUnavailable", 504: "Timeout"}
        error = ApiError(code, reasons.get(code, ""), "Internal error occurred: a fault that a test asked for")
        return self._add(Fault(owner=self, kind="error", when=when, times=times, error=error))

    def reset(self, when: When = always, *, times: int | None = None) -> Fault:
        """Break the connection (RST) instead of answering. The request is not carried out."""
        return self._add(Fault(owner=self, kind="reset", when=when, times=times))

    def lose_answer(self, when: When = always, *, times: int | None = None) -> Fault:
        """Carry the request out and then break the connection, so that the client cannot know."""
        return self._add(Fault(owner=self, kind="lose_answer", when=when, times=times))

    def stale_lists(self, when: When = always, *, times: int | None = None) -> Fault:
        """Answer lists as of now from here on, whatever is written later."""
        version = self.store.resource_version
        return self._add(Fault(owner=self, kind="stale", when=when, times=times, resource_version=version))

    def reject_tokens(self, when: When = always, *, times: int | None = None) -> Fault:
        """Answer 401 as if the token had expired. The record's `user` says who it would have been."""
        return self._add(Fault(owner=self, kind="reject_tokens", when=when, times=times))

    def swallow(self, resource: str, count: int = 1) -> None:
        """Keep the next changes of a resource from all watches, now and later; lists still show them."""
        self.store.swallow(resource, count)

    def drop_watches(self, when: When = always, *, code: int = 0) -> int:
        """Close the open watches that match; give how many there were.

        A stream just ends, or with an ERROR event of this code: an API server that cannot decode an object, or has
        lost etcd, ends it so.
        """
        error = ApiError(code, "InternalError", "a fault of the test") if code else None
        return self.on_drop_watches(when, error)

    @property
    def down(self) -> bool:
        """While true, every connection is closed at once, the open ones too."""
        return self._down

    @down.setter
    def down(self, down: bool) -> None:
        self._down = down
        if down:
            self.on_disconnect()

    @contextmanager
    def outage(self) -> Iterator[None]:
        """Be down for the length of a `with`."""
        self.down = True
        try:
            yield
        finally:
            self.down = False

    def clear(self) -> None:
        """End all faults."""
        self.active.clear()
        self.down = False

    def striking(self, kind: str, record: RequestRecord) -> Fault | None:
        """Find the first fault of a kind that hits a request, and count the hit."""
        for fault in list(self.active):
            if fault.kind == kind and fault.when(record):
                fault.strike()
                return fault
        return None

    def stale_version(self, record: RequestRecord) -> int | None:
        """Give the version that a list is to show instead of the newest."""
        fault = self.striking("stale", record)
        return fault.resource_version if fault else None

    def _add(self, fault: Fault) -> Fault:
        self.active.append(fault)
        return fault
