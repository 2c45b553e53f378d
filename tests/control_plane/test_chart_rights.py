"""The rights that the chart grants are the rights that the controller uses, by the API server's own audit log."""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from testsupport import objects
from testsupport.access import token_of
from testsupport.command_line import kubeconfig, pullkeeper
from testsupport.control_plane.granted import Right, grant_of, granted, used
from testsupport.control_plane.plane import ControlPlane
from testsupport.control_plane.release import NAME, Release
from testsupport.installation import IRELAND, VIRGINIA, auths
from testsupport.objects import foreign_secret
from testsupport.tenant_identities import account_with_role
from testsupport.waiting import until


@dataclass(frozen=True, kw_only=True)
class Mode:
    """A way to install, with the values for it."""

    values: dict[str, Any]
    namespaced: bool = False


MODES = {
    "two replicas": Mode(values={}),
    "one replica": Mode(values={"replicas": 1, "leaderElection": False}),
    "two namespaces": Mode(values={}, namespaced=True),
}


@pytest.mark.parametrize("mode", MODES)
async def test_granted_rights_are_exactly_those_used(release: Release, plane: ControlPlane, mode: str) -> None:
    """A run of everything that the controller does uses each right that it is granted, and asks for no other."""
    teams = [await release.installation.create_namespace() for _ in range(2)]
    values = dict(MODES[mode].values)
    if MODES[mode].namespaced:
        values["settings"] = {"watchNamespaces": teams}
    await _live(release, teams, values)
    grants = await granted(release.api, release.namespace, NAME)

    def _met() -> set[Right | None]:
        return {grant_of(right, grants) for right in used(plane, release.namespace, NAME)}

    async def all_used() -> bool:
        return {right for right in _met() if right} >= grants

    await until(all_used, f"the audit log to show {grants}; it shows {used(plane, release.namespace, NAME)}")
    refused = [right for right in used(plane, release.namespace, NAME) if grant_of(right, grants) is None]
    assert refused == []


async def test_rights_to_service_accounts_are_exactly_those_used(release: Release, plane: ControlPlane) -> None:
    """Each name that tokens may be requested for is watched by itself, and no other is read or listed."""
    settings = {"serviceAccountIdentity": {"namespaces": ["*"]}}
    await release.install(settings=settings, rbac={"serviceAccountIdentity": {"names": ["puller"]}})
    team = await release.installation.create_namespace()
    await account_with_role(release.installation, team, "puller")
    async with release.installation.recording() as recorder:
        await release.installation.annotate(team, enabled="true", service_account_name="puller")
        await recorder.created(team)
    grants = _of_accounts(await granted(release.api, release.namespace, NAME))
    assert {(right.resource, right.verb, right.name) for right in grants} == {
        *(("serviceaccounts", verb, "puller") for verb in ("get", "list", "watch")),
        ("serviceaccounts/token", "create", "puller"),
    }

    async def all_used() -> bool:
        return {grant_of(right, grants) for right in _of_accounts(used(plane, release.namespace, NAME))} == grants

    await until(all_used, f"the audit log to show {grants}; it shows {used(plane, release.namespace, NAME)}")
    user = release.api.using(await token_of(release.api, release.namespace, NAME))
    for query in ({}, {"fieldSelector": "metadata.name=default"}, {"fieldSelector": "metadata.name!=puller"}):
        assert (await user.get("/api/v1/serviceaccounts", **query)).status == 403


def _of_accounts(rights: set[Right]) -> set[Right]:
    return {right for right in rights if right.resource.startswith("serviceaccounts")}


async def test_an_administrator_is_told_what_the_controller_lacks(release: Release) -> None:
    """By the settings and the Deployment of the release, whatever the administrator itself may do."""
    await release.install()
    arguments = ("check", "--installation", f"{release.namespace}/{NAME}", "--context", "here", "-o", "json")
    environment = {"KUBECONFIG": kubeconfig(release.installation), "NO_PROXY": "127.0.0.1"}

    async def shown() -> set[str]:
        ended = await pullkeeper(release.installation, *arguments, environment=environment)
        return {each["detail"] for each in json.loads(ended.out)["checks"] if each["check"] == "permissions"}

    user = f"system:serviceaccount:{release.namespace}:{NAME}"
    assert await shown() == {f"all 13 required rules are granted to {user}"}
    role = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{release.namespace}/roles/{NAME}-leader-election"
    (await release.api.merge(role, {"rules": []})).ok()

    async def noticed() -> bool:
        lease = f"leases.coordination.k8s.io named {NAME} in {release.namespace}"
        return await shown() == {f"missing: {verb} {lease}" for verb in ("get", "create", "patch")}

    await until(noticed, "the rights to the Lease to be missed")


async def _live(release: Release, teams: list[str], values: dict[str, Any]) -> None:
    """Opt in, repair, err over a restart, keep an entry while AWS is busy, opt out, meet a stranger's Secret."""
    installation, secrets = release.installation, "/api/v1/namespaces/{}/secrets"
    await release.install(**values)
    async with installation.recording() as recorder:
        for team in teams:
            await installation.annotate(team, enabled="true", registries=IRELAND)
            await recorder.created(team)
            (await release.api.delete(installation.path(team))).ok()
            await recorder.wait(
                team, lambda version: version.kind == "ADDED" and len(recorder.of(version.namespace)) > 2
            )
            installation.aws.throttle(operation="GetAuthorizationToken", region="eu-west-1")
            await _warn_across_a_restart(release, team)
            await installation.annotate(team, registries=f"{IRELAND},{VIRGINIA}")
            await recorder.wait(team, lambda version: set(auths(version.secret)) == {IRELAND, VIRGINIA})
            installation.aws.clear_faults()
            await installation.annotate(team, enabled="false")
            await installation.event(team, "PullSecretDeleted")
            (await release.api.post(secrets.format(team), foreign_secret(installation.secret_name))).ok()
            await installation.annotate(team, enabled="true")
            await installation.event(team, "SecretConflict")


