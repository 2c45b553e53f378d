"""The recipes of docs/migrating.md, run as written: the change from any other tool leaves no gap."""

import base64
from typing import Any

import pytest

from testsupport import competing_tools
from testsupport.competing_tools import CompetingTool, CronJob, LoginRenew
from testsupport.installation import FAST_ROTATION, IRELAND, VIRGINIA, Installation, auths
from testsupport.migration import RECIPES, assert_no_gap, follow, move, names_of, rotated, tool_in
from testsupport.recipes import Kubectl, recipe

pytestmark = pytest.mark.slow

LABEL = "app.kubernetes.io/managed-by"


@pytest.mark.usefixtures("short_lived")
@pytest.mark.parametrize("heading", RECIPES)
async def test_recipe_leaves_no_gap(installation: Installation, heading: str) -> None:
    """The Secret that pods name stays the same object, always holds a living token, and rotates on under Pullkeeper."""
    await move(installation, heading, Kubectl(installation.api))


@pytest.mark.usefixtures("short_lived")
@pytest.mark.parametrize("kind", [competing_tools.TYPE, "kubernetes.io/dockercfg"])
async def test_new_name_beside_the_old_one_leaves_no_gap(installation: Installation, kind: str) -> None:
    """Pods name the old Secret, then both; the old one goes when the new one has long held a living token."""
    await installation.start(FAST_ROTATION)
    team = await installation.create_namespace()
    names = {"team-a": team, "ecr-pull-secret": installation.secret_name}
    tool = tool_in(installation, team, CronJob, "regcred")
    await tool.create(_old(tool, kind))
    tool.active = False
    old = await tool.current()
    accounts = f"/api/v1/namespaces/{team}/serviceaccounts"
    account = {"metadata": {"name": "default"}, "imagePullSecrets": [{"name": "regcred"}]}
    if (await installation.api.post(accounts, account)).status == 409:
        (await installation.api.merge(f"{accounts}/default", account)).ok()
    steps = recipe("A new name beside the old one", names)
    assert steps[-1].words == ("kubectl", "delete", "secret", "regcred", "-n", team)
    kubectl = Kubectl(installation.api)
    async with installation.recording() as recorder:
        await follow(kubectl, steps[:-1], tool)
        named = (await installation.api.get(f"{accounts}/default")).ok()["imagePullSecrets"]
        assert named == [{"name": "regcred"}, {"name": installation.secret_name}]
        assert await tool.current() == old
        await follow(kubectl, steps[-1:], tool)
        assert await tool.current() is None
        await rotated(recorder, team)
        assert_no_gap(installation, recorder.of(team))


async def test_backing_out_hands_the_secret_back(installation: Installation) -> None:
    """The Secret stays, with a living token, and the tool that wrote it before writes it again."""
    await installation.start()
    team = await installation.create_namespace()
    tool = tool_in(installation, team, CronJob)
    names, kubectl = names_of(installation, team), Kubectl(installation.api)
    async with installation.recording() as recorder:
        await tool.renew()
        await follow(kubectl, recipe("From a cron job", names), tool)
        await follow(kubectl, recipe("Back out", names), tool)
        assert tool.active
        await tool.renew()
        versions = recorder.of(team)
        assert_no_gap(installation, versions)
        held = await installation.secret(team)
    assert held is not None
    assert LABEL not in held["metadata"].get("labels", {})
    assert held["metadata"]["uid"] == versions[0].uid
    # The tool's own way leaves the token in an annotation; the search for leaks at the end is about ours.
    (await installation.api.delete(tool.path)).ok()


async def test_label_before_the_annotation_deletes_nothing(installation: Installation) -> None:
    """A Secret that is handed over where nobody has opted in stays as it is, and is taken over once somebody does."""
    await installation.start()
    team, other = await installation.create_namespace(), await installation.create_namespace(enabled="true")
    tool = tool_in(installation, team, LoginRenew)
    async with installation.recording() as recorder:
        await tool.renew()
        (await installation.api.merge(tool.path, {"metadata": {"labels": {LABEL: "pullkeeper"}}})).ok()
        await installation.event(other, "PullSecretCreated")
        await installation.annotate(team, enabled="false")
        await installation.annotate(other, refresh_requested_at="1")
        await recorder.wait(
            other, lambda version: version.annotations.get("pullkeeper.dev/refresh-requested-at") == "1"
        )
        assert [version.kind for version in recorder.of(team)] == ["ADDED", "MODIFIED"]
        await installation.annotate(team, enabled="true")
        adopted = await recorder.wait(team, lambda version: list(auths(version.secret)) == [IRELAND])
        assert_no_gap(installation, recorder.of(team))
        await installation.annotate(team, enabled="false")
        await recorder.wait(team, lambda version: version.kind == "DELETED")
    assert adopted.uid == recorder.of(team)[0].uid


async def test_entry_that_cannot_be_renewed_is_kept_from_the_other_tool(installation: Installation) -> None:
    """Taken over while AWS denies one region: the entry that the other tool wrote for it stays, under its host."""
    installation.aws.deny(operation="GetAuthorizationToken", region="us-east-1")
    await installation.start()
    team = await installation.create_namespace(registries=f"{IRELAND},{VIRGINIA}")
    old = base64.b64encode(b"AWS:of-the-other-tool").decode()
    tool = tool_in(installation, team, LoginRenew)
    await tool.create(tool.secret(f"https://{VIRGINIA}", {"auth": old}))
    async with installation.recording() as recorder:
        (await installation.api.merge(tool.path, {"metadata": {"labels": {LABEL: "pullkeeper"}}})).ok()
        await installation.annotate(team, enabled="true")
        adopted = await recorder.wait(team, lambda version: IRELAND in auths(version.secret))
    assert auths(adopted.secret)[VIRGINIA] == old


def _old(tool: CompetingTool, kind: str) -> dict[str, Any]:
    """Give a Secret of the other tool's, of either type."""
    body = tool.secret("registry.example", {"auth": "dXNlcjpwYXNzd29yZA=="})
    return body if kind == body["type"] else {**body, "type": kind, "data": {".dockercfg": "e30="}}
