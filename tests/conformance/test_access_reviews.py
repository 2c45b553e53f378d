"""Asking for somebody else's rights."""

from typing import Any

import pytest

from testsupport.access import create_user, rule
from testsupport.rest import Answer, RestClient

READ = {"verb": "get", "resource": "secrets", "name": "one"}


async def _ask(whoever: RestClient, **spec: Any) -> Answer:
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
    return await whoever.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", body)


async def _may(whoever: RestClient, **spec: Any) -> bool:
    return bool((await _ask(whoever, **spec)).ok()["status"]["allowed"])


async def test_a_review_answers_for_the_user_that_it_names(api: RestClient, namespace: str) -> None:
    """Not for the one that asks, whatever that one may do."""
    await create_user(api, namespace, rule("secrets", "get", name="one"), within=namespace, account="keeper")
    wanted = {"resourceAttributes": {**READ, "namespace": namespace}}
    assert await _may(api, user=f"system:serviceaccount:{namespace}:keeper", **wanted)
    assert not await _may(api, user=f"system:serviceaccount:{namespace}:another", **wanted)
    another = {"resourceAttributes": {**READ, "namespace": namespace, "name": "two"}}
    assert not await _may(api, user=f"system:serviceaccount:{namespace}:keeper", **another)


async def test_a_review_counts_the_groups_that_it_names(api: RestClient, namespace: str) -> None:
    """And no others: those of a ServiceAccount do not come by themselves."""
    wanted = {
        "resourceAttributes": {"verb": "create", "group": "authentication.k8s.io", "resource": "selfsubjectreviews"}
    }
    user = f"system:serviceaccount:{namespace}:keeper"
    assert await _may(api, user=user, groups=["system:authenticated"], **wanted)
    assert not await _may(api, user=user, **wanted)


async def test_a_review_takes_a_right_of_its_own(api: RestClient, namespace: str) -> None:
    """One that nobody has by default, unlike that to ask for one's own."""
    nobody = await create_user(api, namespace)
    answer = await _ask(nobody, user="somebody", resourceAttributes=READ)
    assert answer.verdict == (403, "Forbidden")


@pytest.mark.parametrize("spec", [{}, {"user": "", "groups": []}])
async def test_a_review_of_nobody_is_invalid(api: RestClient, spec: dict[str, Any]) -> None:
    """A user or a group must be named."""
    answer = await _ask(api, resourceAttributes=READ, **spec)
    assert answer.verdict == (422, "Invalid")
    assert "at least one of user or group must be specified" in answer.message
