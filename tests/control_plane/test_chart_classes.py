"""Two releases of the chart in one cluster, each of a class of its own, as docs/install.md describes them."""

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from testsupport.control_plane.plane import ControlPlane
from testsupport.control_plane.release import NAME, Release, released
from testsupport.fake_aws import AwsFake
from testsupport.injected_pods import ACCOUNT, Team, create_team
from testsupport.installation import IRELAND, ROLE, VIRGINIA, auths
from testsupport.rest import RestClient
from testsupport.secret_recorder import SecretRecorder
from testsupport.waiting import until

CLASS = "canary"
_IMAGES = (f"{IRELAND}/app:1", f"{VIRGINIA}/app:1")


@pytest.fixture
async def releases(
    request: pytest.FixtureRequest, plane: ControlPlane, api: RestClient, aws: AwsFake, tmp_path: Path
) -> AsyncIterator[tuple[Release, Release]]:
    """Prepare a release of the default class and one of another; they have one role, and a Secret's name each.

    A test may name one namespace for both as the fixture's parameter.
    """
    async with AsyncExitStack() as stack:
        found = []
        for name in (NAME, CLASS):
            suffix = secrets.token_hex(4)
            folder, secret_name = tmp_path / name, f"{name}-pull-{suffix}"
            folder.mkdir()
            namespace = getattr(request, "param", f"{name}-{suffix}")
            await api.post("/api/v1/namespaces", {"metadata": {"name": namespace}})
            prepared = released(plane, api, aws, folder, namespace=namespace, secret_name=secret_name, name=name)
            found.append(await stack.enter_async_context(prepared))
        aws.allow_role(
            ROLE, trusts_subjects=[f"system:serviceaccount:{each.namespace}:{each.fullname}" for each in found]
        )
        first, second = found
        yield first, second


async def _install(release: Release, verb: str = "install", class_name: str = "", **values: object) -> None:
    """Install everything that two could fight over; each of another registry, so that it shows in the Secret."""
    registry = IRELAND if release.name == NAME else VIRGINIA
    settings = {"class": class_name, "registries": [registry], "serviceAccountAttachment": True}
    await release.install(verb, settings=settings, admission={"validation": "Deny", "fence": True}, **values)


async def _served(release: Release, class_name: str = "") -> Team:
    """Create a namespace of a class with a ServiceAccount to attach, and wait for its Secret."""
    wanted = {"enabled": "true", "attach-to-service-accounts": ACCOUNT, **({"class": class_name} if class_name else {})}
    team = await create_team(release.api, wanted)
    release.installation.namespaces.append(team.name)
    await release.installation.event(team.name, "PullSecretCreated")
    return team


async def _attached(team: Team, *expected: str) -> None:
    path = f"/api/v1/namespaces/{team.name}/serviceaccounts/{ACCOUNT}"

    async def named() -> bool:
        found = (await team.api.get(path)).ok()
        return [each["name"] for each in found.get("imagePullSecrets", ())] == list(expected)

    await until(named, f"{expected} on the ServiceAccount in {team.name}")


async def _injected(team: Team, *expected: str) -> None:
    """Wait until the policies in force add these Secrets, and no others, to a pod whose ServiceAccount has none."""

    async def added() -> bool:
        return await team.pulls_with(*_IMAGES, serviceAccountName="plain") == list(expected)

    (await team.api.post(f"/api/v1/namespaces/{team.name}/serviceaccounts", {"metadata": {"name": "plain"}})).ok()
    await until(added, f"pods in {team.name} to get {expected}")


async def test_each_release_serves_injects_and_judges_its_own_namespaces(releases: tuple[Release, Release]) -> None:
    """Neither fence refuses a write of the other, no object is shared, and each pod gets the Secret of its class."""
    production, canary = releases
    await _install(production)
    await _install(canary, class_name=CLASS)
    teams = {production: await _served(production), canary: await _served(canary, CLASS)}
    for release, team in teams.items():
        await _attached(team, release.installation.secret_name)
        await _injected(team, release.installation.secret_name)
        assert "Forbidden" not in (await release.leader()).text()
    assert await _refusals(teams[production], "no-registry") == ["pullkeeper-validation"]
    assert await _refusals(teams[canary], "no-registry") == ["canary-pullkeeper-validation"]


async def _refusals(team: Team, registries: str) -> list[str]:
    """Return which policies refuse these registries in a namespace."""

    async def refused() -> str:
        body = {"metadata": {"annotations": {"pullkeeper.dev/registries": registries}}}
        answer = await team.api.merge(f"/api/v1/namespaces/{team.name}", body, dryRun="All")
        return answer.message if answer.status == 422 else ""

    message = await until(refused, f"a refusal of {registries} in {team.name}")
    return [part.split("'")[0] for part in message.split("ValidatingAdmissionPolicy '")[1:]]


@pytest.mark.parametrize("releases", ["both-releases"], indirect=True)
async def test_one_release_replaces_the_other_as_the_docs_say(releases: tuple[Release, Release]) -> None:
    """With one name for the Secrets, which stay in place; also where both releases are in one namespace."""
    production, canary = releases
    canary.installation.secret_name = production.installation.secret_name
    await _install(production, cleanup={"onUninstall": True})
    async with production.installation.recording() as recorder:
        team = await _served(production)
        await _install(canary, class_name=CLASS)
        await production.installation.annotate(team.name, **{"class": CLASS})
        await recorder.wait(team.name, lambda version: set(auths(version.secret)) == {VIRGINIA})
        await production.uninstall()
        await _install(canary, "upgrade")
        await production.installation.annotate(team.name, **{"class": None})
        await recorder.wait(team.name, lambda version: "pullkeeper.dev/class" not in version.annotations)
        await _injected(team, canary.installation.secret_name)
        await _attached(team, canary.installation.secret_name)
        _assert_in_place(recorder, team)
    assert await _cluster_scoped(production) == set()
    assert await _cluster_scoped(canary)


def _assert_in_place(recorder: SecretRecorder, team: Team) -> None:
    versions = recorder.of(team.name)
    assert len({each.uid for each in versions}) == 1
    assert "DELETED" not in {each.kind for each in versions}


async def _cluster_scoped(release: Release) -> set[str]:
    """Return the names of a release's objects outside namespaces, by what Helm writes on them."""
    groups = {
        "admissionregistration.k8s.io/v1": ("validatingadmissionpolicies", "mutatingadmissionpolicies"),
        "rbac.authorization.k8s.io/v1": ("clusterroles", "clusterrolebindings"),
    }
    paths = [f"/apis/{group}/{kind}" for group, kinds in groups.items() for kind in kinds]
    lists = [(await release.api.get(path)).ok()["items"] for path in paths]
    found = [each["metadata"] for items in lists for each in items]
    owner = (release.name, release.namespace)
    return {each["name"] for each in found if _owner(each.get("annotations") or {}) == owner}


def _owner(annotations: Mapping[str, str]) -> tuple[str | None, str | None]:
    return annotations.get("meta.helm.sh/release-name"), annotations.get("meta.helm.sh/release-namespace")
