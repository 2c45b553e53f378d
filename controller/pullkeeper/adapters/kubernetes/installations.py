"""The installations of a cluster, by the ConfigMaps that the chart puts their settings into; read as the caller."""

from collections.abc import Sequence
from dataclasses import dataclass

from pullkeeper.adapters.kubernetes.access_review import SERVICE_ACCOUNT_USER
from pullkeeper.adapters.kubernetes.api_errors import api_error
from pullkeeper.adapters.kubernetes.client import ApiClient
from pullkeeper.domain.errors.failures import Failure, FailureError, Reason
from pullkeeper.domain.kube.api import FORBIDDEN, METADATA_LIST, NOT_FOUND, Response

LABEL = "pullkeeper.dev/component=settings"
"""What the chart labels its ConfigMap with, whatever the release and its objects are called."""
FILE = "settings.yaml"
"""The ConfigMap's key."""
_VERSION = "app.kubernetes.io/version"
_CONTAINER = "pullkeeper"
MAX_NAMED = 10
"""How many installations are named; anybody may make ConfigMaps with the label."""


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class InstallationName:
    """The namespace and the name of an installation's ConfigMap, which is the release's full name."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Controller:
    """What the Deployment of an installation says."""

    name: InstallationName
    version: str
    """By the chart's label; empty without it."""
    image: str
    ready: int
    wanted: int
    user: str
    """Its ServiceAccount, as the API server calls it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Installations:
    """What a search found, and where it looked."""

    names: Sequence[InstallationName]
    complete: bool
    """Whether there are no others."""
    namespace: str
    """The only namespace that could be searched; empty for the whole cluster."""


class InstallationReader:
    """Reads the metadata of ConfigMaps, and the settings of one; every method raises FailureError."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    async def search(self, namespace: str) -> Installations:
        """Search the whole cluster or, where that is denied, one namespace."""
        response = await self._list("/api/v1")
        searched = ""
        if response.status == FORBIDDEN:
            response, searched = await self._list(f"/api/v1/namespaces/{namespace}"), namespace
        if not response.ok:
            grant = f"list on configmaps, in all namespaces or in {namespace}"
            raise api_error(response, "list", "ConfigMaps", grant=grant)
        found = [_name(item["metadata"]) for item in response.body["items"] or ()]
        more = bool(response.body["metadata"].get("continue"))
        return Installations(names=found[:MAX_NAMED], complete=not more and len(found) <= MAX_NAMED, namespace=searched)

    async def settings(self, installation: InstallationName) -> bytes | None:
        """Return the settings file of an installation; None if there is no such ConfigMap."""
        path = f"/api/v1/namespaces/{installation.namespace}/configmaps/{installation.name}"
        response = await self._client.request("get", path)
        if response.status == NOT_FOUND:
            return None
        if not response.ok:
            grant = f"get on configmaps named {installation.name} in {installation.namespace}"
            raise api_error(response, "get", f"ConfigMap {installation}", grant=grant)
        text = (response.body.get("data") or {}).get(FILE)
        if text is None:
            message = f"ConfigMap {installation} has no key {FILE}: it is not one of Pullkeeper's chart"
            raise FailureError(Failure(reason=Reason.KUBERNETES_UNAVAILABLE, message=message))
        return str(text).encode()

    async def controller(self, installation: InstallationName) -> Controller:
        """Return what runs for an installation: its Deployment has the name of its ConfigMap."""
        path = f"/apis/apps/v1/namespaces/{installation.namespace}/deployments/{installation.name}"
        response = await self._client.request("get", path)
        if not response.ok:
            grant = f"get on deployments.apps named {installation.name} in {installation.namespace}"
            raise api_error(response, "get", f"Deployment {installation}", grant=grant)
        labels, status = response.body["metadata"].get("labels") or {}, response.body.get("status") or {}
        pod = response.body["spec"]["template"]["spec"]
        return Controller(
            name=installation,
            version=str(labels.get(_VERSION, "")),
            image=next((each["image"] for each in pod["containers"] if each["name"] == _CONTAINER), ""),
            ready=status.get("readyReplicas", 0),
            wanted=response.body["spec"].get("replicas", 1),
            user=f"{SERVICE_ACCOUNT_USER}{installation.namespace}:{pod.get('serviceAccountName', 'default')}",
        )

    async def _list(self, prefix: str) -> Response:
        # One page, of metadata: a ConfigMap may hold a megabyte, and anybody may make many.
        query = {"labelSelector": LABEL, "limit": str(MAX_NAMED + 1)}
        return await self._client.request("list", f"{prefix}/configmaps", query=query, accept=METADATA_LIST)


def _name(metadata: dict[str, str]) -> InstallationName:
    return InstallationName(namespace=metadata["namespace"], name=metadata["name"])
