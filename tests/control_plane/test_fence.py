"""The admission fence: what the controller's token is good for without it and with it, on a real API server."""

import base64
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from testsupport.access import create_user, rule, token_of
from testsupport.control_plane.granted import writes
from testsupport.control_plane.plane import ControlPlane
from testsupport.control_plane.policies import applied
from testsupport.control_plane.release import NAME, Release
from testsupport.control_plane.webhook import mutating
from testsupport.installation import FAST_ROTATION, Installation
from testsupport.objects import (
    SECOND,
    create_namespace,
    events_in,
    foreign_secret,
    pull_secret,
    secrets_in,
    warning_event,
)
from testsupport.rest import Answer, RestClient
from testsupport.service_accounts import service_account
from testsupport.tenant_identities import account_with_role
from testsupport.token_thief import BUSINESS, MARK, MISUSES, Thief
from testsupport.waiting import until

IDENTITY = {"namespaceSelector": {"matchLabels": {"team": "yes"}}}
SETTINGS = {"serviceAccountAttachment": True, "serviceAccountIdentity": IDENTITY}
RIGHTS = {"serviceAccountIdentity": {"names": ["puller"]}}
_EVENTS = rule("events", "create", group="events.k8s.io")
_RULE = re.compile(rf"'{NAME}-fence-(?P<policy>[^']+)' with binding '[^']+' denied request: (?P<words>.*)")
_SAYS = "the fence of Pullkeeper: "
BEYOND_RBAC = {
    ("secrets", f"{_SAYS}its Secrets have the name of settings.secretName, or one in settings.additionalSecrets"),
    ("service-accounts", f"{_SAYS}it creates and deletes no ServiceAccount"),
    ("tokens", f"{_SAYS}it requests tokens of the ServiceAccounts in rbac.serviceAccountIdentity.names"),
    ("lease", f"{_SAYS}it writes the Lease of this release, and deletes none"),
    # Of ServiceAccounts another rule allows no label at all.
    ("service-accounts", f"{_SAYS}no label is added or changed but app.kubernetes.io/managed-by"),
}
"""Rules that nothing breaks which RBAC lets pass: they hold if somebody grants the controller more."""
ADMIN = "clusterrole-aggregation-controller"


async def _install(release: Release, verb: str, *, fence: bool, **values: Any) -> RestClient:
    """Install with every feature, but without pods; return the client of whoever has the controller's token."""
    given = {"settings": SETTINGS, "rbac": RIGHTS, **values}
    await release.apply(verb, admission={"fence": fence}, **given)
    user = release.api.using(await token_of(release.api, release.namespace, NAME))
    path = f"/api/v1/namespaces/default/secrets/{release.installation.secret_name}"

    async def in_force() -> bool:
        body = pull_secret(release.installation.secret_name, finalizers=["example.com/x"])
        query = {"fieldManager": "pullkeeper", "dryRun": "All"}
        answer = await user.send("PATCH", path, body=body, query=query, content_type="application/apply-patch+yaml")
        return answer.status == 422 if fence else answer.status == 201

    await until(in_force, f"the fence to be {fence}")
    return user


async def _thief(release: Release) -> Thief:
    """Make everything that the thief could lay hands on."""
    api, name = release.api, release.installation.secret_name
    teams = [f"{kind}-{secrets.token_hex(4)}" for kind in ("team", "stranger", "empty", "unselected")]
    for team in teams:
        labels = {} if team.startswith("unselected") else {"team": "yes"}
        (await api.post("/api/v1/namespaces", {"metadata": {"name": team, "labels": labels}})).ok()
        await _create_account(api, team, "puller")
    team, stranger, empty, unselected = teams
    theirs = {"theirs": "eA==", **pull_secret(name)["data"]}
    (await api.post(f"/api/v1/namespaces/{team}/secrets", {**pull_secret(name), "data": theirs})).ok()
    (await api.post(f"/api/v1/namespaces/{stranger}/secrets", foreign_secret(name))).ok()
    marks = {"annotations": {MARK: name, "example.com/theirs": "1"}, "labels": {"theirs": "1"}}
    await _create_account(api, team, "builder", marks, imagePullSecrets=[{"name": "theirs"}, {"name": name}])
    (await api.post(_leases(release), {"metadata": {"name": NAME}, "spec": {"holderIdentity": "x"}})).ok()
    theirs_event = warning_event(team, "theirs", "x", at="2026-01-01T00:00:00.000000Z", regarding=name)
    (await api.post(events_in(team), {**theirs_event, "reportingController": "kubelet"})).ok()
    user = api.using(await token_of(api, release.namespace, NAME))
    return Thief(
        user=user,
        secret=name,
        release=release.namespace,
        lease=NAME,
        team=team,
        stranger=stranger,
        empty=empty,
        unselected=unselected,
    )


