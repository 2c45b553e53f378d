"""Least privileges, and Namespaces that are never written."""

from pathlib import Path

import yaml

from testsupport.installation import Installation, rules
from testsupport.objects import foreign_secret
from testsupport.waiting import until


def test_documented_rights_are_those_that_are_tested() -> None:
    """What docs/rbac.yaml grants is what every test here runs under."""
    documents = yaml.safe_load_all(Path("docs/rbac.yaml").read_text())
    (role,) = [document for document in documents if document["kind"] == "ClusterRole"]
    assert role["rules"] == rules("ecr-pull-secret")


async def test_invariant_06_least_privilege(installation: Installation) -> None:
    """With the controller's token, every Secret but the one of its name is out of reach, for reading and writing."""
    team = await installation.create_namespace()
    secrets = f"/api/v1/namespaces/{team}/secrets"
    (await installation.api.post(secrets, foreign_secret("other"))).ok()
    user, other = installation.user, f"{secrets}/other"
    refused = [
        await user.get(other),
        await user.get(secrets),
        await user.get("/api/v1/secrets"),
        await user.get("/api/v1/secrets", fieldSelector="metadata.name=other"),
        await user.get("/api/v1/secrets", labelSelector="app.kubernetes.io/managed-by=pullkeeper"),
        await user.post(secrets, foreign_secret("third")),
        await user.post(secrets, foreign_secret(installation.secret_name)),
        await user.apply(other, foreign_secret("other"), force=True),
        await user.apply(f"{secrets}/third", foreign_secret("third")),
        await user.merge(other, {"data": None}),
        await user.delete(other),
        await user.delete(secrets),
        await user.get(f"/api/v1/namespaces/{team}"),
        await user.merge(f"/api/v1/namespaces/{team}", {"metadata": {"annotations": {"a": "b"}}}),
        await user.get(f"/api/v1/namespaces/{team}/serviceaccounts"),
        await user.get(f"/apis/events.k8s.io/v1/namespaces/{team}/events"),
    ]
    assert [answer.status for answer in refused] == [403] * len(refused)


async def test_invariant_05_hands_off_namespaces(installation: Installation) -> None:
    """After opt-in, trouble and opt-out the Namespace is as its owner wrote it, with no finalizer of ours."""
    await installation.start()
    team = await installation.create_served_namespace()
    await installation.annotate(team, registries="nonsense")
    await installation.event(team, "InvalidAnnotation")
    await installation.annotate(team, registries=None, enabled=None)
    await installation.event(team, "PullSecretDeleted")
    namespace = (await installation.api.get(f"/api/v1/namespaces/{team}")).ok()
    assert "finalizers" not in namespace["metadata"]
    assert namespace["metadata"].get("annotations", {}) == {}
    managers = {entry["manager"] for entry in namespace["metadata"].get("managedFields", ())}
    assert "pullkeeper" not in managers
    assert not any("kopf" in manager for manager in managers)


async def test_opted_in_namespace_can_be_deleted_while_the_controller_is_stopped(installation: Installation) -> None:
    """Nothing of ours holds a namespace back."""
    process = await installation.start()
    team = await installation.create_served_namespace()
    await process.stop()
    installation.namespaces.remove(team)
    (await installation.api.delete(f"/api/v1/namespaces/{team}")).ok()

    async def gone() -> bool:
        return (await installation.api.get(f"/api/v1/namespaces/{team}")).status == 404

    await until(gone, "the namespace to go")


async def test_namespace_that_is_being_deleted_is_left_alone(installation: Installation) -> None:
    """In a namespace on its way out nothing is created, and that is no error."""
    process = await installation.start()
    team = await installation.create_namespace()
    keeper = foreign_secret("keeper", finalizers=["pullkeeper.dev/test"])
    (await installation.api.post(f"/api/v1/namespaces/{team}/secrets", keeper)).ok()
    (await installation.api.delete(f"/api/v1/namespaces/{team}")).ok()
    await installation.annotate(team, enabled="true")
    await installation.create_served_namespace()
    assert await installation.secret(team) is None
    assert await process.metric("pullkeeper_reconcile_total", result="error") == 0
    assert await process.metric("pullkeeper_secret_writes_total", result="error") == 0
    release = {"metadata": {"finalizers": None}}
    (await installation.api.merge(f"/api/v1/namespaces/{team}/secrets/keeper", release)).ok()
