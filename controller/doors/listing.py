"""Namespaces, and the Secrets of our one name, as they are now: by their metadata alone, in chunks."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from controller.core.api import FORBIDDEN, GONE, METADATA, METADATA_LIST, NOT_FOUND, Answer
from controller.core.namespace import NamespaceView, namespace_view
from controller.core.observed_secret import ObservedSecret, observe
from controller.core.reasons import Failure, FailureError, Reason

_PAGE = "500"


class Connection(Protocol):
    """Whoever carries a request to the API server; raises FailureError when there is no answer."""

    async def request(
        self, verb: str, path: str, *, query: Mapping[str, str] | None = None, accept: str = ...
    ) -> Answer:
        """Make one request."""
        ...


class Listing:
    """Lists once; where it is bound to namespaces, it asks for each of them alone."""

    def __init__(self, connection: Connection, *, secret_name: str, namespaces: Sequence[str] = ()) -> None:
        self._connection = connection
        self._secret_name = secret_name
        self._namespaces = namespaces

    async def namespaces(self) -> list[NamespaceView]:
        """Give the Namespaces; raises FailureError."""
        if not self._namespaces:
            return [namespace_view(metadata) for metadata in await self._pages("Namespaces", "/api/v1/namespaces", {})]
        found = [await self._one(name) for name in self._namespaces]
        return [view for view in found if view]

    async def secrets(self) -> dict[str, ObservedSecret]:
        """Give the Secrets of our name by their namespace, others' too; raises FailureError."""
        query = {"fieldSelector": f"metadata.name={self._secret_name}"}
        paths = [f"/api/v1/namespaces/{name}/secrets" for name in self._namespaces] or ["/api/v1/secrets"]
        what = f"Secrets named {self._secret_name}"
        return {
            metadata["namespace"]: observe(metadata)
            for path in paths
            for metadata in await self._pages(what, path, query)
        }

    async def _one(self, name: str) -> NamespaceView | None:
        answer = await self._connection.request("get", f"/api/v1/namespaces/{name}", accept=METADATA)
        if answer.status == NOT_FOUND:
            return None
        if not answer.ok:
            raise FailureError(_refused(f"get Namespace {name}", answer.status))
        return namespace_view(answer.body["metadata"])

    async def _pages(self, what: str, path: str, query: Mapping[str, str]) -> list[Mapping[str, Any]]:
        asked = {**query, "limit": _PAGE}
        found: list[Mapping[str, Any]] = []
        while True:
            answer = await self._connection.request("list", path, query=asked, accept=METADATA_LIST)
            if answer.status == GONE and "continue" in asked:
                del asked["continue"]
                found.clear()
                continue
            if not answer.ok:
                raise FailureError(_refused(f"list {what}", answer.status))
            found.extend(item["metadata"] for item in answer.body["items"] or ())
            if not answer.body["metadata"].get("continue"):
                return found
            asked["continue"] = answer.body["metadata"]["continue"]


def _refused(what: str, status: int) -> Failure:
    if status == FORBIDDEN:
        return Failure(
            reason=Reason.KUBERNETES_DENIED, message=f"the API server refused to {what} (403): grant that right"
        )
    return Failure(reason=Reason.KUBERNETES_UNAVAILABLE, message=f"the API server could not {what} (status {status})")
