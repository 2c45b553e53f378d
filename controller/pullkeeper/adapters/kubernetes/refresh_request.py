"""The one write to a Namespace that there is, and it is the caller's, never the controller's: a `refresh` request."""

from typing import Protocol

from pullkeeper.domain.errors.failures import Failure, FailureError, Reason
from pullkeeper.domain.kube.api import FORBIDDEN, METADATA, NOT_FOUND, Response
from pullkeeper.domain.namespace.annotations import REFRESH
from pullkeeper.domain.namespace.namespace import PREFIX


class Connection(Protocol):
    """Whoever carries a request to the API server; raises FailureError when there is no answer."""

    async def request(
        self, verb: str, path: str, *, body: object = None, content_type: str = ..., accept: str = ...
    ) -> Response:
        """Make one request."""
        ...


async def put(connection: Connection, namespace: str, value: str) -> None:
    """Write the annotation, and nothing else; raises FailureError with what is missing."""
    answer = await connection.request(
        "patch",
        f"/api/v1/namespaces/{namespace}",
        body={"metadata": {"annotations": {f"{PREFIX}{REFRESH}": value}}},
        content_type="application/merge-patch+json",
        accept=METADATA,
    )
    if answer.ok:
        return
    why = {FORBIDDEN: "you have no right to patch it", NOT_FOUND: "there is no such namespace"}
    message = f"namespace/{namespace}: {why.get(answer.status, 'the API server did not take the annotation')}"
    reason = Reason.KUBERNETES_DENIED if answer.status == FORBIDDEN else Reason.KUBERNETES_UNAVAILABLE
    raise FailureError(Failure(reason=reason, message=f"{message} (status {answer.status})"))
