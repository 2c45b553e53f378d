"""Take the Lease from a running controller, so that it does not undo what a command does."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from pullkeeper.adapters.kubernetes.client import ApiClient
from pullkeeper.adapters.kubernetes.lease import LeaseClient
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.errors.failures import Failure, FailureError, Reason, StaleObservationError
from pullkeeper.domain.kube.lease import Lease, LeaseTimings

HOLDER = "pullkeeper-cleanup"
HELD_FOR = timedelta(minutes=5)
"""How long no replica leads afterwards: until Helm has deleted the Deployment, and not for good if it never does."""
_MAX_ATTEMPTS = 5
"""A leader renews the Lease every few seconds, so hardly ever between the read and the write."""


async def take_lease(
    client: ApiClient, settings: Settings, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """Take the Lease from whoever holds it, and return once that one has stopped acting. Raises FailureError.

    A leader stops when it next renews the Lease, or when it has not been able to for the renewal deadline.
    """
    namespace, name = settings.lease_namespace, settings.lease_name
    leases = LeaseClient(client, namespace=namespace, name=name, clock=lambda: datetime.now(UTC))
    for _ in range(_MAX_ATTEMPTS):
        try:
            former = await _take(leases)
        except StaleObservationError:
            continue
        if former is not None and former.holder:
            await sleep(LeaseTimings(duration=former.duration).renew_deadline)
        return
    message = f"Lease {namespace}/{name} changes each time before it can be taken: try again"
    raise FailureError(Failure(reason=Reason.KUBERNETES_UNAVAILABLE, message=message))


async def _take(leases: LeaseClient) -> Lease | None:
    """Take or create the Lease; returns what it was before."""
    lease = await leases.read()
    if lease is None:
        await leases.create(HOLDER, HELD_FOR)
    else:
        await leases.take(lease, HOLDER, HELD_FOR)
    return lease