def _leases(release: Release) -> str:
    return f"/apis/coordination.k8s.io/v1/namespaces/{release.namespace}/leases"


async def _create_account(
    api: RestClient, namespace: str, name: str, metadata: dict[str, Any] | None = None, **fields: Any
) -> None:
    body = {"metadata": {"name": name, **(metadata or {})}, **fields}
    (await api.post(f"/api/v1/namespaces/{namespace}/serviceaccounts", body)).ok()


async def test_each_misuse_of_the_token_works_without_the_fence_and_is_refused_with_it(
    release: Release, plane: ControlPlane
) -> None:
    """Whatever RBAC grants beyond the controller's business, by the words of the policy; its business is not."""
    await _install(release, "install", fence=False)
    thief = await _thief(release)
    without = {what: await attempt(thief) for what, attempt in MISUSES.items()}
    assert {what: answer.body for what, answer in without.items() if answer.status >= 400} == {}
    await _install(release, "upgrade", fence=True)
    business = {what: await attempt(thief) for what, attempt in BUSINESS.items()}
    assert {what: answer.body for what, answer in business.items() if answer.status >= 400} == {}
    found = {what: await attempt(thief) for what, attempt in MISUSES.items()}
    words = f"ValidatingAdmissionPolicy '{NAME}-fence-"
    denied = [each for each in writes(plane, release.namespace, NAME) if words in each.message]
    assert len(denied) >= len(MISUSES), "the audit log tells who refuses"
    assert {what: answer.body for what, answer in found.items() if answer.status < 400} == {}
    assert {what: answer.message for what, answer in found.items() if words not in answer.message} == {}
    alone = {rules.pop() for rules in map(_refused_by, found.values()) if len(rules) == 1}
    assert await _rules(release.api) - alone == BEYOND_RBAC, "a rule that could be left out unnoticed"


async def _rules(api: RestClient) -> set[tuple[str, str]]:
    """Return the rules of the fence: each with the policy that it is in."""
    policies = (await api.get("/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies")).ok()["items"]
    # The API server may have fences of other installations as well.
    names = ((each["metadata"]["name"].partition(f"{NAME}-fence-"), each) for each in policies)
    fences = {name: each["spec"]["validations"] for (other, _, name), each in names if name and not other}
    return {
        (name, rule["message"]) for name, rules in fences.items() for rule in rules if "fence of" in rule["message"]
    }


def _refused_by(answer: Answer) -> set[tuple[str, str]]:
    """Return the rules that refuse a request, every one of them."""
    found = [_RULE.search(each["message"]) for each in answer.body["details"]["causes"]]
    return {(match["policy"], match["words"]) for match in found if match}


