"""Checks against the API server: what they make of what namespaces ask for."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pullkeeper.cli.check import run_check
from pullkeeper.cli.checks_kubernetes import KubernetesChecks
from pullkeeper.domain.config.additional_secrets import AdditionalSecret, ShapeName
from pullkeeper.domain.config.policy import ANYBODY, EVERY_NAMESPACE, Matcher, Policy
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.iam.identity import service_account
from pullkeeper.domain.kube.api import Response
from pullkeeper.domain.namespace.opt_in import OptIn
from pullkeeper.domain.secret.secret_record import SecretRecord
from pullkeeper.domain.views.check_result import CheckResult, Outcome
from tests.unit.domain.test_observed_secret import applied_metadata
from testsupport.examples import EU, published, record_of
from testsupport.fake_client import FakeClient, Request, items, ok

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
POLICY = Policy(registries=(EU,), service_accounts=ANYBODY)
BY_SETTINGS = replace(published(EU, issued=NOW), opted_in_by=OptIn.SETTINGS)


def namespace(name: str, **annotations: str) -> dict[str, Any]:
    written = {f"pullkeeper.dev/{key.replace('_', '-')}": value for key, value in annotations.items()}
    return {"metadata": {"name": name, "resourceVersion": "7", "annotations": written}}


def secret(name: str, record: SecretRecord) -> dict[str, Any]:
    return {"metadata": {**applied_metadata(), "namespace": name, "annotations": record.annotations()}}


async def results(
    check: str,
    namespaces: Sequence[Mapping[str, Any]],
    secrets: Mapping[str, SecretRecord],
    *,
    allowed: Sequence[str] = (),
    confined: bool = False,
    **settings: Any,
) -> list[CheckResult]:
    """Run one check; of the rights to ServiceAccounts the caller has those to the ones that are `allowed`.

    One that is `confined` may not list Secrets of all namespaces.
    """

    def respond(request: Request) -> Response:
        if request.path.endswith("/selfsubjectreviews"):
            return ok({"status": {"userInfo": {"username": "system:serviceaccount:system:keeper"}}})
        if request.verb == "create":
            return ok({"status": {"allowed": request.body["spec"]["resourceAttributes"]["name"] in allowed}})
        if request.path == "/api/v1/namespaces":
            return items(*namespaces)
        if confined and request.path == "/api/v1/secrets":
            return ok(status=403)
        # The Secrets of one name: the pull Secret's, unless a test says NAMESPACE/NAME.
        named = request.query["fieldSelector"].removeprefix("metadata.name=") or Settings().secret_name
        keys = {key: key.partition("/")[2] or Settings().secret_name for key in secrets}
        return items(*(secret(key.partition("/")[0], secrets[key]) for key, name in keys.items() if name == named))

    checks = KubernetesChecks(
        FakeClient(respond=respond), Settings(**{"policy": POLICY, **settings}), clock=lambda: NOW
    )
    return [*await run_check(check, dict(checks.all())[check])]


async def test_opt_ins_that_the_settings_have_lost_are_named() -> None:
    """With the grace after which they cost the Secrets; what a namespace does itself is no loss."""
    teams = [namespace("a"), namespace("b"), namespace("c", enabled="false"), namespace("d", enabled="true")]
    secrets = dict.fromkeys("abcd", BY_SETTINGS)
    policy = replace(POLICY, opt_in=Matcher(names=("b",)))
    (found,) = await results("opt-ins", teams, secrets, policy=policy, opt_out_grace=timedelta(hours=1))
    assert (found.outcome, found.detail) == (
        Outcome.FAILED,
        "lost by the settings: a; the pull Secrets there are deleted after 1h",
    )
    assert found.fix == "opt them in again, by `optIn` or by their annotation, to keep the Secrets"
    (found,) = await results("opt-ins", teams[1:], secrets, policy=policy)
    assert (found.outcome, found.detail) == (Outcome.PASSED, "the settings have lost none")


async def test_of_many_lost_opt_ins_the_number_is_told() -> None:
    """The line stays short."""
    names = [f"team-{number:04}" for number in range(3000)]
    found = await results("opt-ins", [namespace(name) for name in names], dict.fromkeys(names, BY_SETTINGS))
    assert found[0].detail.startswith(f"lost by the settings: {', '.join(names[:10])} and 2,990 more;")


@pytest.mark.parametrize(
    ("annotations", "in_use"),
    [
        ({"enabled": "true", "service_account_name": "puller"}, True),
        ({"enabled": "true", "service_account_name": "puller", "registries": "nowhere"}, True),
        ({"enabled": "true", "service_account_name": "puller", "unknown": "1"}, True),
        ({"enabled": "false", "service_account_name": "puller"}, False),
        ({"enabled": "yes", "service_account_name": "puller"}, False),
        ({"enabled": "true", "service_account_name": "another", "unknown": "1"}, False),
    ],
)
async def test_a_service_account_is_in_use_where_the_controller_uses_it(
    annotations: dict[str, str],
    in_use: bool,  # noqa: FBT001 -- a parameter of the table
) -> None:
    """Invalid annotations beside it leave the Secret rotating as that ServiceAccount, so its rights are needed."""
    held = record_of(published(EU, issued=NOW).held, service_account("team-a", "puller").name)
    found = await results("ServiceAccount permissions", [namespace("team-a", **annotations)], {"team-a": held})
    missing = [each.detail for each in found if each.outcome is Outcome.FAILED]
    expected = ["get serviceaccounts", "create serviceaccounts/token"] if in_use else []
    assert missing == [f"missing: {each} named puller in team-a" for each in expected]


async def test_what_is_left_outside_of_the_watched_namespaces_is_told() -> None:
    """To whoever may list Secrets everywhere; for the controller itself that is no failure."""
    teams = dict.fromkeys(["a", "b", "c"], published(EU, issued=NOW - timedelta(hours=3)))
    (found,) = await results("scope", [], teams, watch_namespaces=("a",))
    assert (found.outcome, found.detail) == (
        Outcome.FAILED,
        "2 pull Secrets in namespaces that nobody watches any more (tokens issued 3h ago): b, c",
    )
    assert found.fix.startswith("`pullkeeper cleanup --unwatched --config SETTINGS` deletes them, or ")
    (found,) = await results("scope", [], teams, watch_namespaces=("a", "b", "c"))
    assert (found.outcome, found.detail[-16:]) == (Outcome.PASSED, "; there are none")
    (found,) = await results("scope", [], teams, watch_namespaces=("a",), confined=True)
    assert found.outcome is Outcome.PASSED
    assert found.detail == (
        "only 1 namespace is watched (a): pull Secrets elsewhere are neither renewed nor deleted; "
        "these permissions do not show whether there are any"
    )


async def test_each_additional_secret_is_checked_by_itself() -> None:
    """One that nobody renews is no fault of the pull Secrets."""
    argocd = AdditionalSecret(name="argocd", shape=ShapeName.CDI, registry=EU, namespaces=EVERY_NAMESPACE)
    held = {"a": published(EU, issued=NOW), "a/argocd": published(EU, issued=NOW - timedelta(hours=11))}
    pull, additional = await results("Secrets", [], held, additional_secrets=(argocd,))
    assert (pull.outcome, pull.detail) == (Outcome.PASSED, "1 named ecr-pull-secret, 1 of them managed by Pullkeeper")
    assert (additional.outcome, additional.detail) == (
        Outcome.FAILED,
        "1 named argocd, 1 of them managed by Pullkeeper, 1 overdue for renewal",
    )
