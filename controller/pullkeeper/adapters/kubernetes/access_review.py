"""Questions to the API server that change nothing: its version, our rights, who holds the Lease."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from pullkeeper.domain.config.rbac import RbacRule
from pullkeeper.domain.errors.failures import Failure, FailureError, Reason
from pullkeeper.domain.kube.api import NOT_FOUND, Response

_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


class Connection(Protocol):
    """Whoever carries a request to the API server; raises FailureError when there is no answer."""

    async def request(self, verb: str, path: str, *, body: object = None) -> Response:
        """Make one request."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class LeaseHolder:
    """A Lease as it stands."""

    holder: str
    """Empty where it has been released."""
    renewed_at: datetime | None


class AccessReviewer:
    """Asks; every method raises FailureError where there is no usable answer."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def version(self) -> str:
        """Tell the API server's version."""
        return str((await self._asked("get", "/version", "tell its version"))["gitVersion"])

    async def may(self, right: RbacRule) -> bool:
        """Ask whether whoever is logged in has a right."""
        attributes = {
            "verb": right.verb,
            "group": right.group,
            "resource": right.resource,
            "subresource": right.subresource,
            "name": right.name,
            "namespace": right.namespace,
        }
        spec = {"resourceAttributes": attributes}
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": spec}
        answer = await self._asked("create", _REVIEWS, f"say whether one may {right}", body)
        return (answer.get("status") or {}).get("allowed") is True

    async def lease(self, namespace: str, name: str) -> LeaseHolder | None:
        """Tell who holds a Lease; None where there is none."""
        path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{name}"
        answer = await self._connection.request("get", path)
        if answer.status == NOT_FOUND:
            return None
        spec = _checked(answer, f"get Lease {namespace}/{name}").get("spec") or {}
        renewed = spec.get("renewTime")
        return LeaseHolder(holder=spec.get("holderIdentity") or "", renewed_at=_moment(renewed) if renewed else None)

    async def _asked(self, verb: str, path: str, what: str, body: object = None) -> Mapping[str, Any]:
        return _checked(await self._connection.request(verb, path, body=body), what)


def _checked(answer: Response, what: str) -> Mapping[str, Any]:
    if answer.ok:
        return answer.body
    raise _unusable(f"the API server did not {what} (status {answer.status})")


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise _unusable("the Lease's renewTime cannot be read") from None


def _unusable(message: str) -> FailureError:
    return FailureError(Failure(reason=Reason.KUBERNETES_UNAVAILABLE, message=message))
