"""What `pullkeeper check` asks the API server."""

from datetime import UTC, datetime
from typing import Any

import pytest

from pullkeeper.adapters.kubernetes.access_review import AccessReviewer, LeaseHolder
from pullkeeper.domain.config.rbac import RbacRule
from pullkeeper.domain.errors.failures import FailureError
from testsupport.fake_client import FakeClient, ok

CREATE_TOKENS = RbacRule(verb="create", resource="serviceaccounts", subresource="token")


def reviewer(body: Any = None, status: int = 200) -> AccessReviewer:
    return AccessReviewer(FakeClient(ok(body, status)))


async def test_review_asks_for_every_attribute_of_a_right() -> None:
    """A review that omitted one would ask for a wider or a narrower right."""
    client = FakeClient(ok({"status": {"allowed": True}}, 201))
    right = RbacRule(verb="get", group="g", resource="things", subresource="part", name="one", namespace="home")
    assert await AccessReviewer(client).may(right)
    (request,) = client.requests
    assert (request.verb, request.path) == ("create", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")
    assert request.body["spec"]["resourceAttributes"] == {
        "verb": "get",
        "group": "g",
        "resource": "things",
        "subresource": "part",
        "name": "one",
        "namespace": "home",
    }


async def test_review_of_a_service_account_names_it_with_its_groups() -> None:
    """Without the groups it would lack what is granted to all ServiceAccounts, or to those of its namespace."""
    client = FakeClient(ok({"status": {"allowed": True}}, 201))
    assert await AccessReviewer(client, user="system:serviceaccount:home:keeper").may(CREATE_TOKENS)
    (request,) = client.requests
    assert (request.verb, request.path) == ("create", "/apis/authorization.k8s.io/v1/subjectaccessreviews")
    assert request.body["kind"] == "SubjectAccessReview"
    assert request.body["spec"]["resourceAttributes"]["subresource"] == "token"
    assert request.body["spec"]["user"] == "system:serviceaccount:home:keeper"
    assert request.body["spec"]["groups"] == [
        "system:serviceaccounts",
        "system:serviceaccounts:home",
        "system:authenticated",
    ]


@pytest.mark.parametrize("status", [{"allowed": False}, {"allowed": False, "denied": True}, {}, None])
async def test_right_is_denied_unless_it_is_allowed(status: Any) -> None:
    """A review without a verdict grants nothing."""
    assert not await reviewer({"status": status}, 201).may(CREATE_TOKENS)


@pytest.mark.parametrize(
    ("body", "holder"),
    [
        (
            {"spec": {"holderIdentity": "one", "renewTime": "2026-01-01T00:00:00.000000Z"}},
            LeaseHolder(holder="one", renewed_at=datetime(2026, 1, 1, tzinfo=UTC)),
        ),
        ({"spec": {"holderIdentity": ""}}, LeaseHolder(holder="", renewed_at=None)),
        ({}, LeaseHolder(holder="", renewed_at=None)),
    ],
)
async def test_lease_names_its_holder(body: Any, holder: LeaseHolder) -> None:
    """A released Lease has an empty holder."""
    assert await reviewer(body).lease("home", "one") == holder


async def test_missing_lease_is_none() -> None:
    """A 404 is an answer, not a failure."""
    assert await reviewer(status=404).lease("home", "one") is None


async def test_failures_name_what_was_asked() -> None:
    """A refusal names the right to grant, and an unreadable time the Lease that it is in."""
    with pytest.raises(FailureError, match=r"refused to get Lease home/one \(403\): grant get on leases in home"):
        await reviewer(status=403).lease("home", "one")
    with pytest.raises(FailureError, match="the renewTime of Lease home/one is not a timestamp"):
        await reviewer({"spec": {"renewTime": "soon"}}).lease("home", "one")
    with pytest.raises(
        FailureError, match=r"could not review the right to create serviceaccounts/token everywhere \(status 500\)"
    ):
        await reviewer(status=500).may(CREATE_TOKENS)
    with pytest.raises(FailureError, match=r"could not get its version \(status 401\)"):
        await reviewer(status=401).version()
