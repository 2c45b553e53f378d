"""Reads and writes of the pull Secret that never touch a Secret of somebody else."""

from typing import Any

from pullkeeper.adapters.kubernetes.api_errors import api_error, causes
from pullkeeper.adapters.kubernetes.client import ApiClient
from pullkeeper.domain.ecr.credential import Password
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.errors.failures import Failure, FailureError, NamespaceGoneError, Reason, StaleObservationError
from pullkeeper.domain.kube.api import CONFLICT, METADATA, NO_VERSION, NOT_FOUND, UNPROCESSABLE, Response
from pullkeeper.domain.secret.observed_secret import ObservedSecret, observe
from pullkeeper.domain.secret.pull_secret import MANAGER, SECRET_TYPE, PullSecret, manifest, read_auths

_RIGHTS = {"apply": "create and patch", "delete": "delete", "get": "get"}


class PullSecretClient:
    """Applies, deletes and reads the pull Secret of a namespace.

    Every method raises FailureError, NamespaceGoneError if the namespace does not exist or is being deleted, and
    StaleObservationError if the Secret is not the one that was observed.
    """

    def __init__(self, client: ApiClient, *, secret_name: str) -> None:
        self._client = client
        self._secret_name = secret_name

    async def apply(self, namespace: str, content: PullSecret, secret: ObservedSecret | None) -> ObservedSecret:
        """Write the pull Secret by server-side apply, without reading it first.

        Without an observed Secret the apply names a version that no object has and is not forced, so it creates the
        Secret or changes nothing. Otherwise it names the observed uid and resourceVersion, so it changes exactly that
        Secret in exactly that state. Neither can undo what another replica has written in the meantime.
        """
        response = await self._client.request(
            "patch",
            self._path(namespace),
            query={"fieldManager": MANAGER, "force": "true" if secret else "false"},
            body=self._body(namespace, content, secret),
            content_type="application/apply-patch+yaml",
            accept=METADATA,
        )
        if response.ok:
            return observe(response.body["metadata"])
        raise self._error(namespace, "apply", response, existing=secret is not None)

    async def delete(self, namespace: str, secret: ObservedSecret) -> None:
        """Delete the Secret if it is unchanged since it was observed; it may be gone already."""
        preconditions = {"uid": secret.uid, "resourceVersion": str(secret.resource_version)}
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions}
        response = await self._client.request("delete", self._path(namespace), body=body, accept=METADATA)
        if not response.ok and response.status != NOT_FOUND:
            raise self._error(namespace, "delete", response, existing=True)

    async def read_auths(self, namespace: str) -> dict[RegistryHost, Password]:
        """Read the passwords in the pull Secret by registry."""
        response = await self._client.request("get", self._path(namespace))
        if not response.ok:
            raise self._error(namespace, "get", response, existing=True)
        return read_auths(response.body.get("data") or {})

    def _path(self, namespace: str) -> str:
        return f"/api/v1/namespaces/{namespace}/secrets/{self._secret_name}"

    def _body(self, namespace: str, content: PullSecret, secret: ObservedSecret | None) -> dict[str, Any]:
        observed = {"resourceVersion": NO_VERSION}
        if secret is not None:
            observed = {"uid": secret.uid, "resourceVersion": str(secret.resource_version)}
        body = manifest(self._secret_name, namespace, content.record, content.data())
        body["metadata"] |= observed
        return body

    def _error(self, namespace: str, verb: str, response: Response, *, existing: bool) -> Exception:
        where = f"namespace/{namespace}"
        if response.status == NOT_FOUND or "NamespaceTerminating" in causes(response, "reason"):
            return NamespaceGoneError(where)
        if response.status == CONFLICT and existing:
            return StaleObservationError(where)
        if response.status in {CONFLICT, UNPROCESSABLE}:
            return self._conflict(where, response)
        grant = f"{_RIGHTS[verb]} on secrets named {self._secret_name}"
        return api_error(response.status, verb, f"Secret {namespace}/{self._secret_name}", grant=grant)

    def _conflict(self, where: str, response: Response) -> Exception:
        fields = causes(response, "field")
        if not fields or "metadata.uid" in fields:
            return StaleObservationError(where)
        why = next((text for field, text in _OBSTACLES.items() if field in fields), "it belongs to somebody else")
        message = (
            f"{where}: the existing Secret {self._secret_name} cannot be overwritten ({why}) and is left alone: "
            "delete it, and Pullkeeper creates a new one at once"
        )
        return FailureError(Failure(reason=Reason.SECRET_CONFLICT, message=message))


_OBSTACLES = {
    "type": f"it is not of type {SECRET_TYPE}, and the type of a Secret cannot be changed",
    "data": "it is marked immutable, which cannot be undone",
    "immutable": "it is marked immutable, which cannot be undone",
}
