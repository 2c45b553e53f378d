"""An upgrade that changes the rights, while its pods do not come up: those that still run keep what they need."""

from typing import Any

import pytest

from testsupport.control_plane.granted import granted
from testsupport.control_plane.release import NAME, Release
from testsupport.rest import MERGE
from testsupport.waiting import until


async def _repaired(release: Release, team: str, before: dict[str, Any]) -> None:
    """Delete the Secret, and wait for the controller to write it anew."""
    (await release.api.delete(release.installation.path(team))).ok()
    await _anew(release, team, before)


async def _anew(release: Release, team: str, before: dict[str, Any]) -> None:
    async def anew() -> bool:
        found = await release.installation.secret(team)
        return found is not None and found["metadata"]["uid"] != before["metadata"]["uid"]

    await until(anew, "the Secret to be written anew")


async def _served(release: Release) -> tuple[str, dict[str, Any]]:
    team = await release.installation.create_served_namespace()
    secret = await release.installation.secret(team)
    assert secret is not None
    return team, secret


async def _secret_names(release: Release) -> set[str]:
    """Give the names of the Secrets that the controller may write."""
    rights = await granted(release.api, release.namespace, NAME)
    return {right.name for right in rights if right.resource == "secrets" and right.verb == "patch"}


async def _complete_the_rollout(release: Release) -> None:
    """Say what the Deployment's controller would, once every pod is of the newest template and available."""
    path = f"/apis/apps/v1/namespaces/{release.namespace}/deployments/{NAME}"
    found = (await release.api.get(path)).ok()
    counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 2)
    status = {"observedGeneration": found["metadata"]["generation"], **counts}
    body = {"status": status}
    (await release.api.send("PATCH", f"{path}/status", body=body, content_type=MERGE)).ok()


@pytest.mark.parametrize("release", ["helm3", "helm4"], indirect=True)
async def test_the_old_pods_go_on_under_the_old_secret_name(release: Release) -> None:
    """Until an upgrade that finds every pod changed; one in between takes nothing away."""
    old = release.installation.secret_name
    await release.install()
    team, secret = await _served(release)
    for level in ("debug", "info"):
        printed = await release.apply("upgrade", settings={"secretName": "other", "logLevel": level})
        assert "stay granted" in printed
        assert await _secret_names(release) == {old, "other"}
    await _repaired(release, team, secret)
    await _complete_the_rollout(release)
    await release.apply("upgrade", settings={"secretName": "other"})
    assert await _secret_names(release) == {"other"}


async def test_the_old_pods_go_on_under_the_old_service_account(release: Release) -> None:
    """Its rights, the Lease among them, are bound to it for as long."""
    await release.install()
    team, secret = await _served(release)
    await release.apply("upgrade", serviceAccount={"name": "another"})
    assert await granted(release.api, release.namespace, NAME) == await granted(
        release.api, release.namespace, "another"
    )
    await _repaired(release, team, secret)


async def test_the_old_pods_go_on_with_the_whole_cluster(release: Release) -> None:
    """An upgrade to a few namespaces takes the ClusterRole away only when no pod needs it any more."""
    await release.install()
    team, secret = await _served(release)
    settings = {"watchNamespaces": [team]}
    await release.apply("upgrade", settings=settings, cleanup={"leaveSecrets": True})
    kept = await granted(release.api, release.namespace, NAME)
    assert {right.namespace for right in kept} == {"", team, release.namespace}
    await _repaired(release, team, secret)
    await _complete_the_rollout(release)
    await release.apply("upgrade", settings=settings, cleanup={"leaveSecrets": True})
    rights = await granted(release.api, release.namespace, NAME)
    assert {right.namespace for right in rights} == {team, release.namespace}


async def test_nothing_more_is_granted_where_the_rights_stay_the_same(release: Release) -> None:
    """An upgrade of something else keeps the roles as they are."""
    await release.apply("install")
    before = await granted(release.api, release.namespace, NAME)
    printed = await release.apply("upgrade", settings={"logLevel": "info", "refreshFraction": 0.4})
    assert "stay granted" not in printed
    assert await granted(release.api, release.namespace, NAME) == before


async def test_a_right_that_is_taken_away_is_noticed(release: Release) -> None:
    """/readyz says so and a metric is 1, until it is granted again; nothing is restarted for it."""
    await release.install(replicas=1)
    teams = [await _served(release) for _ in range(3)]
    ((_, process),) = release.pods
    path = f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{NAME}"
    rules = (await release.api.get(path)).ok()["rules"]
    without = [rule if rule["resources"] != ["secrets"] else {**rule, "verbs": ["get", "list"]} for rule in rules]
    (await release.api.merge(path, {"rules": without})).ok()
    for team, _ in teams:
        (await release.api.delete(release.installation.path(team))).ok()
    await process.until_metric(1, "pullkeeper_permission_denied")
    status, text = await process.probe("/readyz")
    assert status == 503
    assert "the API server denies writing Secrets" in text
    (await release.api.merge(path, {"rules": rules})).ok()
    await process.until_metric(0, "pullkeeper_permission_denied")
    for team, secret in teams:
        await _anew(release, team, secret)
