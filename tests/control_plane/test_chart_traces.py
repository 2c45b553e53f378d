"""What a release leaves behind, and what an upgrade must not do, on a real API server by the real Helm."""

import sys
from pathlib import Path
from typing import Any

import pytest

from testsupport.control_plane.release import NAME, CommandError, Release
from testsupport.waiting import until

BOTH = pytest.mark.parametrize("release", ["helm3", "helm4"], indirect=True)
"""For one test of each kind of hook and of lookup: both render the same, but act by code of their own."""

_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_IN_THE_NAMESPACE = (
    "/api/v1/namespaces/{}/pods",
    "/api/v1/namespaces/{}/configmaps",
    "/api/v1/namespaces/{}/secrets",
    "/api/v1/namespaces/{}/serviceaccounts",
    "/api/v1/namespaces/{}/services",
    "/apis/apps/v1/namespaces/{}/deployments",
    "/apis/batch/v1/namespaces/{}/jobs",
    "/apis/policy/v1/namespaces/{}/poddisruptionbudgets",
    "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
    "/apis/coordination.k8s.io/v1/namespaces/{}/leases",
    f"{_RBAC}/namespaces/{{}}/roles",
    f"{_RBAC}/namespaces/{{}}/rolebindings",
)
_IN_THE_CLUSTER = (f"{_RBAC}/clusterroles", f"{_RBAC}/clusterrolebindings")


async def _traces(release: Release) -> set[str]:
    """Give the objects with our name, of every kind that the chart and the controller make."""
    paths = [*(path.format(release.namespace) for path in _IN_THE_NAMESPACE), *_IN_THE_CLUSTER]
    found = {path: (await release.api.get(path)).ok()["items"] for path in paths}
    return {
        f"{path}/{each['metadata']['name']}"
        for path, items in found.items()
        for each in items
        if NAME in each["metadata"]["name"]
    }


async def _lease(release: Release) -> dict[str, Any] | None:
    path = f"/apis/coordination.k8s.io/v1/namespaces/{release.namespace}/leases/{NAME}"
    answer = await release.api.get(path)
    return answer.body["spec"] if answer.status == 200 else None


@BOTH
async def test_nothing_stays_after_a_test_and_an_uninstall(release: Release) -> None:
    """Neither the pod of `helm test` nor the Lease, which Helm did not make."""
    before = await _traces(release)
    await release.install()
    await release.leader()
    await release.test()
    assert await _lease(release)
    await release.uninstall()
    assert await _traces(release) == before


async def test_a_new_install_waits_for_no_lease(release: Release) -> None:
    """The pods lose their rights before they can give it up; it must not keep the next ones from leading."""
    await release.install()
    await release.leader()
    await release.uninstall()
    assert await _lease(release) is None
    await release.install()
    leader = await release.leader()
    lease = await _lease(release)
    assert lease is not None
    assert lease["leaseTransitions"] == 0
    assert "leads, as" in leader.text()


@BOTH
async def test_leader_election_off_and_on_again_waits_for_no_lease(release: Release) -> None:
    """Turning it off takes the right to the Lease away, and the Lease with it."""
    await release.install()
    await release.leader()
    await release.install("upgrade", replicas=1, leaderElection=False)
    assert await _lease(release) is None
    await release.install("upgrade")
    await release.leader()
    lease = await _lease(release)
    assert lease is not None
    assert lease["leaseTransitions"] == 0


async def test_leader_election_is_turned_on_without_two_controllers_at_once(release: Release) -> None:
    """The old one knows no Lease, so it stops before the new ones start, in that upgrade alone."""
    path = f"/apis/apps/v1/namespaces/{release.namespace}/deployments/{NAME}"
    kinds = []
    await release.install(replicas=1, leaderElection=False)
    for _ in range(2):
        await release.install("upgrade")
        kinds.append((await release.api.get(path)).ok()["spec"]["strategy"]["type"])
    assert kinds == ["Recreate", "RollingUpdate"]


