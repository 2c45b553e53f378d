"""The one write to ServiceAccounts, and what is made of each answer."""

import json
from typing import Any

import pytest

from pullkeeper.adapters.kubernetes.service_accounts import ServiceAccountClient
from pullkeeper.domain.errors.failures import FailureError, Reason, StaleObservationError
from pullkeeper.domain.secret.service_account_patch import (
    AttachmentOutcome,
    ServiceAccountPatch,
    observe_service_account,
)
from tests.unit.domain.test_service_account_patch import OURS, account
from testsupport.fake_client import FakeClient, ok

BEFORE = observe_service_account(account("theirs"), OURS)
OPERATIONS = (
    {"op": "test", "path": "/metadata/resourceVersion", "value": "7"},
    {"op": "add", "path": "/imagePullSecrets/-", "value": {"name": OURS}},
)
CHANGE = ServiceAccountPatch(outcome=AttachmentOutcome.ATTACHED, operations=OPERATIONS)
CURT: dict[str, Any] = {"reason": "Invalid", "details": {}}


def door(*answers: object) -> tuple[ServiceAccountClient, FakeClient]:
    line = FakeClient(*answers)  # type: ignore[arg-type] # a table's column
    return ServiceAccountClient(line, secret_name=OURS), line


async def test_patch_is_one_json_patch_of_the_observed_version() -> None:
    """The operations go out as they were decided, under our manager's name, and the answer is the new observation."""
    after = account("theirs", OURS, mark=OURS, resourceVersion="8")
    patcher, line = door(ok(after))
    assert await patcher.patch(BEFORE, CHANGE) == observe_service_account(after, OURS)
    (request,) = line.requests
    assert (request.verb, request.path) == ("patch", "/api/v1/namespaces/team-a/serviceaccounts/builder")
    assert (request.content_type, request.query) == ("application/json-patch+json", {"fieldManager": "pullkeeper"})
    assert json.loads(json.dumps(request.body)) == list(OPERATIONS)


@pytest.mark.parametrize("answer", [ok(CURT, status=422), ok({}, status=422), ok({"details": None}, status=409)])
async def test_somebody_was_quicker(answer: object) -> None:
    """A failed test has no causes; then the newest observation is to be taken."""
    patcher, _ = door(answer)
    with pytest.raises(StaleObservationError, match="team-a/builder"):
        await patcher.patch(BEFORE, CHANGE)


async def test_account_that_is_gone_is_no_trouble() -> None:
    """The watch tells of it."""
    patcher, _ = door(ok(status=404))
    assert await patcher.patch(BEFORE, CHANGE) is None


@pytest.mark.parametrize(
    ("answer", "reason", "words"),
    [
        (ok(status=403), Reason.KUBERNETES_DENIED, "refused to patch ServiceAccount team-a/builder (403): grant"),
        (ok(status=500), Reason.KUBERNETES_UNAVAILABLE, "could not patch ServiceAccount team-a/builder (status 500)"),
        (
            ok({"details": {"causes": [{"field": "metadata"}]}}, status=422),
            Reason.KUBERNETES_UNAVAILABLE,
            "(status 422)",
        ),
    ],
)
async def test_refusal_says_what_to_grant_or_what_came(answer: object, reason: Reason, words: str) -> None:
    """A rule that is broken is no lost race, and not tried again at once."""
    patcher, _ = door(answer)
    with pytest.raises(FailureError) as raised:
        await patcher.patch(BEFORE, CHANGE)
    assert raised.value.failure.reason is reason
    assert words in raised.value.failure.message