async def _warn_across_a_restart(release: Release, team: str) -> None:
    """Let an annotation be wrong before and after a restart: the Event of before goes on."""
    await release.installation.annotate(team, registries="nonsense")
    await release.installation.event(team, "InvalidAnnotation")
    await release.restart()

    async def repeated() -> bool:
        return any(event.get("series") for event in await release.installation.events(team))

    await until(repeated, "the Event to go on")


async def test_anything_else_is_refused(release: Release) -> None:
    """With the controller's token, all that the chart does not grant is 403, one by one."""
    await release.apply("install")
    team = await release.installation.create_namespace()
    account = await objects.create_service_account(release.api, team)
    user = release.api.using(await token_of(release.api, release.namespace, NAME))
    name, space = release.installation.secret_name, f"/api/v1/namespaces/{team}"
    leases = f"/apis/coordination.k8s.io/v1/namespaces/{release.namespace}/leases"
    body = {"metadata": {"name": "x"}}
    label = {"metadata": {"labels": {"a": "b"}}}
    (await release.api.post(f"{space}/secrets", foreign_secret("other"))).ok()
    refused = {
        "another Secret": await user.get(f"{space}/secrets/other"),
        "all Secrets": await user.get("/api/v1/secrets"),
        "Secrets of another name": await user.get("/api/v1/secrets", fieldSelector="metadata.name=other"),
        "Secrets of all other names": await user.get("/api/v1/secrets", fieldSelector=f"metadata.name!={name}"),
        "Secrets by label": await user.get("/api/v1/secrets", labelSelector="app.kubernetes.io/managed-by=pullkeeper"),
        "a Secret by POST": await user.post(f"{space}/secrets", foreign_secret(name)),
        "another Secret by apply": await user.apply(f"{space}/secrets/third", foreign_secret("third")),
        "a change of another Secret": await user.merge(f"{space}/secrets/other", label),
        "the deletion of another Secret": await user.delete(f"{space}/secrets/other"),
        "the deletion of all Secrets": await user.delete(f"{space}/secrets"),
        "an update of its Secret": await user.put(f"{space}/secrets/{name}", foreign_secret(name)),
        "one Namespace": await user.get(space),
        "a change of a Namespace": await user.merge(space, label),
        "a Namespace": await user.post("/api/v1/namespaces", body),
        "the deletion of a Namespace": await user.delete(space),
        "ServiceAccounts": await user.get(f"{space}/serviceaccounts"),
        "a ServiceAccount": await user.get(f"{space}/serviceaccounts/{account}"),
        "a change of a ServiceAccount": await user.merge(f"{space}/serviceaccounts/{account}", label),
        "a ServiceAccount's token": await user.post(f"{space}/serviceaccounts/{account}/token", {"spec": {}}),
        "Events": await user.get(f"/apis/events.k8s.io/v1/namespaces/{team}/events"),
        "Events of the old group": await user.post(f"{space}/events", body),
        "another Lease": await user.get(f"{leases}/other"),
        "all Leases": await user.get(leases),
        "another Lease by apply": await user.apply(f"{leases}/other", body),
        "a Lease elsewhere": await user.get(f"/apis/coordination.k8s.io/v1/namespaces/{team}/leases/pullkeeper"),
        "the deletion of its Lease": await user.delete(f"{leases}/pullkeeper"),
        "a pod": await user.post(f"{space}/pods", body),
        "ConfigMaps": await user.get(f"/api/v1/namespaces/{release.namespace}/configmaps"),
        "its own Deployment": await user.get(f"/apis/apps/v1/namespaces/{release.namespace}/deployments"),
        "nodes": await user.get("/api/v1/nodes"),
        "ClusterRoles": await user.get("/apis/rbac.authorization.k8s.io/v1/clusterroles"),
        "a ClusterRoleBinding": await user.post("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", body),
    }
    passed = {what: answer.status for what, answer in refused.items() if answer.status != 403}
    assert passed == {}


async def test_in_the_namespaced_mode_the_rest_of_the_cluster_is_out_of_reach(release: Release) -> None:
    """What is granted in the listed namespaces is refused in every other, and across the cluster."""
    listed = await release.installation.create_namespace()
    other = await release.installation.create_namespace(enabled="true")
    await release.apply("install", settings={"watchNamespaces": [listed]})
    user = release.api.using(await token_of(release.api, release.namespace, NAME))
    name = release.installation.secret_name
    selector = f"metadata.name={name}"
    secrets = "/api/v1/namespaces/{}/secrets"
    refused = [
        await user.get("/api/v1/namespaces"),
        await user.get("/api/v1/secrets", fieldSelector=selector),
        await user.get(secrets.format(other), fieldSelector=selector),
        await user.apply(f"{secrets.format(other)}/{name}", foreign_secret(name)),
        await user.get(f"/api/v1/namespaces/{other}"),
        await user.get(f"/api/v1/watch/namespaces/{other}"),
        await user.post(f"/apis/events.k8s.io/v1/namespaces/{other}/events", {"metadata": {"name": "x"}}),
    ]
    assert [answer.status for answer in refused] == [403] * len(refused)
    assert (await user.get(secrets.format(listed), fieldSelector=selector)).status == 200
    assert await release.installation.secret(other) is None
