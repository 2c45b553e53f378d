"""`pullkeeper check`: every precondition, as the controller's own ServiceAccount and as other users."""

import json
from typing import Any

import pytest
import yaml

from testsupport.access import may
from testsupport.command_line import CommandResult, bound_to, kubeconfig, pod_environment, pullkeeper, settings_file
from testsupport.fake_aws import ACCOUNT
from testsupport.installation import ACCOUNT_NAME, IRELAND, ROLE, VIRGINIA, Installation, rules
from testsupport.waiting import until

pytestmark = pytest.mark.slow

ACCOUNTS = "ServiceAccount permissions"


def _of(ended: CommandResult, name: str) -> list[dict[str, Any]]:
    return [check for check in json.loads(ended.out)["checks"] if check["check"] == name]


def _failed(ended: CommandResult) -> set[str]:
    return {check["check"] for check in json.loads(ended.out)["checks"] if check["outcome"] == "failed"}


async def test_where_all_is_there_each_precondition_is_one_line(installation: Installation) -> None:
    """With the controller's own ServiceAccount everything has its tick, dash or warning, and the status is 0."""
    await installation.create_namespace(enabled="true")
    config = settings_file(installation, registries=[IRELAND, VIRGINIA])
    ended = await pullkeeper(installation, "check", "--verbose", "--config", config)
    lines = ended.out.splitlines()
    assert [line.partition(":")[0] for line in lines[:-2]] == [
        "✓ settings",
        "✓ API server",
        "✓ permissions",
        "- ServiceAccount permissions",
        "✓ excess permissions",
        "✓ Namespaces",
        "✓ opt-ins",
        "✓ Secrets",
        "- Lease",
        "- injection",
        "! admission fence",
        "    fix",
        "! issuer",
        "    fix",
        "✓ AWS credentials",
        "✓ web identity token",
        "✓ AWS caller",
        "✓ token in eu-west-1",
        "✓ token in us-east-1",
    ]
    assert lines[2] == "✓ permissions: all 10 required rules are granted"
    assert lines[8] == "- Lease: skipped: leaderElection is off"
    assert lines[12].endswith(" looks internal: AWS has to reach it")
    assert lines[14] == "✓ AWS credentials: from assume-role-with-web-identity"
    assert f"; needs the IAM OIDC provider arn:aws:iam::{ACCOUNT}:oidc-provider/" in lines[15]
    assert "audience sts.amazonaws.com" in lines[15]
    assert lines[16].startswith(f"✓ AWS caller: arn:aws:sts::{ACCOUNT}:assumed-role/pullkeeper/")
    assert lines[-2:] == ["", "no check failed"]
    assert (ended.status, ended.err) == (0, "")


async def test_without_default_registries_no_token_is_asked_for(installation: Installation) -> None:
    """That is no trouble, and it is said."""
    ended = await pullkeeper(installation, "check", "--config", settings_file(installation, registries=[]))
    assert "- token: skipped: there are no default registries in the settings" in ended.out.splitlines()
    assert ended.status == 0
    assert installation.aws.count("GetAuthorizationToken") == 0


async def test_each_missing_right_is_a_line_with_the_rule_that_grants_it(installation: Installation) -> None:
    """With other names in the settings than in the rights, what is missing is said, and the rest is looked at."""
    config = settings_file(
        installation,
        leaderElection=True,
        leaseNamespace=installation.namespace,
    )
    ended = await pullkeeper(installation, "check", "--config", config, "-o", "json")
    assert ended.status == 1
    missing = {check["detail"]: check["fix"] for check in _of(ended, "permissions")}
    lease = f"leases.coordination.k8s.io named pullkeeper in {installation.namespace}"
    assert set(missing) == {f"missing: {verb} {lease}" for verb in ("get", "create", "patch")}
    assert missing[f"missing: patch {lease}"] == (
        f'add to the Role in {installation.namespace}: {{apiGroups: ["coordination.k8s.io"], resources: [leases], '
        "resourceNames: [pullkeeper], verbs: [patch]}"
    )
    assert "Lease" in _failed(ended)
    assert _of(ended, "AWS caller")[0]["outcome"] == "passed"


