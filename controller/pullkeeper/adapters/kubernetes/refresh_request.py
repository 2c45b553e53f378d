"""The annotation by which `pullkeeper refresh` requests a new token; the controller itself never writes a Namespace."""

from pullkeeper.adapters.kubernetes.api_errors import api_error
from pullkeeper.adapters.kubernetes.client import ApiClient
from pullkeeper.domain.kube.api import METADATA
from pullkeeper.domain.namespace.annotations import REFRESH
from pullkeeper.domain.namespace.namespace import PREFIX


async def request_refresh(client: ApiClient, namespace: str, value: str) -> None:
    """Set the annotation to this value and change nothing else; raises FailureError."""
    response = await client.request(
        "patch",
        f"/api/v1/namespaces/{namespace}",
        body={"metadata": {"annotations": {f"{PREFIX}{REFRESH}": value}}},
        content_type="application/merge-patch+json",
        accept=METADATA,
    )
    if not response.ok:
        grant = f"yourself patch on namespaces named {namespace}"
        raise api_error(response, "patch", f"Namespace {namespace}", grant=grant)