async def test_what_a_webhook_adds_is_tolerated_by_its_key_alone(
    plane: ControlPlane, api: RestClient, tmp_path: Path
) -> None:
    """A real webhook marks whatever is written: the fence refuses the controller that, but for what the values name."""
    name = f"fenced-{secrets.token_hex(4)}"
    team = await create_namespace(api)
    (await api.post(f"/api/v1/namespaces/{team}/serviceaccounts", {"metadata": {"name": "builder"}})).ok()
    rights = [rule("secrets", "create", "patch"), rule("serviceaccounts", "patch"), _EVENTS]
    user = await create_user(api, "default", *rights, account=name)
    added: dict[str, list[str]] = {"labels": [], "annotations": []}

    def patch(found: Mapping[str, Any]) -> list[dict[str, Any]]:
        marks = {part: {key: secrets.token_hex(4) for key in keys} for part, keys in added.items()}
        return [
            {"op": "add", "path": f"/metadata/{part}", "value": {**found["metadata"].get(part, {}), **mark}}
            for part, mark in marks.items()
        ]

    async def answers() -> dict[str, bool]:
        """Whether each kind of write is let through."""
        event = warning_event(team, f"{name}.0", "x", at="2026-01-01T00:00:00.000000Z", regarding=name)
        account = f"/api/v1/namespaces/{team}/serviceaccounts/builder"
        sent = {
            "a Secret": await user.apply(f"{secrets_in(team)}/{name}", pull_secret(name)),
            "it again": await user.apply(f"{secrets_in(team)}/{name}", pull_secret(name, SECOND), force=True),
            "a ServiceAccount": await user.merge(account, {"metadata": {"annotations": {MARK: name}}}),
            "an Event": await user.post(events_in(team), event, dryRun="All"),
        }
        await api.delete(f"{secrets_in(team)}/{name}")
        await api.merge(account, {"metadata": {"annotations": {MARK: None}}})
        refused = {what: answer.message for what, answer in sent.items() if answer.status >= 400}
        assert all("is added or changed but" in each or "changes no label" in each for each in refused.values()), (
            refused
        )
        return {what: what not in refused for what in sent}

    async def settled(*, wanted: bool) -> None:
        async def so() -> bool:
            return set((await answers()).values()) == {wanted}

        await until(so, f"each write to be let through: {wanted}")

    values: dict[str, Any] = {"fullnameOverride": name, "settings": {"secretName": name}}
    theirs, other = "example.com/theirs", "example.com/other"
    async with mutating(api, tmp_path, team, patch, "secrets", "serviceaccounts", "events"):
        added.update(labels=[theirs], annotations=[theirs])
        with applied(plane, "admission-fence.yaml", values):
            await settled(wanted=False)
        with applied(plane, "admission-fence.yaml", {**values, "admission": {"toleratedMetadata": [theirs]}}):
            await settled(wanted=True)
            for keys in added.values():
                keys.append(other)
                await settled(wanted=False)
                keys.remove(other)
            await settled(wanted=True)