async def test_rights_to_the_service_accounts_that_are_asked_for_will_do(installation: Installation) -> None:
    """They may be bound to names; then each that a namespace asks for is looked at, and no other."""
    config = settings_file(installation, serviceAccountIdentity={"namespaces": ["*"]})
    arguments = ("check", "--config", config, "-o", "json")
    (found,) = _of(await pullkeeper(installation, *arguments), ACCOUNTS)
    assert (found["outcome"], found["detail"].rpartition(", and ")[2]) == ("skipped", "no namespace requests one yet")
    await installation.allow_service_accounts("puller")
    await installation.create_namespace(enabled="true", service_account_name="puller")
    (found,) = _of(await pullkeeper(installation, *arguments), ACCOUNTS)
    assert (found["outcome"], found["detail"]) == ("passed", "all 2 required rules are granted")
    team = await installation.create_namespace(enabled="true", service_account_name="other")
    ended = await pullkeeper(installation, *arguments)
    assert {check["detail"]: check["fix"] for check in _of(ended, ACCOUNTS)} == {
        f"missing: get serviceaccounts named other in {team}": (
            f'add to the Role in {team}: {{apiGroups: [""], resources: [serviceaccounts], '
            "resourceNames: [other], verbs: [get]}"
        ),
        f"missing: create serviceaccounts/token named other in {team}": (
            f'add to the Role in {team}: {{apiGroups: [""], resources: [serviceaccounts/token], '
            "resourceNames: [other], verbs: [create]}"
        ),
    }
    assert ended.status == 1


async def test_bound_to_namespaces_it_needs_no_right_elsewhere(installation: Installation) -> None:
    """With just the rights of the namespaced mode all is well; a namespace that is not there is told."""
    team = await installation.create_namespace(enabled="true")
    environment = await bound_to(installation, team)
    config = settings_file(installation, watchNamespaces=[team])
    ended = await pullkeeper(installation, "check", "--config", config, "-o", "json", environment=environment)
    assert _failed(ended) == set()
    (found,) = _of(ended, "Namespaces")
    assert found["detail"] == "1 readable, 1 of them request a pull Secret"
    config = settings_file(installation, watchNamespaces=[team, f"{team}-x"])
    ended = await pullkeeper(installation, "check", "--config", config, "-o", "json", environment=environment)
    assert len(_of(ended, "permissions")) == 10
    assert _failed(ended) == {"permissions", "Namespaces", "opt-ins", "Secrets"}


async def test_an_administrator_is_told_of_the_controllers_rights(installation: Installation) -> None:
    """Of none of its own; the context may be chosen as with kubectl, and everything fits on a screen."""
    api, home = installation.api, installation.namespace
    settings = yaml.safe_dump({"secretName": installation.secret_name, "registries": [IRELAND]})
    config_map = {"metadata": {"name": "keeper"}, "data": {"settings.yaml": settings}}
    (await api.post(f"/api/v1/namespaces/{home}/configmaps", config_map)).ok()
    (await api.post(f"/apis/apps/v1/namespaces/{home}/deployments", _deployment("keeper"))).ok()
    environment = {"KUBECONFIG": kubeconfig(installation), **installation.irsa()}
    arguments = ("check", "--installation", f"{home}/keeper", "--context", "here")
    ended = await pullkeeper(installation, *arguments, "--verbose", environment=environment)
    assert f"✓ permissions: all 10 required rules are granted to {installation.subject}" in ended.out.splitlines()
    assert "✓ excess permissions: none of the 17 forbidden rules is granted" in ended.out.splitlines()
    assert ended.status == 0
    assert len(ended.out.splitlines()) < 25
    role = f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{home}"
    (await api.merge(role, {"rules": rules(installation.secret_name)[:2]})).ok()
    await until(lambda: _lacks(installation), "the right to be gone")
    ended = await pullkeeper(installation, *arguments, "-o", "json", environment=environment)
    missing = {check["detail"] for check in _of(ended, "permissions")}
    assert missing == {f"missing: {verb} events.events.k8s.io everywhere" for verb in ("create", "patch")}
    assert _failed(ended) == {"permissions"}


async def _lacks(installation: Installation) -> bool:
    last = {"verb": "patch", "group": "events.k8s.io", "resource": "events", "namespace": "default"}
    return not await may(installation.user, **last)


def _deployment(name: str) -> dict[str, Any]:
    labels = {"app": name}
    pod = {"serviceAccountName": ACCOUNT_NAME, "containers": [{"name": "pullkeeper", "image": "pullkeeper:test"}]}
    template = {"metadata": {"labels": labels}, "spec": pod}
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
    return {"metadata": {"name": name}, "spec": spec}


async def test_who_may_not_ask_is_told_so(installation: Installation) -> None:
    """By a file the controller is not known either: what is shown of the caller's rights is no failure."""
    config, file = settings_file(installation), kubeconfig(installation)
    environment = {"KUBECONFIG": file, **installation.irsa()}
    ended = await pullkeeper(installation, "check", "--config", config, "--context", "here", environment=environment)
    (shown,) = [line for line in ended.out.splitlines() if " permissions: " in line and line.startswith("!")]
    assert "the controller's are not known: " in shown
    assert ended.status == 0
    assert len(ended.out.splitlines()) < 25


