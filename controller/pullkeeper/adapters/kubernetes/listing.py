"""Lists of objects, page by page."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pullkeeper.adapters.kubernetes.api_errors import api_error
from pullkeeper.adapters.kubernetes.client import ApiClient
from pullkeeper.domain.errors.failures import StaleObservationError
from pullkeeper.domain.kube.api import GONE, METADATA, METADATA_LIST, NOT_FOUND
from pullkeeper.domain.namespace.namespace import ObservedNamespace, observe_namespace

PAGE_SIZE = 250
"""Objects: what a page takes while it is read stays resident, whatever it was needed for."""

_T = TypeVar("_T")


def of_name(name: str) -> Mapping[str, str]:
    """Return the query by which a list or a watch is of one name, which RBAC compares with `resourceNames`."""
    return {"fieldSelector": f"metadata.name={name}"}


async def list_all(
    client: ApiClient,
    path: str,
    *,
    what: str,
    grant: str,
    translate: Callable[[Mapping[str, Any]], _T],
    query: Mapping[str, str] | None = None,
    accept: str = METADATA_LIST,
) -> tuple[list[_T], int]:
    """List a collection and return its translated items with the list's resourceVersion.

    Items are translated as their page arrives, so that no raw object outlives its page. A continue token that has
    expired (410) starts the list over. Raises FailureError, which names the collection as `what`.
    """
    first = {**(query or {}), "limit": str(PAGE_SIZE)}
    page, items = first, list[_T]()
    while True:
        response = await client.request("list", path, query=page, accept=accept)
        if response.status == GONE and "continue" in page:
            page, items = first, []
            continue
        if not response.ok:
            raise api_error(response, "list", what, grant=grant)
        items.extend(map(translate, response.body["items"] or ()))
        metadata = response.body["metadata"]
        if not metadata.get("continue"):
            return items, int(metadata["resourceVersion"])
        page = {**first, "continue": metadata["continue"]}


async def list_namespaces(client: ApiClient, name: str = "") -> tuple[list[ObservedNamespace], int]:
    """List the metadata of every Namespace, or of the one of a name, with the list's version; raises FailureError."""
    return await list_all(
        client,
        "/api/v1/namespaces",
        what=f"Namespace {name}" if name else "Namespaces",
        grant="list on namespaces",
        translate=lambda item: observe_namespace(item["metadata"]),
        query=of_name(name) if name else None,
    )


async def find_namespace(client: ApiClient, name: str, version: int) -> ObservedNamespace | None:
    """Find a Namespace with the right to list them; raises FailureError, StaleObservationError if before `version`."""
    found, listed = await list_namespaces(client, name)
    if listed < version:
        raise StaleObservationError(f"namespace/{name}")
    return next(iter(found), None)


async def read_namespace(client: ApiClient, name: str, _version: int) -> ObservedNamespace | None:
    """Read a Namespace with the right to get it, which the API server answers as it is now; raises FailureError."""
    response = await client.request("get", f"/api/v1/namespaces/{name}", accept=METADATA)
    if response.status == NOT_FOUND:
        return None
    if not response.ok:
        raise api_error(response, "get", f"Namespace {name}", grant="get and watch on namespaces")
    return observe_namespace(response.body["metadata"])