async def test_takeover_of_the_cluster_works_without_the_fence_and_is_refused_with_it(release: Release) -> None:
    """Trial A13: a Secret of our name that the control plane fills in with the token of one of its own controllers."""
    name = release.installation.secret_name
    path = f"/api/v1/namespaces/kube-system/secrets/{name}"
    annotations = {"kubernetes.io/service-account.name": ADMIN}
    body = {"metadata": {"name": name, "annotations": annotations}, "type": "kubernetes.io/service-account-token"}
    accounts = "/api/v1/namespaces/kube-system/serviceaccounts"
    assert (await release.api.post(accounts, {"metadata": {"name": ADMIN}})).status in {201, 409}
    user = await _install(release, "install", fence=False)
    (await user.apply(path, {"apiVersion": "v1", "kind": "Secret", **body})).ok()

    async def stolen() -> str | None:
        token = (await user.get(path)).ok().get("data", {}).get("token")
        return base64.b64decode(token).decode() if token else None

    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    whoever = release.api.using(await until(stolen, "the token to be filled in"))
    answer = (await whoever.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", review)).ok()
    assert answer["status"]["userInfo"]["username"] == f"system:serviceaccount:kube-system:{ADMIN}"
    (await release.api.delete(path)).ok()
    user = await _install(release, "upgrade", fence=True)
    refused = await user.apply(path, {"apiVersion": "v1", "kind": "Secret", **body})
    assert (refused.status, "excludes this namespace" in refused.message) == (422, True)
    assert (await release.api.get(path)).status == 404
    elsewhere = f"/api/v1/namespaces/default/secrets/{name}"
    refused = await user.apply(elsewhere, {"apiVersion": "v1", "kind": "Secret", **body})
    assert (refused.status, "kubernetes.io/dockerconfigjson" in refused.message) == (422, True)


async def test_policies_are_typed_without_a_warning(release: Release) -> None:
    """The API server's own type checker finds nothing, and its limits on cost are kept."""
    await _install(release, "install", fence=True)

    async def checked() -> list[Any] | None:
        found = (await release.api.get("/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies")).ok()
        ours = [each for each in found["items"] if each["metadata"]["name"].startswith(f"{NAME}-fence-")]
        seen = [each for each in ours if each.get("status", {}).get("observedGeneration")]
        return ours if len(seen) == len(ours) == 5 else None

    policies = await until(checked, "the policies to be checked")
    assert [each["status"].get("typeChecking") for each in policies] == [{}] * 5


@dataclass(frozen=True, kw_only=True)
class Day:
    """Everything that the controller does, under the fence that the chart puts up."""

    release: Release

    @property
    def installation(self) -> Installation:
        return self.release.installation

    async def live(self) -> None:
        """Opt in, rotate, repair, err, attach, use a ServiceAccount, meet a stranger, opt out, clean up."""
        installation = self.installation
        settings = {**SETTINGS, **FAST_ROTATION, "leaseDuration": "3s"}
        await self.release.install(settings=settings, rbac=RIGHTS, cleanup={"onUninstall": True})
        await self.release.leader()
        plain, own, taken = [await installation.create_namespace() for _ in range(3)]
        await installation.label(own, team="yes")
        await account_with_role(installation, own, "puller")
        (await self.release.api.post(secrets_in(taken), foreign_secret(installation.secret_name))).ok()
        async with installation.recording() as recorder:
            await installation.annotate(plain, enabled="true", attach_to_service_accounts="default")
            await installation.annotate(own, enabled="true", service_account_name="puller")
            await installation.annotate(taken, enabled="true")
            for team in (plain, own):
                first = await recorder.created(team)
                await recorder.wait(team, lambda version, first=first: version.expires_at > first.expires_at)  # type: ignore[misc] # a default binds the loop's value
            await installation.event(taken, "SecretConflict")
            await service_account(installation, plain, "default").until(installation.secret_name)
            (await self.release.api.delete(installation.path(own))).ok()
            await recorder.wait(own, lambda _: len({each.uid for each in recorder.of(own)}) > 1)
            theirs = {
                "metadata": {"labels": {"theirs": "x"}, "annotations": {"theirs": "x"}},
                "data": {"theirs": "eA=="},
            }
            (await self.release.api.merge(installation.path(plain), theirs)).ok()
            changed = recorder.of(plain)[-1]
            await recorder.wait(plain, lambda version: version.expires_at > changed.expires_at)
            await self._warn()
            await installation.annotate(plain, attach_to_service_accounts=None)
            await service_account(installation, plain, "default").until()
            await installation.annotate(plain, enabled="false")
            await installation.event(plain, "PullSecretDeleted")
        await self.release.uninstall()
        assert await installation.secret(own) is None

    async def _warn(self) -> None:
        """Let an Event become a series over a restart."""
        team = await self.installation.create_namespace(enabled="true", registries="nonsense")
        await self.installation.event(team, "InvalidAnnotation")
        await self.release.restart()

        async def repeated() -> bool:
            return any(event.get("series") for event in await self.installation.events(team))

        await until(repeated, "the Event to go on")


@pytest.mark.usefixtures("short_lived")
async def test_a_full_day_is_refused_nothing(release: Release, plane: ControlPlane) -> None:
    """By the API server's own audit log: each kind of write has been made, and none has been refused."""
    await Day(release=release).live()
    made = writes(plane, release.namespace, NAME)
    assert {(each.verb, each.resource) for each in made if each.status < 400} >= {
        ("patch", "secrets"),
        ("delete", "secrets"),
        ("patch", "serviceaccounts"),
        ("create", "serviceaccounts/token"),
        ("patch", "leases"),
        ("create", "events"),
        ("patch", "events"),
    }
    assert [each for each in made if "AdmissionPolicy" in each.message] == []
    assert [each for each in made if each.status == 403] == []
