"""The request for a fresh token, as it is written."""

import pytest

from pullkeeper.adapters.kubernetes import refresh_request
from pullkeeper.domain.errors.failures import FailureError, Reason
from testsupport.canned_responses import CannedResponses


async def test_one_annotation_is_written_and_nothing_else() -> None:
    """Nobody else's annotations are touched."""
    server = CannedResponses(give=lambda *_: (200, {}))
    await refresh_request.put(server, "team-a", "now")
    assert server.asked == [("patch", "/api/v1/namespaces/team-a", {})]
    assert server.bodies == [{"metadata": {"annotations": {"pullkeeper.dev/refresh-requested-at": "now"}}}]


@pytest.mark.parametrize(
    ("status", "reason", "words"),
    [
        (403, Reason.KUBERNETES_DENIED, "you have no right to patch it"),
        (404, Reason.KUBERNETES_UNAVAILABLE, "there is no such namespace"),
        (500, Reason.KUBERNETES_UNAVAILABLE, "the API server did not take the annotation"),
    ],
)
async def test_a_refusal_says_what_is_missing(status: int, reason: Reason, words: str) -> None:
    """To the caller, whose right it is."""
    with pytest.raises(FailureError, match=rf"namespace/team-a: {words} \(status {status}\)") as raised:
        await refresh_request.put(CannedResponses(give=lambda *_: (status, {})), "team-a", "now")
    assert raised.value.failure.reason is reason
