"""`pullkeeper check` on the admission fence: what the API server's answer to a dry run means."""

from collections.abc import Mapping
from typing import Any

import pytest

from pullkeeper.cli.check_fence import check_fence
from pullkeeper.domain.config.policy import Policy
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.errors.failures import FailureError
from pullkeeper.domain.views.check_result import CheckResult, Outcome
from testsupport.fake_client import FakeClient, ok

FENCED = Settings(policy=Policy(admission_fence=True))
_POLICY = (
    "secrets \"ecr-pull-secret\" is forbidden: ValidatingAdmissionPolicy '{name}' with binding '{name}' denied "
    "request: the fence of Pullkeeper: no annotation is added or changed but its own"
)


async def _check(body: Mapping[str, Any], status: int, settings: Settings = FENCED) -> CheckResult:
    (result,) = await check_fence(FakeClient(ok(body, status)), settings)
    return result


def _refused(name: str) -> dict[str, Any]:
    return {"message": _POLICY.format(name=name)}


async def test_a_refusal_by_the_fence_is_the_proof() -> None:
    """Whatever the release is called."""
    result = await _check(_refused("ecr-fence-secrets"), 422)
    assert result.outcome is Outcome.PASSED
    assert result.detail.endswith("the fence of Pullkeeper: no annotation is added or changed but its own")


async def test_what_is_tried_is_never_done() -> None:
    """A dry run, in the namespace of the release where that is known."""
    client = FakeClient(ok(_refused("ecr-fence-secrets"), 422))
    for settings in (FENCED, Settings(policy=FENCED.policy, leader_election=True, lease_namespace="home")):
        await check_fence(client, settings)
    assert [request.path.split("/")[4] for request in client.requests] == ["default", "home"]
    assert {request.query["dryRun"] for request in client.requests} == {"All"}


async def test_a_fence_that_lets_it_pass_is_a_finding() -> None:
    """The settings say that there is one, and it does not hold for this user."""
    result = await _check({"metadata": {}}, 201)
    assert result.outcome is Outcome.FAILED
    assert "run the check as the controller's own ServiceAccount" in result.fix


async def test_a_refusal_by_somebody_else_proves_nothing() -> None:
    """Such as by a policy of the cluster's own."""
    result = await _check(_refused("labels-required"), 422)
    assert result.outcome is Outcome.FAILED
    assert "somebody else refuses first: ValidatingAdmissionPolicy 'labels-required'" in result.detail


async def test_a_missing_right_is_a_failure_of_its_own() -> None:
    """The API server does not get as far as to the fence."""
    with pytest.raises(FailureError, match=r"grant create and patch on secrets named ecr-pull-secret"):
        await _check({"message": 'secrets "x" is forbidden: User "y" cannot patch'}, 403)


@pytest.mark.parametrize(
    ("settings", "fix"),
    [(Settings(), "set admission.fence=true"), (Settings(watch_namespaces=("a",)), "keep `watchNamespaces` to")],
)
async def test_no_fence_is_a_warning(settings: Settings, fix: str) -> None:
    """With what to do where the chart can have none; nothing is asked."""
    client = FakeClient(ok())
    (result,) = await check_fence(client, settings)
    assert (result.outcome, client.requests) == (Outcome.WARNING, [])
    assert result.fix.startswith(fix)
