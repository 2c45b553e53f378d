"""What the doctor asks the API server, and what it makes of the answers."""

from datetime import UTC, datetime
from typing import Any

import pytest

from pullkeeper.adapters.kubernetes.access_review import AccessReviewer, LeaseHolder
from pullkeeper.domain.config.rbac import RbacRule
from pullkeeper.domain.errors.failures import FailureError
from testsupport.canned_responses import CannedResponses

TOKENS = RbacRule(verb="create", resource="serviceaccounts", subresource="token")


def inquiry(status: int, body: Any) -> AccessReviewer:
    return AccessReviewer(CannedResponses(give=lambda *_: (status, body)))


async def test_a_right_is_asked_for_as_it_is() -> None:
    """Every part of it stands in the review, and only `allowed: true` is a yes."""
    server = CannedResponses(give=lambda *_: (201, {"status": {"allowed": True}}))
    right = RbacRule(verb="get", group="g", resource="things", subresource="part", name="one", namespace="home")
    assert await AccessReviewer(server).may(right)
    assert server.asked == [("create", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {})]
    assert server.bodies[0]["spec"]["resourceAttributes"] == {
        "verb": "get",
        "group": "g",
        "resource": "things",
        "subresource": "part",
        "name": "one",
        "namespace": "home",
    }


@pytest.mark.parametrize("status", [{"allowed": False}, {"allowed": False, "denied": True}, {}, None])
async def test_anything_else_is_a_no(status: Any) -> None:
    """An answer without a verdict gives no right."""
    assert not await inquiry(201, {"status": status}).may(TOKENS)


@pytest.mark.parametrize(
    ("body", "held"),
    [
        (
            {"spec": {"holderIdentity": "one", "renewTime": "2026-01-01T00:00:00.000000Z"}},
            LeaseHolder(holder="one", renewed_at=datetime(2026, 1, 1, tzinfo=UTC)),
        ),
        ({"spec": {"holderIdentity": ""}}, LeaseHolder(holder="", renewed_at=None)),
        ({}, LeaseHolder(holder="", renewed_at=None)),
    ],
)
async def test_a_lease_tells_its_holder(body: Any, held: LeaseHolder) -> None:
    """A released one is held by nobody."""
    assert await inquiry(200, body).lease("home", "one") == held


async def test_a_lease_that_is_not_there_is_none() -> None:
    """That is an answer, not a failure."""
    assert await inquiry(404, {}).lease("home", "one") is None


async def test_what_is_no_answer_is_a_failure_in_words() -> None:
    """Refusals and times that cannot be read say what was asked."""
    with pytest.raises(FailureError, match=r"did not get Lease home/one \(status 403\)"):
        await inquiry(403, {}).lease("home", "one")
    with pytest.raises(FailureError, match="renewTime cannot be read"):
        await inquiry(200, {"spec": {"renewTime": "soon"}}).lease("home", "one")
    with pytest.raises(
        FailureError, match=r"did not say whether one may create serviceaccounts/token everywhere \(status 500\)"
    ):
        await inquiry(500, {}).may(TOKENS)
    with pytest.raises(FailureError, match=r"did not tell its version \(status 401\)"):
        await inquiry(401, {}).version()
