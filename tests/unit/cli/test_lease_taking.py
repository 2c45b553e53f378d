"""Taking the Lease from a running controller before its Secrets are deleted."""

from typing import Any

import pytest

from pullkeeper.cli.lease_taking import HOLDER, take_lease
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.errors.failures import FailureError
from pullkeeper.domain.kube.api import Response
from testsupport.fake_client import FakeClient, Request, ok

SETTINGS = Settings(leader_election=True, lease_name="keeper", lease_namespace="platform")
PATH = "/apis/coordination.k8s.io/v1/namespaces/platform/leases/keeper"


def _lease(holder: str, version: str = "7", seconds: int = 15) -> dict[str, Any]:
    spec = {"holderIdentity": holder, "leaseDurationSeconds": seconds, "leaseTransitions": 1}
    return {"metadata": {"uid": "u", "resourceVersion": version}, "spec": spec}


async def _take(client: FakeClient) -> list[float]:
    """Take it, and give how long was waited for."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    await take_lease(client, SETTINGS, sleep=sleep)
    return waits


async def test_the_leader_has_stopped_before_it_returns() -> None:
    """It may act for two thirds of its own lease's duration after it has lost it."""
    client = FakeClient(ok(_lease("pod-1", seconds=30)), ok(_lease(HOLDER)))
    assert await _take(client) == [20]
    assert [(request.verb, request.path) for request in client.requests] == [("get", PATH), ("patch", PATH)]
    body = client.requests[-1].body
    assert body["metadata"] == {"uid": "u", "resourceVersion": "7"}
    assert body["spec"]["holderIdentity"] == HOLDER


async def test_no_replica_leads_while_the_secrets_are_deleted() -> None:
    """The others wait as long as the Lease says, which is longer than any lease of ours."""
    client = FakeClient(ok(_lease("pod-1")), ok(_lease(HOLDER)))
    await _take(client)
    assert client.requests[-1].body["spec"]["leaseDurationSeconds"] == 300


async def test_nobody_is_waited_for_where_nobody_leads() -> None:
    """The Lease was given up, or there is none."""
    assert await _take(FakeClient(ok(_lease("")), ok(_lease(HOLDER)))) == []
    assert await _take(FakeClient(ok(status=404), ok(_lease(HOLDER)))) == []


async def test_a_renewal_in_between_is_followed() -> None:
    """Then the Lease is read again."""
    client = FakeClient(ok(_lease("a")), ok(status=409), ok(_lease("a", version="8")), ok(_lease(HOLDER)))
    assert await _take(client) == [10]
    assert client.requests[-1].body["metadata"]["resourceVersion"] == "8"


async def test_a_lease_that_keeps_changing_is_given_up() -> None:
    """After a few attempts, with one line."""

    def respond(request: Request) -> Response:
        return ok(_lease("a")) if request.verb == "get" else ok(status=409)

    client = FakeClient(respond=respond)
    with pytest.raises(FailureError, match="platform/keeper changes each time"):
        await _take(client)
    assert len(client.requests) == 10
