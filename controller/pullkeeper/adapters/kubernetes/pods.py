"""Reads a pod and what its pulls depend on, as the caller: the controller has no right to any of it but the Secret."""

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
        response = await self._client.request("get", f"{self._path}/pods/{name}")
        if response.status == NOT_FOUND:
            return None
        if not response.ok:
            raise api_error(response, "get", f"Pod {name}", grant=f"get on pods in {self._namespace}")
        return observe_pod(response.body)

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
        response = await self._client.request("get", f"{self._path}/serviceaccounts/{account}")
        if response.status == NOT_FOUND:
            return ()
        if not response.ok:
            grant = f"get on serviceaccounts in {self._namespace}"
            raise api_error(response, "get", f"ServiceAccount {account}", grant=grant)
        return pull_secret_names(response.body)

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
        response = await self._client.request("get", f"{self._path}/secrets/{secret}")
        if response.status == NOT_FOUND:
            return {}
        if not response.ok:
            raise api_error(response, "get", f"Secret {secret}", grant=f"get on secrets in {self._namespace}")
        return read_auths(response.body.get("data") or {})
