"""The chart's life on a real API server, by the real Helm: install, upgrade, uninstall, reinstall."""

import pytest

from testsupport.control_plane.plane import ControlPlane
from testsupport.control_plane.release import Release
from testsupport.installation import FAST_ROTATION, IRELAND, VIRGINIA, auths
from testsupport.objects import foreign_secret
from testsupport.secret_recorder import SecretRecorder, Version
from testsupport.waiting import until


async def _next(recorder: SecretRecorder, team: str) -> Version:
    """Wait for the next version of a Secret."""
    known = len(recorder.of(team))
    return await recorder.wait(team, lambda _: len(recorder.of(team)) > known)


async def test_two_replicas_run_under_the_charts_own_rights(release: Release) -> None:
    """Both are ready, one acts, and what it logs is no complaint about a right."""
    await release.install()
    assert len(release.pods) == 2
    leader = await release.leader()
    await release.installation.create_served_namespace()
    assert "(403)" not in leader.text()


async def test_a_change_of_the_policy_restarts_nothing(release: Release) -> None:
    """`helm upgrade` with other registries reaches the running processes by the ConfigMap alone."""
    await release.install()
    team = await release.installation.create_namespace(enabled="true")
    async with release.installation.recording() as recorder:
        await release.installation.event(team, "PullSecretCreated")
        before = [process for _, process in release.pods]
        await release.install("upgrade", settings={"registries": [IRELAND, VIRGINIA]})
        assert [process for _, process in release.pods] == before
        await release.sync()
        changed = await recorder.wait(team, lambda version: VIRGINIA in auths(version.secret))
        assert set(auths(changed.secret)) == {IRELAND, VIRGINIA}


@pytest.mark.usefixtures("short_lived")
async def test_a_change_that_takes_a_restart_rolls_out_without_a_gap(release: Release) -> None:
    """The new pods come, the old ones go, and the Secret never holds an expired token meanwhile."""
    await release.install(settings=FAST_ROTATION)
    team = await release.installation.create_namespace(enabled="true")
    async with release.installation.recording() as recorder:
        await release.installation.event(team, "PullSecretCreated")
        before = [process for _, process in release.pods]
        await release.install("upgrade", settings={**FAST_ROTATION, "refreshFraction": 0.12})
        after = [process for _, process in release.pods]
        assert len(after) == 2
        assert not set(before) & set(after)
        held = await _next(recorder, team)
        assert (await _next(recorder, team)).seen_at < held.expires_at
        assert len({version.uid for version in recorder.of(team)}) == 1


async def test_from_two_replicas_to_one_without_a_lease(release: Release) -> None:
    """The upgrade takes the right to Leases away, and the one that is left acts."""
    await release.install()
    await release.leader()
    await release.install("upgrade", replicas=1, leaderElection=False)
    assert len(release.pods) == 1
    await release.installation.create_served_namespace()
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{release.namespace}/roles"
    assert (await release.api.get(path)).ok()["items"] == []


async def test_uninstall_leaves_the_secrets_and_a_new_install_goes_on_with_them(release: Release) -> None:
    """The Secret stays as it is, and is taken up again without a call to AWS."""
    await release.install()
    team = await release.installation.create_served_namespace()
    await release.uninstall()
    kept = await release.installation.secret(team)
    assert kept is not None
    calls = release.installation.aws.count("GetAuthorizationToken")
    await release.install()
    leader = await release.leader()

    await leader.until_metric(1, "pullkeeper_namespaces", state="ready")
    assert await release.installation.secret(team) == kept
    assert release.installation.aws.count("GetAuthorizationToken") == calls


async def test_uninstall_with_cleanup_removes_the_secrets(release: Release) -> None:
    """By choice, the hook's Job deletes each Secret of ours; a stranger's of the name stays."""
    await release.install(cleanup={"onUninstall": True})
    team = await release.installation.create_served_namespace()
    other = await release.installation.create_namespace()
    theirs = foreign_secret(release.installation.secret_name)
    (await release.api.post(f"/api/v1/namespaces/{other}/secrets", theirs)).ok()
    await release.uninstall()
    assert await release.installation.secret(team) is None
    assert await release.installation.secret(other) is not None
    for kind in ("clusterroles", "clusterrolebindings"):
        found = (await release.api.get(f"/apis/rbac.authorization.k8s.io/v1/{kind}")).ok()["items"]
        assert [each["metadata"]["name"] for each in found if "pullkeeper-cleanup" in each["metadata"]["name"]] == []


async def test_nothing_holds_up_a_namespace_after_the_uninstall(release: Release) -> None:
    """The team's namespace and the release's own can be deleted."""
    await release.install()
    team = await release.installation.create_served_namespace()
    await release.uninstall()
    release.installation.namespaces.remove(team)
    (await release.api.delete(f"/api/v1/namespaces/{team}")).ok()

    async def gone() -> bool:
        return (await release.api.get(f"/api/v1/namespaces/{team}")).status == 404

    await until(gone, "the namespace to go")


async def test_helm_test_checks_everything(release: Release) -> None:
    """`helm test` runs `pullkeeper check` as the controller's ServiceAccount, and it finds nothing wrong."""
    await release.install()
    await release.leader()
    printed = await release.test()
    assert "Succeeded" in printed


async def test_pods_are_admitted_under_pod_security_restricted(release: Release, plane: ControlPlane) -> None:
    """The API server's own admission takes the Deployment's pod as it is."""
    await release.apply("install")
    path = f"/apis/apps/v1/namespaces/{release.namespace}/deployments/pullkeeper"
    template = (await release.api.get(path)).ok()["spec"]["template"]
    pod = {"metadata": {"name": "as-deployed", "labels": template["metadata"]["labels"]}, "spec": template["spec"]}
    pods = f"/api/v1/namespaces/{release.namespace}/pods"
    assert (await release.api.post(pods, pod)).status == 201, plane.url
    loose = {**template["spec"], "securityContext": {}}
    refused = await release.api.post(pods, {"metadata": {"name": "loose"}, "spec": loose})
    assert refused.status == 403
