"""Who refuses a write that the caller has the right to, and in which words."""

from typing import Any

import pytest

from tests.conformance.conftest import Server
from testsupport.objects import SECOND, pull_secret, uid_of, version_of
from testsupport.refusals import Refuser
from testsupport.rest import RestClient

WORDS = "Secrets need a cost-centre"


@pytest.fixture
def refuser(server: Server, api: RestClient, namespace: str) -> Refuser:
    return Refuser(server=server, api=api, namespace=namespace)


def refused(code: int, name: str, message: str, reason: str = "", **details: Any) -> dict[str, Any]:
    """Return the Status of a refusal."""
    head: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code}
    body = {**head, "message": message, **({"reason": reason} if reason else {})}
    return {**body, "details": {"name": name, "kind": "secrets", **details}} if name else body


async def test_a_quota_refuses_what_is_new(refuser: Refuser, controller: RestClient, name: str, path: str) -> None:
    """403, as for a missing right, but with the quota's words; a Secret that is there already can be written."""
    (await refuser.api.apply(f"{path}-there", pull_secret(f"{name}-there"))).ok()
    async with refuser.quota("no-secrets"):
        answer = await controller.apply(path, pull_secret(name))
        again = await refuser.api.apply(f"{path}-there", pull_secret(f"{name}-there", SECOND), force=True)
    why = "exceeded quota: no-secrets, requested: secrets=1, used: secrets=0, limited: secrets=0"
    assert answer.body == refused(403, name, f'secrets "{name}" is forbidden: {why}', "Forbidden")
    assert again.status == 200
    (await controller.apply(path, pull_secret(name))).ok()


async def test_a_policy_refuses_with_a_cause_without_a_field(
    refuser: Refuser, controller: RestClient, name: str, path: str
) -> None:
    """422, as for an invalid object, of a new Secret and of a change."""
    live = (await controller.apply(path, pull_secret(name))).ok()
    known = {"uid": uid_of(live), "resourceVersion": version_of(live)}
    async with refuser.policy(name, WORDS):
        answer = await controller.apply(path, pull_secret(name, SECOND, **known), force=True)
    why = f"ValidatingAdmissionPolicy '{name}' with binding '{name}' denied request: {WORDS}"
    message = f'secrets "{name}" is forbidden: {why}'
    assert answer.body == refused(422, name, message, "Invalid", causes=[{"message": why}])


@pytest.mark.parametrize("code", [400, 403, 404, 409, 422])
async def test_a_webhook_refuses_with_the_status_of_its_choice(
    refuser: Refuser, controller: RestClient, name: str, path: str, code: int
) -> None:
    """Nothing but the message says that it is not the API server's own verdict."""
    hook = f"{name}.hooks.example"
    async with refuser.webhook(hook, WORDS, code=code):
        answer = await controller.apply(path, pull_secret(name))
    assert answer.body == refused(code, "", f'admission webhook "{hook}" denied the request: {WORDS}')


async def test_a_missing_right_names_the_user(controller: RestClient, path: str, name: str) -> None:
    """The one refusal that a right would lift."""
    answer = await controller.apply(f"{path}-other", pull_secret(f"{name}-other"))
    assert answer.verdict == (403, "Forbidden")
    assert answer.message.startswith(f'secrets "{name}-other" is forbidden: User "system:serviceaccount:')
    assert "cannot patch resource" in answer.message
