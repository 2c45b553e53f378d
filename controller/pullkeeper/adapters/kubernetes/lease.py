"""The Lease that elects the leader among the replicas."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from pullkeeper.adapters.kubernetes.api_errors import api_error, refusal
from pullkeeper.adapters.kubernetes.client import ApiClient
from pullkeeper.domain.errors.failures import StaleObservationError
from pullkeeper.domain.kube.api import CONFLICT, NO_VERSION, NOT_FOUND, Response
from pullkeeper.domain.kube.lease import Lease
from pullkeeper.domain.kube.timestamps import format_timestamp
from pullkeeper.domain.secret.pull_secret import LABELS, MANAGER

_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"


class LeaseClient:
    """Reads and writes one Lease.

    Every method raises FailureError, and every write StaleObservationError if another replica was quicker.
    """

    def __init__(self, client: ApiClient, *, namespace: str, name: str, clock: Callable[[], datetime]) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{name}"
        self._clock = clock

    async def read(self) -> Lease | None:
        """Read the Lease; None if it does not exist."""
        response = await self._client.request("get", self._path)
        return None if response.status == NOT_FOUND else self._lease(response, "read")

    async def create(self, holder: str, duration: timedelta) -> Lease:
        """Create the Lease by server-side apply, which, unlike a create, RBAC can bound to the Lease's name.

        The resourceVersion in it keeps the apply from changing an existing Lease.
        """
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self._name, "resourceVersion": NO_VERSION, "labels": dict(LABELS)},
            "spec": self._held_by(holder, duration, 0),
        }
        return await self._patch(body, "create", content_type=_APPLY)

    async def take(self, lease: Lease, holder: str, duration: timedelta) -> Lease:
        """Take over the Lease in the state that was observed."""
        transitions = lease.transitions + (lease.holder != holder)
        return await self._update(lease, self._held_by(holder, duration, transitions), "take over")

    async def renew(self, lease: Lease) -> Lease:
        """Renew the Lease for its holder."""
        return await self._update(lease, {"renewTime": self._now()}, "renew")

    async def release(self, lease: Lease) -> None:
        """Leave the Lease without a holder."""
        await self._update(lease, {"holderIdentity": "", "renewTime": self._now()}, "release")

    async def _update(self, lease: Lease, spec: Mapping[str, Any], verb: str) -> Lease:
        body = {"metadata": {"uid": lease.uid, "resourceVersion": lease.version}, "spec": spec}
        return await self._patch(body, verb, content_type=_MERGE)

    async def _patch(self, body: Mapping[str, Any], verb: str, *, content_type: str) -> Lease:
        query = {"fieldManager": MANAGER}
        response = await self._client.request("patch", self._path, query=query, body=body, content_type=content_type)
        return self._lease(response, verb)

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
        return format_timestamp(self._clock(), "microseconds")

    def _lease(self, response: Response, verb: str) -> Lease:
        if response.ok:
            return _parse(response.body)
        # A Lease that is to be created is not found if its namespace does not exist.
        changed = response.status == CONFLICT or (response.status == NOT_FOUND and verb != "create")
        if changed and refusal(response) is None:
            raise StaleObservationError(f"lease/{self._name}")
        grant = f"get, create and patch on leases named {self._name} in {self._namespace}"
        raise api_error(response, verb, f"Lease {self._namespace}/{self._name}", grant=grant)


def _parse(body: Mapping[str, Any]) -> Lease:
    metadata, spec = body["metadata"], body.get("spec") or {}
    return Lease(
        uid=metadata["uid"],
        version=metadata["resourceVersion"],
        holder=spec.get("holderIdentity") or "",
        # A Lease without a sensible duration was not written by a replica of ours.
        duration=timedelta(seconds=max(int(spec.get("leaseDurationSeconds") or 0), 1)),
        transitions=int(spec.get("leaseTransitions") or 0),
    )
