"""Namespaces, the Secrets of our one name, by metadata alone, and our warnings, as they are now: in chunks."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from pullkeeper.domain.errors.failures import Failure, FailureError, Reason
from pullkeeper.domain.kube.api import FORBIDDEN, GONE, METADATA, METADATA_LIST, NOT_FOUND, Response
from pullkeeper.domain.reporting.last_warning import REPORTER, LastWarning, last_warning
from pullkeeper.domain.secret.observed_secret import ObservedSecret, observe

_PAGE = "500"
_JSON = "application/json"

_T = TypeVar("_T")


class Connection(Protocol):
    """Whoever carries a request to the API server; raises FailureError when there is no answer."""

    async def request(
        self, verb: str, path: str, *, query: Mapping[str, str] | None = None, accept: str = ...
    ) -> Response:
        """Make one request."""
        ...


class SnapshotReader:
    """Lists once; where it is bound to namespaces, it asks for each of them alone. All of it raises FailureError."""

    def __init__(self, connection: Connection, *, secret_name: str, namespaces: Sequence[str] = ()) -> None:
        self._connection = connection
        self._secret_name = secret_name
        self._namespaces = namespaces

    async def namespaces(self, read: Callable[[Mapping[str, Any]], _T]) -> list[_T]:
        """Give the Namespaces, as `read` translates their metadata."""
        if self._namespaces:
            found = [await self._one(name) for name in self._namespaces]
            return [read(metadata) for metadata in found if metadata]
        return await self._pages("Namespaces", "/api/v1/namespaces", {}, lambda item: read(item["metadata"]))

    async def secrets(self) -> dict[str, ObservedSecret]:
        """Give the Secrets of our name by their namespace, others' too."""
        query = {"fieldSelector": f"metadata.name={self._secret_name}"}
        what = f"Secrets named {self._secret_name}"
        found: dict[str, ObservedSecret] = {}
        for prefix in self._prefixes("/api/v1"):
            found.update(await self._pages(what, f"{prefix}/secrets", query, _secret))
        return found

    async def warnings(self) -> dict[str, LastWarning]:
        """Give the last warning of each namespace that the controller has posted; Events are kept for about an hour."""
        query = {"fieldSelector": f"type=Warning,reportingController={REPORTER}"}
        last: dict[str, LastWarning] = {}
        for prefix in self._prefixes("/apis/events.k8s.io/v1"):
            for each in await self._pages("Events", f"{prefix}/events", query, last_warning, accept=_JSON):
                if each.namespace not in last or last[each.namespace].at < each.at:
                    last[each.namespace] = each
        return last

    def _prefixes(self, group: str) -> Sequence[str]:
        return [f"{group}/namespaces/{name}" for name in self._namespaces] or [group]

    async def _one(self, name: str) -> Mapping[str, Any] | None:
        answer = await self._connection.request("get", f"/api/v1/namespaces/{name}", accept=METADATA)
        if answer.status == NOT_FOUND:
            return None
        if not answer.ok:
            raise FailureError(_refused(f"get Namespace {name}", answer.status))
        metadata: Mapping[str, Any] = answer.body["metadata"]
        return metadata

    async def _pages(
        self,
        what: str,
        path: str,
        query: Mapping[str, str],
        read: Callable[[Mapping[str, Any]], _T],
        *,
        accept: str = METADATA_LIST,
    ) -> list[_T]:
        asked = {**query, "limit": _PAGE}
        found: list[_T] = []
        while True:
            answer = await self._connection.request("list", path, query=asked, accept=accept)
            if answer.status == GONE and "continue" in asked:
                del asked["continue"]
                found.clear()
                continue
            if not answer.ok:
                raise FailureError(_refused(f"list {what}", answer.status))
            found.extend(read(item) for item in answer.body["items"] or ())
            if not answer.body["metadata"].get("continue"):
                return found
            asked["continue"] = answer.body["metadata"]["continue"]


def _secret(item: Mapping[str, Any]) -> tuple[str, ObservedSecret]:
    return item["metadata"]["namespace"], observe(item["metadata"])


def _refused(what: str, status: int) -> Failure:
    if status == FORBIDDEN:
        message = f"the API server refused to {what} (403): grant that right"
        return Failure(reason=Reason.KUBERNETES_DENIED, message=message)
    return Failure(reason=Reason.KUBERNETES_UNAVAILABLE, message=f"the API server could not {what} (status {status})")