async def test_the_holder_of_the_lease_is_reported(installation: Installation) -> None:
    """With leader election the holder and the age are told; one that is not renewed is trouble."""
    path = f"/apis/coordination.k8s.io/v1/namespaces/{installation.namespace}/leases"
    spec = {"holderIdentity": "pullkeeper-0", "renewTime": "2026-01-01T00:00:00.000000Z", "leaseDurationSeconds": 15}
    (await installation.api.post(path, {"metadata": {"name": "pullkeeper"}, "spec": spec})).ok()
    config = settings_file(installation, leaderElection=True, leaseNamespace=installation.namespace)
    arguments = ("check", "--config", config, "--kubeconfig", kubeconfig(installation), "--context", "here")
    ended = await pullkeeper(installation, *arguments, "-o", "json")
    (lease,) = _of(ended, "Lease")
    assert lease["detail"].startswith(f"{installation.namespace}/pullkeeper is held by pullkeeper-0, renewed ")
    assert (lease["outcome"], lease["fix"]) == ("failed", "it expires after 15 s: find out why no replica renews it")


async def test_aws_that_refuses_hides_nothing_else(installation: Installation) -> None:
    """A denied region is one cross, with what to grant to whom."""
    installation.aws.deny(operation="GetAuthorizationToken", region="us-east-1")
    config = settings_file(installation, registries=[IRELAND, VIRGINIA])
    ended = await pullkeeper(installation, "check", "--config", config, "-o", "json")
    assert _failed(ended) == {"token in us-east-1"}
    (token,) = _of(ended, "token in us-east-1")
    assert f'for {ROLE} in us-east-1 (AccessDeniedException): allow ecr:GetAuthorizationToken on "*"' in token["detail"]


async def test_a_refused_identity_is_reported_for_each_call_and_libraries_stay_silent(
    installation: Installation,
) -> None:
    """What botocore would warn of, with a traceback, is among the findings in words."""
    installation.aws.deny(operation="AssumeRoleWithWebIdentity")
    ended = await pullkeeper(installation, "check", "--config", settings_file(installation), "-o", "json")
    assert (ended.status, ended.err) == (1, "")
    assert _failed(ended) == {"AWS caller", "token in eu-west-1"}
    for what in _failed(ended):
        (found,) = _of(ended, what)
        assert "the role's trust policy must allow sts:AssumeRoleWithWebIdentity" in found["detail"]


async def test_aws_that_hangs_does_not_hold_up_the_report(installation: Installation) -> None:
    """The command ends though AWS never answers, and reports everything else."""
    installation.aws.hang()
    config = settings_file(installation, registries=[IRELAND, VIRGINIA])
    ended = await pullkeeper(installation, "check", "--config", config, "-o", "json")
    assert _failed(ended) == {"AWS caller", "token in eu-west-1", "token in us-east-1"}
    assert _of(ended, "Namespaces")[0]["outcome"] == "passed"


async def test_invalid_settings_are_reported_beside_the_rest(installation: Installation) -> None:
    """Every problem is a cross; what does not depend on the settings is looked at."""
    config = settings_file(installation, nope=1, maxTokenAge="7d")
    ended = await pullkeeper(installation, "check", "--config", config, "-o", "json")
    assert [check["detail"].partition(":")[0] for check in _of(ended, "settings")] == ["nope", "maxTokenAge"]
    assert _failed(ended) == {"settings"}
    assert _of(ended, "permissions, Namespaces, Secrets and Lease")[0]["outcome"] == "skipped"
    assert _of(ended, "AWS caller")[0]["outcome"] == "passed"
    assert ended.status == 1


@pytest.mark.parametrize("way", ["no login", "no answer"])
async def test_an_api_server_out_of_reach_hides_nothing_of_aws(installation: Installation, way: str) -> None:
    """Without a login, or without an answer, AWS is asked all the same."""
    environment = {**pod_environment(installation), "KUBERNETES_SERVICE_PORT": "1"}
    if way == "no login":
        environment["PULLKEEPER_SERVICE_ACCOUNT_DIR"] = "/nonexistent"
    config = settings_file(installation)
    ended = await pullkeeper(installation, "check", "--config", config, "-o", "json", environment=environment)
    assert "API server" in _failed(ended)
    assert _of(ended, "token in eu-west-1")[0]["outcome"] == "passed"
    assert ended.status == 1


async def test_only_the_nodes_role_is_refused(installation: Installation) -> None:
    """What every pod of the node could use is no identity for the controller."""
    installation.aws.set_node_role(ROLE)
    environment = pod_environment(installation, aws=installation.aws.environment(instance_metadata=True))
    config = settings_file(installation)
    ended = await pullkeeper(installation, "check", "--config", config, "-o", "json", environment=environment)
    (found,) = _of(ended, "AWS credentials")
    assert found["outcome"] == "failed"
    assert "the only credentials found are the node's instance role" in found["detail"]
