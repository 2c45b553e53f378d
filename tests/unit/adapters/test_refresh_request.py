"""The request for a new token: one annotation on the Namespace."""

import pytest

from pullkeeper.adapters.kubernetes.refresh_request import request_refresh
from pullkeeper.domain.errors.failures import FailureError, Reason
from testsupport.fake_client import FakeClient, ok


async def test_only_the_annotation_is_written() -> None:
    """A merge patch leaves every other annotation as it is."""
    client = FakeClient(ok())
    await request_refresh(client, "team-a", "now")
    (request,) = client.requests
    assert (request.verb, request.path) == ("patch", "/api/v1/namespaces/team-a")
    assert request.content_type == "application/merge-patch+json"
    assert request.body == {"metadata": {"annotations": {"pullkeeper.dev/refresh-requested-at": "now"}}}


@pytest.mark.parametrize(
    ("status", "reason", "message"),
    [
        (
            403,
            Reason.KUBERNETES_DENIED,
            r"refused to patch Namespace team-a \(403\): grant yourself patch on namespaces named team-a",
        ),
        (404, Reason.KUBERNETES_UNAVAILABLE, r"could not patch Namespace team-a \(status 404\)"),
        (500, Reason.KUBERNETES_UNAVAILABLE, r"could not patch Namespace team-a \(status 500\)"),
    ],
)
async def test_refusal_names_the_namespace_and_the_missing_right(status: int, reason: Reason, message: str) -> None:
    """The caller is the one who needs the right."""
    with pytest.raises(FailureError, match=message) as raised:
        await request_refresh(FakeClient(ok(status=status)), "team-a", "now")
    assert raised.value.failure.reason is reason
