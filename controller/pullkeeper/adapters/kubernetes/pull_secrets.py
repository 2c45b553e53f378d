"""Writes to the Kubernetes API: the pull Secret, by server-side apply, and the listing of Namespaces."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from pullkeeper.domain.ecr.credential import Password
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.errors.failures import Failure, FailureError, NamespaceGoneError, Reason, StaleObservationError
from pullkeeper.domain.kube.api import (
    CONFLICT,
    FORBIDDEN,
    METADATA,
    METADATA_LIST,
    NO_VERSION,
    NOT_FOUND,
    UNPROCESSABLE,
    Response,
)
from pullkeeper.domain.namespace.namespace import ObservedNamespace, observe_namespace
from pullkeeper.domain.secret.observed_secret import ObservedSecret, observe
from pullkeeper.domain.secret.pull_secret import MANAGER, SECRET_TYPE, PullSecret, manifest, read_auths

PAGE = "500"


class Connection(Protocol):
    """Whoever carries a request to the API server; raises FailureError when there is no answer."""

    async def request(
        self,
        verb: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> Response:
        """Make one request."""
        ...


class PullSecretClient:
    """The cluster as far as the controller writes to it."""

    def __init__(self, connection: Connection, *, secret_name: str) -> None:
        self._connection = connection
        self._secret_name = secret_name

    async def apply(self, namespace: str, content: PullSecret, secret: ObservedSecret | None) -> ObservedSecret:
        """Write the pull Secret, without reading it first, and only where it cannot hit a stranger's.

        A first one names a version that no object has and is applied without force, so it creates or does nothing; a
        later one names the uid and the resourceVersion that were observed, so it changes just that Secret in just that
        state. Neither can undo what another replica has written meanwhile.
        """
        answer = await self._connection.request(
            "patch",
            self._path(namespace),
            query={"fieldManager": MANAGER, "force": "true" if secret else "false"},
            body=self._body(namespace, content, secret),
            content_type="application/apply-patch+yaml",
            accept=METADATA,
        )
        if answer.ok:
            return observe(answer.body["metadata"])
        raise self._refused(namespace, "apply", answer, existing=secret is not None)

    async def delete(self, namespace: str, secret: ObservedSecret) -> None:
        """Delete the Secret, if it is still just the one that was observed."""
        preconditions = {"uid": secret.uid, "resourceVersion": str(secret.resource_version)}
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions}
        answer = await self._connection.request("delete", self._path(namespace), body=body, accept=METADATA)
        if not answer.ok and answer.status != NOT_FOUND:
            raise self._refused(namespace, "delete", answer, existing=True)

    async def read_auths(self, namespace: str) -> dict[RegistryHost, Password]:
        """Read the entries of the pull Secret."""
        answer = await self._connection.request("get", self._path(namespace))
        if not answer.ok:
            raise self._refused(namespace, "get", answer, existing=True)
        return read_auths(answer.body.get("data") or {})

    async def list_namespaces(self) -> tuple[list[ObservedNamespace], int]:
        """List all Namespaces, by their metadata, and tell the version of the listing."""
        query = {"limit": PAGE}
        views: list[ObservedNamespace] = []
        while True:
            answer = await self._connection.request("list", "/api/v1/namespaces", query=query, accept=METADATA_LIST)
            if not answer.ok:
                raise FailureError(_failure(answer, "list namespaces"))
            views.extend(observe_namespace(item["metadata"]) for item in answer.body["items"] or ())
            listing = answer.body["metadata"]
            if not listing.get("continue"):
                return views, int(listing["resourceVersion"])
            query["continue"] = listing["continue"]

    def _path(self, namespace: str) -> str:
        return f"/api/v1/namespaces/{namespace}/secrets/{self._secret_name}"

    def _body(self, namespace: str, content: PullSecret, secret: ObservedSecret | None) -> dict[str, Any]:
        observed = {"resourceVersion": NO_VERSION}
        if secret is not None:
            observed = {"uid": secret.uid, "resourceVersion": str(secret.resource_version)}
        body = manifest(self._secret_name, namespace, content.record, content.data())
        body["metadata"] |= observed
        return body

    def _refused(self, namespace: str, verb: str, answer: Response, *, existing: bool) -> Exception:
        where = f"namespace/{namespace}"
        if answer.status == NOT_FOUND or "NamespaceTerminating" in _causes(answer, "reason"):
            return NamespaceGoneError(where)
        if answer.status == CONFLICT and existing:
            return StaleObservationError(where)
        if answer.status in {CONFLICT, UNPROCESSABLE}:
            return self._conflict(where, answer)
        failure = _failure(answer, f"{verb} Secret {namespace}/{self._secret_name}")
        return FailureError(failure)

    def _conflict(self, where: str, answer: Response) -> Exception:
        # Only the names of the fields: an API server's message may quote what is in them.
        fields = set(_causes(answer, "field"))
        if not fields or "metadata.uid" in fields:
            return StaleObservationError(where)
        why = next((text for field, text in _OBSTACLES.items() if field in fields), "it belongs to somebody else")
        message = (
            f"{where}: the Secret {self._secret_name} that is there cannot be written ({why}), so it is left alone: "
            "delete it, and a fresh one follows at once"
        )
        return FailureError(Failure(reason=Reason.SECRET_CONFLICT, message=message))


_OBSTACLES = {
    "type": f"it is not of type {SECRET_TYPE}, and a type cannot be changed",
    "data": "it is marked immutable, which cannot be undone",
    "immutable": "it is marked immutable, which cannot be undone",
}


def _causes(answer: Response, key: str) -> Iterable[str]:
    causes = (answer.body.get("details") or {}).get("causes") or ()
    return [str(cause.get(key, "")) for cause in causes]


def _failure(answer: Response, what: str) -> Failure:
    if answer.status == FORBIDDEN:
        message = f"the API server refused to {what} (403): grant the controller's ServiceAccount that right"
        return Failure(reason=Reason.KUBERNETES_DENIED, message=message)
    message = f"the API server could not {what} (status {answer.status})"
    return Failure(reason=Reason.KUBERNETES_UNAVAILABLE, message=message)
