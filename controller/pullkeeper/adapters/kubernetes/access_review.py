"""Read-only questions to the API server for `pullkeeper check`: its version, somebody's rights, the Lease."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pullkeeper.adapters.kubernetes.api_errors import api_error
from pullkeeper.adapters.kubernetes.client import ApiClient
from pullkeeper.domain.config.rbac import RbacRule
from pullkeeper.domain.errors.failures import Failure, FailureError, Reason
from pullkeeper.domain.kube.api import NOT_FOUND, Response
from pullkeeper.domain.kube.timestamps import parse_timestamp

_REVIEWS = "/apis/authorization.k8s.io/v1"
SERVICE_ACCOUNT_USER = "system:serviceaccount:"
"""How the API server's name of a ServiceAccount begins; its namespace and name follow."""
_WHO_AM_I = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


@dataclass(frozen=True, kw_only=True, slots=True)
class LeaseHolder:
    """Who holds a Lease, and when it was renewed last."""

    holder: str
    """Empty if the Lease has been released."""
    renewed_at: datetime | None


class AccessReviewer:
    """Asks the API server; every method raises FailureError."""

    def __init__(self, client: ApiClient, *, user: str = "") -> None:
        """`user` is the ServiceAccount whose rights are asked for, if the caller may; without one they are its own."""
        self._client = client
        self._user = user

    async def version(self) -> str:
        """Return the API server's version."""
        response = await self._client.request("get", "/version")
        return str(_checked(response, "get", "its version", grant="get on the URL /version")["gitVersion"])

    async def may(self, right: RbacRule) -> bool:
        """Return whether the user has a right."""
        attributes = {
            "verb": right.verb,
            "group": right.group,
            "resource": right.resource,
            "subresource": right.subresource,
            "name": right.name,
            "namespace": right.namespace,
        }
        kind = "SubjectAccessReview" if self._user else "SelfSubjectAccessReview"
        plural = f"{kind.lower()}s"
        spec = {"resourceAttributes": attributes, **_service_account(self._user)}
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec}
        response = await self._client.request("create", f"{_REVIEWS}/{plural}", body=body)
        grant = f"create on {plural}.authorization.k8s.io"
        review = _checked(response, "review", f"the right to {right}", grant=grant)
        return (review.get("status") or {}).get("allowed") is True

    async def user(self) -> str:
        """Return whom the API server takes the caller for; empty before Kubernetes 1.28, which does not say."""
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        response = await self._client.request("create", _WHO_AM_I, body=body)
        if response.status == NOT_FOUND:
            return ""
        review = _checked(response, "say", "who asks", grant="create on selfsubjectreviews.authentication.k8s.io")
        return str(review["status"]["userInfo"]["username"])

    async def lease(self, namespace: str, name: str) -> LeaseHolder | None:
        """Return the holder of a Lease; None if the Lease does not exist."""
        path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{name}"
        response = await self._client.request("get", path)
        if response.status == NOT_FOUND:
            return None
        lease = _checked(response, "get", f"Lease {namespace}/{name}", grant=f"get on leases in {namespace}")
        spec = lease.get("spec") or {}
        renewed = spec.get("renewTime")
        renewed_at = _parse_renew_time(renewed, f"{namespace}/{name}") if renewed else None
        return LeaseHolder(holder=spec.get("holderIdentity") or "", renewed_at=renewed_at)


def _service_account(user: str) -> Mapping[str, Any]:
    """Return a ServiceAccount as the subject of a review, with the groups that the API server puts it in."""
    if not user:
        return {}
    namespace = user.removeprefix(SERVICE_ACCOUNT_USER).partition(":")[0]
    groups = ["system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"]
    return {"user": user, "groups": groups}


def _checked(response: Response, verb: str, target: str, *, grant: str) -> Mapping[str, Any]:
    if response.ok:
        return response.body
    raise api_error(response, verb, target, grant=grant)


def _parse_renew_time(text: str, lease: str) -> datetime:
    try:
        return parse_timestamp(text)
    except ValueError:
        message = f"the renewTime of Lease {lease} is not a timestamp"
        raise FailureError(Failure(reason=Reason.KUBERNETES_UNAVAILABLE, message=message)) from None