@pytest.mark.parametrize("override", [{"nameOverride": "keeper"}, {"nameOverride": "x"}, {"fullnameOverride": "x"}])
async def test_an_upgrade_cannot_rename_the_installation(release: Release, override: dict[str, str]) -> None:
    """It would fail at the selector, or run a second controller as another ServiceAccount; it is refused in a line."""
    await release.apply("install")
    before = await _traces(release)
    with pytest.raises(CommandError) as refused:
        await release.install("upgrade", **override)
    assert "uninstall and install instead" in str(refused.value)
    assert next(iter(override)) in str(refused.value)
    # A release that has failed to render has no revision of its own.
    assert await _traces(release) == before


async def _delete_namespace(release: Release, name: str) -> None:
    release.installation.namespaces.remove(name)
    path = f"/api/v1/namespaces/{name}"
    (await release.api.delete(path)).ok()

    async def gone() -> bool:
        return (await release.api.get(path)).status == 404

    await until(gone, f"namespace {name} to go")


@BOTH
async def test_a_watched_namespace_that_is_gone_holds_up_neither_upgrade_nor_cleanup(release: Release) -> None:
    """The upgrade leaves its Role out and says so; the cleanup deletes what is in the others."""
    kept, lost = [await release.installation.create_namespace(enabled="true") for _ in range(2)]
    settings = {"watchNamespaces": [kept, lost], "leaseDuration": "3s"}
    values: dict[str, Any] = {"settings": settings, "cleanup": {"onUninstall": True}}
    before = await _traces(release)
    await release.install(**values)
    await release.installation.event(kept, "PullSecretCreated")
    await release.installation.event(lost, "PullSecretCreated")
    await _delete_namespace(release, lost)
    printed = await release.install("upgrade", **values)
    assert f"1 not there: {lost}" in printed
    await release.leader()
    await release.uninstall()
    assert await release.installation.secret(kept) is None
    assert await _traces(release) == before


async def test_a_watched_namespace_that_is_gone_since_the_install_holds_up_no_cleanup(release: Release) -> None:
    """Nothing is rendered anew at an uninstall, so what is stored has to work without it."""
    kept, lost = [await release.installation.create_namespace(enabled="true") for _ in range(2)]
    settings = {"watchNamespaces": [kept, lost], "leaseDuration": "3s"}
    before = await _traces(release)
    await release.install(settings=settings, cleanup={"onUninstall": True})
    await release.installation.event(kept, "PullSecretCreated")
    await _delete_namespace(release, lost)
    await release.uninstall()
    assert await release.installation.secret(kept) is None
    assert await _traces(release) == before


async def test_namespaces_are_not_given_up_in_passing(release: Release) -> None:
    """An upgrade that leaves Secrets behind is refused until that is acknowledged; then a command deletes them."""
    kept, left = [await release.installation.create_namespace(enabled="true") for _ in range(2)]
    await release.install()
    for team in (kept, left):
        await release.installation.event(team, "PullSecretCreated")
    settings = {"watchNamespaces": [kept]}
    with pytest.raises(CommandError, match="pull Secrets in every other namespace would be left to expire"):
        await release.install("upgrade", settings=settings)
    printed = await release.install("upgrade", settings=settings, cleanup={"leaveSecrets": True})
    assert "Pull Secrets in all other namespaces are no longer maintained" in printed
    assert await release.installation.secret(left) is not None
    config = release.installation.folder / "left.yaml"
    settings_file = f"configmap {NAME} -n {release.namespace} -o jsonpath='{{.data.settings\\.yaml}}'"
    await release.shell(f"kubectl get {settings_file} > {config}")
    pullkeeper = Path(sys.executable).with_name("pullkeeper")
    assert "1 pull Secret " in await release.shell(f"{pullkeeper} cleanup --unwatched --config {config}")
    assert await release.installation.secret(left) is None
    assert await release.installation.secret(kept) is not None
