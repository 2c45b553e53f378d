"""Reads a pod and what its pulls depend on, as the caller: the controller has no right to any of it but the Secret."""

from collections.abc import Mapping
from typing import Any

from pullkeeper.adapters.kubernetes.api_errors import api_error
from pullkeeper.adapters.kubernetes.client import ApiClient
from pullkeeper.adapters.kubernetes.listing import list_all
from pullkeeper.domain.ecr.credential import Password
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.kube.api import JSON, NOT_FOUND
from pullkeeper.domain.secret.pull_secret import MANAGED_BY, MANAGER, read_auths
from pullkeeper.domain.views.observed_pod import ObservedPod, PullEvent, observe_pod, pull_event, pull_secret_names


class PodReader:
    """Reads in one namespace; every method raises FailureError."""

    def __init__(self, client: ApiClient, namespace: str) -> None:
        self._client = client
        self._namespace = namespace
        self._path = f"/api/v1/namespaces/{namespace}"

    async def pod(self, name: str) -> ObservedPod | None:
        """Return a pod; None if there is none of that name."""
        found = await self._get("Pod", name)
        return observe_pod(found) if found else None

    async def pull_events(self, pod: ObservedPod) -> list[PullEvent]:
        """Return the Events that tell of failed pulls of a pod; the API server keeps them for about an hour."""
        found, _ = await list_all(
            self._client,
            f"{self._path}/events",
            what="Events",
            grant=f"list on events in {self._namespace}",
            translate=lambda event: pull_event(event, pod.uid),
            query={"fieldSelector": f"involvedObject.name={pod.name},involvedObject.kind=Pod,type=Warning"},
            accept=JSON,
        )
        return [event for event in found if event]

    async def account_secrets(self, account: str) -> tuple[str, ...]:
        """Return the pull Secrets that a ServiceAccount names; none if it does not exist."""
        found = await self._get("ServiceAccount", account)
        return pull_secret_names(found) if found else ()

    async def managed_secrets(self) -> list[str]:
        """Return the names of the Secrets that bear Pullkeeper's label, whatever the installation calls them."""
        found, _ = await list_all(
            self._client,
            f"{self._path}/secrets",
            what="Secrets managed by Pullkeeper",
            grant=f"list on secrets in {self._namespace}",
            translate=lambda item: str(item["metadata"]["name"]),
            query={"labelSelector": f"{MANAGED_BY}={MANAGER}"},
        )
        return found

    async def auths(self, secret: str) -> dict[RegistryHost, Password]:
        """Return the entries of a pull Secret, with their tokens; none if it does not exist."""
        found = await self._get("Secret", secret)
        return read_auths(found.get("data") or {}) if found else {}

    async def _get(self, kind: str, name: str) -> Mapping[str, Any] | None:
        """Return an object; None if there is none of that name."""
        resource = f"{kind.lower()}s"
        response = await self._client.request("get", f"{self._path}/{resource}/{name}")
        if response.status == NOT_FOUND:
            return None
        if not response.ok:
            raise api_error(response, "get", f"{kind} {name}", grant=f"get on {resource} in {self._namespace}")
        return response.body
