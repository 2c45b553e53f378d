"""Leases: how one of several candidates wins, and the others learn of it."""

import asyncio
from typing import Any

import pytest

from testsupport.objects import now, version_of
from testsupport.rest import RestClient


@pytest.fixture
def leases(namespace: str) -> str:
    return f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"


def lease(name: str, holder: str) -> dict[str, Any]:
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name},
        "spec": {
            "holderIdentity": holder,
            "leaseDurationSeconds": 15,
            "acquireTime": now(),
            "renewTime": now(),
            "leaseTransitions": 0,
        },
    }


async def test_one_creator_wins(api: RestClient, leases: str, name: str) -> None:
    """Of several who create the same Lease at once, one succeeds and the others are told AlreadyExists."""
    answers = await asyncio.gather(*(api.post(leases, lease(name, str(number))) for number in range(5)))
    assert sorted(answer.status for answer in answers) == [201, 409, 409, 409, 409]
    [loser, *_] = [answer for answer in answers if answer.status == 409]
    assert loser.body["reason"] == "AlreadyExists"
    assert loser.body["details"] == {"name": name, "group": "coordination.k8s.io", "kind": "leases"}


async def test_times_are_kept_to_the_microsecond(api: RestClient, leases: str, name: str) -> None:
    """What is written comes back as written."""
    sent = lease(name, "a")
    assert (await api.post(leases, sent)).ok()["spec"] == sent["spec"]


async def test_renewing_takes_the_current_version(api: RestClient, leases: str, name: str) -> None:
    """A replacement with the version read passes and gives the next version."""
    held = (await api.post(leases, lease(name, "a"))).ok()
    held["spec"]["renewTime"] = now()
    renewed = (await api.put(f"{leases}/{name}", held)).ok()
    assert version_of(renewed) != version_of(held)


async def test_one_of_two_updates_wins(api: RestClient, leases: str, name: str) -> None:
    """Of two who replace the same version one is told Conflict."""
    held = (await api.post(leases, lease(name, "a"))).ok()
    bids = [{**held, "spec": {**held["spec"], "holderIdentity": bidder}} for bidder in ("b", "c")]
    answers = await asyncio.gather(*(api.put(f"{leases}/{name}", bid) for bid in bids))
    assert sorted(answer.status for answer in answers) == [200, 409]
    [loser] = [answer for answer in answers if answer.status == 409]
    assert loser.verdict == (409, "Conflict")
    assert loser.body["details"] == {"name": name, "group": "coordination.k8s.io", "kind": "leases"}


async def test_an_update_names_its_version(api: RestClient, leases: str, name: str) -> None:
    """A Lease is not replaced without a resourceVersion."""
    (await api.post(leases, lease(name, "a"))).ok()
    answer = await api.put(f"{leases}/{name}", lease(name, "b"))
    assert answer.verdict == (422, "Invalid")
    assert answer.causes == [("FieldValueInvalid", "metadata.resourceVersion")]


async def test_a_lease_can_be_given_up(api: RestClient, leases: str, name: str) -> None:
    """An empty holder is allowed: the next candidate need not wait for the end of the lease."""
    held = (await api.post(leases, lease(name, "a"))).ok()
    held["spec"]["holderIdentity"] = ""
    assert (await api.put(f"{leases}/{name}", held)).ok()["spec"]["holderIdentity"] == ""


async def test_a_duration_is_positive(api: RestClient, leases: str, name: str) -> None:
    """Zero seconds are invalid."""
    body = lease(name, "a")
    body["spec"]["leaseDurationSeconds"] = 0
    answer = await api.post(leases, body)
    assert answer.causes == [("FieldValueInvalid", "spec.leaseDurationSeconds")]


async def test_times_have_six_decimals(api: RestClient, leases: str, name: str) -> None:
    """A time without decimals is a bad request."""
    body = lease(name, "a")
    body["spec"]["renewTime"] = "2026-01-01T00:00:00Z"
    assert (await api.post(leases, body)).verdict == (400, "BadRequest")
