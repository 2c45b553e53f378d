"""Reads and writes of the pull Secret, or one of another shape, that never touch a Secret of somebody else."""

import base64
from collections.abc import Iterable
from typing import Any

from pullkeeper.adapters.kubernetes.api_errors import api_error, causes, refusal
from pullkeeper.adapters.kubernetes.client import ApiClient
from pullkeeper.domain.ecr.credential import Password
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.errors.failures import (
    Failure,
    FailureError,
    NamespaceGoneError,
    Reason,
    StaleObservationError,
    foreign_secret_failure,
)
from pullkeeper.domain.errors.text import listed, printable
from pullkeeper.domain.kube.api import CONFLICT, METADATA, NO_VERSION, NOT_FOUND, UNPROCESSABLE, Response
from pullkeeper.domain.secret.observed_secret import ObservedSecret, observe
from pullkeeper.domain.secret.pull_secret import MANAGER, PullSecret
from pullkeeper.domain.secret.shapes import SecretShape, manifest

_RIGHTS = {"apply": "create and patch", "delete": "delete", "get": "get"}


class PullSecretClient:
    """Applies, deletes and reads the Secret of one shape in a namespace.

    Every method raises FailureError, NamespaceGoneError if the namespace does not exist or is being deleted, and
    StaleObservationError if the Secret is not the one that was observed.
    """

    def __init__(self, client: ApiClient, *, shape: SecretShape, installation: str) -> None:
        """Have what is applied name the installation."""
        self._client = client
        self._shape = shape
        self._secret_name = shape.name
        self._installation = installation

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
            return observe(response.body["metadata"], self._shape)
        raise self._error(namespace, "apply", response, existing=secret is not None, hidden=self._secret_texts(content))

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
        return self._shape.read_auths(response.body.get("data") or {})

    def _path(self, namespace: str) -> str:
        return f"/api/v1/namespaces/{namespace}/secrets/{self._secret_name}"

    def _body(self, namespace: str, content: PullSecret, secret: ObservedSecret | None) -> dict[str, Any]:
        observed = {"resourceVersion": NO_VERSION}
        if secret is not None:
            observed = {"uid": secret.uid, "resourceVersion": str(secret.resource_version)}
        data = self._shape.data(content)
        body = manifest(self._shape, namespace, content.record, data, installation=self._installation)
        body["metadata"] |= observed
        return body

    def _secret_texts(self, content: PullSecret) -> tuple[str, ...]:
        """Return everything secret that the API server's answer to a write may quote."""
        auths = [auth.reveal() for auth in content.auths.values()]
        logins = [base64.b64decode(auth).decode() for auth in auths]
        passwords = [login.partition(":")[2] for login in logins]
        return (*self._shape.data(content).values(), *auths, *logins, *passwords)

    def _error(
        self, namespace: str, verb: str, response: Response, *, existing: bool, hidden: Iterable[str] = ()
    ) -> Exception:
        where = f"namespace/{namespace}"
        if "NamespaceTerminating" in causes(response, "reason"):
            return NamespaceGoneError(where)
        if refusal(response) is None and (known := self._known_error(namespace, response, existing=existing)):
            return known
        grant = f"{_RIGHTS[verb]} on secrets named {self._secret_name}"
        return api_error(response, verb, f"Secret {namespace}/{self._secret_name}", grant=grant, hidden=hidden)

    def _known_error(self, namespace: str, response: Response, *, existing: bool) -> Exception | None:
        """Return what the status means where nobody but the API server itself refuses; None if nothing special."""
        where = f"namespace/{namespace}"
        if response.status == NOT_FOUND:
            return NamespaceGoneError(where)
        if response.status == UNPROCESSABLE:
            return self._obstacle(where, response)
        if response.status != CONFLICT:
            return None
        foreign = not existing and causes(response, "field")
        return (
            FailureError(foreign_secret_failure(namespace, self._shape.called))
            if foreign
            else StaleObservationError(where)
        )

    def _obstacle(self, where: str, response: Response) -> Exception | None:
        fields = causes(response, "field")
        if not fields or "metadata.uid" in fields:
            return StaleObservationError(where)
        if not any(fields):
            return None
        obstacles = {"type": _OTHER_TYPE.format(self._shape.type), **_OBSTACLES}
        advice = next((text for field, text in obstacles.items() if _is_fixed(response, field)), None)
        advice = advice or f"it would be invalid in {printable(listed(sorted(fields)), _MAX_FIELDS)}: correct that"
        message = f"{where}: the existing Secret {self._secret_name} cannot be overwritten: {advice}"
        return FailureError(Failure(reason=Reason.SECRET_CONFLICT, message=message))


_MAX_FIELDS = 200
_ANEW = "delete it, and Pullkeeper creates a new one at once"
_OTHER_TYPE = f"it is not of type {{}}, and the type of a Secret cannot be changed: {_ANEW}"
_OBSTACLES = {
    "data": f"it is marked immutable, which cannot be undone: {_ANEW}",
    "immutable": f"it is marked immutable, which cannot be undone: {_ANEW}",
}
"""Fields that cannot be changed, beside the type: only these are worth losing a Secret for."""


def _is_fixed(response: Response, field: str) -> bool:
    """Whether the API server says that a field is immutable; the same field may be invalid for other reasons."""
    found = response.body["details"]["causes"]
    return any(cause.get("field") == field and "immutable" in cause.get("message", "") for cause in found)
