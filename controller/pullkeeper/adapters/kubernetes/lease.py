"""The Lease by which several replicas agree on the one that acts."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from pullkeeper.domain.errors.failures import Failure, FailureError, Reason, StaleObservationError
from pullkeeper.domain.kube.api import CONFLICT, FORBIDDEN, NO_VERSION, NOT_FOUND, Response
from pullkeeper.domain.kube.lease import Lease
from pullkeeper.domain.secret.pull_secret import LABELS, MANAGER

_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"


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
    ) -> Response:
        """Make one request."""
        ...


class LeaseClient:
    """Reads and writes the one Lease; it needs get, create and patch on it, bounded by its name."""

    def __init__(self, connection: Connection, *, namespace: str, name: str, clock: Callable[[], datetime]) -> None:
        self._connection = connection
        self._namespace = namespace
        self._name = name
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{name}"
        self._clock = clock

    async def read(self) -> Lease | None:
        """Read the Lease; None where there is none. Raises FailureError."""
        answer = await self._connection.request("get", self._path)
        return None if answer.status == NOT_FOUND else self._lease(answer, "read")

    async def create(self, holder: str, duration: timedelta) -> Lease:
        """Make the Lease; raises StaleObservationError where another replica has made it.

        By an apply, which RBAC can bound by the name; the version in it keeps it from changing one that is there.
        """
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self._name, "resourceVersion": NO_VERSION, "labels": dict(LABELS)},
            "spec": self._held_by(holder, duration, 0),
        }
        answer = await self._connection.request(
            "patch", self._path, query={"fieldManager": MANAGER}, body=body, content_type=_APPLY
        )
        return self._lease(answer, "create")

    async def take(self, lease: Lease, holder: str, duration: timedelta) -> Lease:
        """Take over the Lease as it was seen."""
        turns = lease.transitions + (lease.holder != holder)
        return await self._patch(lease, self._held_by(holder, duration, turns), "take over")

    async def renew(self, lease: Lease) -> Lease:
        """Write down that its holder is still there."""
        return await self._patch(lease, {"renewTime": self._now()}, "renew")

    async def release(self, lease: Lease) -> None:
        """Leave the Lease without a holder."""
        await self._patch(lease, {"holderIdentity": "", "renewTime": self._now()}, "release")

    async def _patch(self, lease: Lease, spec: Mapping[str, Any], what: str) -> Lease:
        body = {"metadata": {"uid": lease.uid, "resourceVersion": lease.version}, "spec": spec}
        answer = await self._connection.request(
            "patch", self._path, query={"fieldManager": MANAGER}, body=body, content_type=_MERGE
        )
        return self._lease(answer, what)

    def _held_by(self, holder: str, duration: timedelta, transitions: int) -> dict[str, Any]:
        now = self._now()
        return {
            "holderIdentity": holder,
            "leaseDurationSeconds": int(duration.total_seconds()),
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": transitions,
        }

    def _now(self) -> str:
        return self._clock().astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")

    def _lease(self, answer: Response, what: str) -> Lease:
        if answer.ok:
            return _read(answer.body)
        if answer.status in {CONFLICT, NOT_FOUND} and not (answer.status == NOT_FOUND and what == "create"):
            raise StaleObservationError(f"lease/{self._name}")
        raise FailureError(self._refused(answer.status, what))

    def _refused(self, status: int, what: str) -> Failure:
        where = f"the Lease {self._namespace}/{self._name}"
        if status == FORBIDDEN:
            message = f"the API server refused to {what} {where} (403): grant get, create and patch on it"
            return Failure(reason=Reason.KUBERNETES_DENIED, message=message)
        message = f"the API server could not {what} {where} (status {status})"
        return Failure(reason=Reason.KUBERNETES_UNAVAILABLE, message=message)


def _read(body: Mapping[str, Any]) -> Lease:
    metadata, spec = body["metadata"], body.get("spec") or {}
    return Lease(
        uid=metadata["uid"],
        version=metadata["resourceVersion"],
        holder=spec.get("holderIdentity") or "",
        # One that says nothing of its duration, or nothing sensible, was not written by a replica of ours.
        duration=timedelta(seconds=max(int(spec.get("leaseDurationSeconds") or 0), 1)),
        transitions=int(spec.get("leaseTransitions") or 0),
    )
