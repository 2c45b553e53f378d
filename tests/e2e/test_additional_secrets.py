"""Secrets of other shapes beside the pull Secret: the same token, and the same guarantees."""

import base64
import json
from itertools import pairwise
from typing import Any

import pytest

from testsupport import additional_secrets
from testsupport.additional_entries import ARGOCD, BASIC, SETTINGS
from testsupport.additional_secrets import decoded, login_of, path, read, wait_for
from testsupport.command_line import kubeconfig, pod_environment, pullkeeper, settings_file
from testsupport.installation import FAST_ROTATION, IRELAND, SHORT_LIFE, VIRGINIA, Installation, auths
from testsupport.refusals import Refuser
from testsupport.secret_recorder import SecretRecorder
from testsupport.waiting import until

pytestmark = pytest.mark.slow


@pytest.fixture
async def installed(installation: Installation) -> Installation:
    """Install it with the rights for the additional Secrets."""
    await installation.allow_secrets(ARGOCD, BASIC)
    return installation


async def test_they_follow_the_pull_secret(installed: Installation) -> None:
    """There with it, with its token and no further call to AWS, put right like it, and gone with it."""
    await installed.start(SETTINGS)
    team, other = (
        await installed.create_namespace(enabled="true"),
        await installed.create_namespace("shop", enabled="true"),
    )
    argocd, basic = await wait_for(installed, team, ARGOCD), await wait_for(installed, team, BASIC)
    pull_secret = await installed.secret(team)
    assert pull_secret is not None
    user, password = login_of(auths(pull_secret)[IRELAND])
    assert decoded(basic) == {"username": user, "password": password}
    assert basic["type"] == "kubernetes.io/basic-auth"
    expected = {"type": "helm", "enableOCI": "true", "url": f"{IRELAND}/", "username": "AWS", "password": password}
    assert decoded(argocd) == expected
    assert argocd["metadata"]["labels"]["argocd.argoproj.io/secret-type"] == "repo-creds"
    assert installed.aws.count("GetAuthorizationToken") == 1

    # What somebody changes or deletes is put right, from the token that is known.
    edit = {"data": {"url": base64.b64encode(b"evil.example").decode()}}
    (await installed.api.merge(path(team, ARGOCD), edit)).ok()

    async def is_put_right() -> bool:
        found = await read(installed, team, ARGOCD)
        return found is not None and decoded(found) == expected

    await until(is_put_right, "the edit to be undone")
    (await installed.api.delete(path(team, BASIC))).ok()
    assert (await wait_for(installed, team, BASIC))["data"] == basic["data"]
    assert installed.aws.count("GetAuthorizationToken") == 1

    # A namespace that is not selected has none; one that does not use the registry any more has none, either.
    await installed.event(other, "PullSecretCreated")
    assert await read(installed, other, ARGOCD) is None
    await installed.annotate(team, registries=VIRGINIA)
    await additional_secrets.wait_until_gone(installed, team, ARGOCD)
    await installed.annotate(team, registries=None)
    await wait_for(installed, team, ARGOCD)

    await installed.annotate(team, enabled="false")
    for name in (ARGOCD, BASIC):
        await additional_secrets.wait_until_gone(installed, team, name)
    assert await installed.secret(team) is None


async def test_a_strangers_secret_is_left_alone_and_holds_nobody_up(installed: Installation) -> None:
    """It is reported by its name, the others are written, and it is taken up as soon as it is free."""
    process = await installed.start(SETTINGS)
    team = await installed.create_namespace()
    foreign = {"metadata": {"name": ARGOCD}, "stringData": {"url": "https://git.example"}}
    (await installed.api.post(f"/api/v1/namespaces/{team}/secrets", foreign)).ok()
    kept = await read(installed, team, ARGOCD)
    await installed.annotate(team, enabled="true")
    event = await installed.event(team, "SecretConflict")
    assert f"a Secret with the name {ARGOCD} (`additionalSecrets` in the settings) exists" in event["note"]
    await wait_for(installed, team, BASIC)
    assert await installed.secret(team) is not None
    assert await process.metric("pullkeeper_namespaces", state="conflict") == 1
    assert await read(installed, team, ARGOCD) == kept
    (await installed.api.delete(path(team, ARGOCD))).ok()
    found = await wait_for(installed, team, ARGOCD)
    assert found["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "pullkeeper"


@pytest.mark.usefixtures("short_lived")
async def test_they_rotate_in_place_with_the_tokens_of_the_pull_secret(installed: Installation) -> None:
    """Each version has a later token, the UID stays, and AWS is asked no more often than for the pull Secret."""
    await installed.start({**SETTINGS, **FAST_ROTATION})
    async with SecretRecorder.open(installed.api, ARGOCD) as recorder:
        team = await installed.create_namespace(enabled="true")
        await recorder.wait(team, lambda _: len(recorder.of(team)) >= 3)
        versions = recorder.of(team)
        calls = installed.aws.count("GetAuthorizationToken")
    assert {version.uid for version in versions} == {versions[0].uid}
    for held, follower in pairwise(versions):
        assert follower.expires_at > held.expires_at
        assert follower.seen_at < held.expires_at
    # One that was just fetched may not be written yet.
    assert calls <= len(recorder.of(team)) + 1


@pytest.mark.usefixtures("short_lived")
async def test_one_that_is_refused_delays_no_other(installed: Installation) -> None:
    """The pull Secret and the other one go on rotating in time while a policy refuses it again and again."""
    await installed.start({**SETTINGS, **FAST_ROTATION})
    team = await installed.create_namespace()
    refuser = Refuser(server=installed.server, api=installed.api, namespace=team)
    async with (
        SecretRecorder.open(installed.api, installed.secret_name) as pull_secrets,
        SecretRecorder.open(installed.api, BASIC) as others,
    ):
        async with refuser.policy(f"no-argocd-{team}", "no repositories here", only=ARGOCD):
            await installed.annotate(team, enabled="true")
            event = await installed.event(team, "AdmissionRefused")
            assert "no repositories here" in event["note"]
            await pull_secrets.wait(team, lambda _: len(pull_secrets.of(team)) >= 3)
            await others.wait(team, lambda _: len(others.of(team)) >= 3)
            assert await read(installed, team, ARGOCD) is None
        await installed.annotate(team, refresh_requested_at="now")
        await wait_for(installed, team, ARGOCD)
    for recorder in (pull_secrets, others):
        for held, follower in pairwise(recorder.of(team)):
            assert follower.seen_at < held.expires_at - SHORT_LIFE / 2


async def test_leaving_the_settings_deletes_them_after_the_grace(installed: Installation) -> None:
    """An entry that selects nobody any more gives its Secrets up; the pull Secret and the other entry stay."""
    process = await installed.start(SETTINGS)
    team = await installed.create_namespace(enabled="true")
    await wait_for(installed, team, ARGOCD)
    basic = await wait_for(installed, team, BASIC)
    await process.stop()
    leaving: dict[str, Any] = {**SETTINGS["additionalSecrets"][0], "namespaces": []}
    settings = {"additionalSecrets": [leaving, SETTINGS["additionalSecrets"][1]], "optOutGrace": "1s"}
    await installed.start(settings)
    await additional_secrets.wait_until_gone(installed, team, ARGOCD)
    assert await read(installed, team, BASIC) == basic
    assert await installed.secret(team) is not None

    # The Job of an uninstall has the same settings, and takes the others as well.
    await installed.processes[-1].stop()
    config = settings_file(installed, **SETTINGS)
    ended = await pullkeeper(installed, "cleanup", "--config", config, environment=pod_environment(installed, aws={}))
    assert ended.status == 0, ended.err
    deleted = {installed.secret_name: 1, ARGOCD: 0, BASIC: 1}
    plurals = {name: "" if number == 1 else "s" for name, number in deleted.items()}
    lines = [f"{number} pull Secret{plurals[name]} named {name} deleted" for name, number in deleted.items()]
    assert ended.out.splitlines() == lines
    assert await read(installed, team, BASIC) is None


async def test_without_the_right_to_a_name_the_pull_secret_is_served(installation: Installation) -> None:
    """What is missing is said by /readyz; nothing else waits for it."""
    await installation.allow_secrets(BASIC)
    process = await installation.start(SETTINGS, ready=False)
    team = await installation.create_namespace(enabled="true")
    await wait_for(installation, team, BASIC)
    assert await installation.secret(team) is not None
    assert await read(installation, team, ARGOCD) is None
    status, text = await process.probe("/readyz")
    assert (status, "listing Secrets" in text) == (503, True)


async def test_render_and_status_show_them(installed: Installation) -> None:
    """As they are then written, but for the password; and each with its state, and what is wrong with it."""
    await installed.start(SETTINGS)
    team = await installed.create_namespace()
    foreign = {"metadata": {"name": ARGOCD}, "stringData": {"url": "https://git.example"}}
    (await installed.api.post(f"/api/v1/namespaces/{team}/secrets", foreign)).ok()
    await installed.annotate(team, enabled="true")
    basic = await wait_for(installed, team, BASIC)
    environment = {"KUBECONFIG": kubeconfig(installed, "")}

    async def shown(*command: str, given: str = "") -> tuple[int, dict[str, Any]]:
        options = ("--config", settings_file(installed, **SETTINGS), "-o", "json")
        ended = await pullkeeper(installed, *command, *options, environment=environment, given=given)
        assert ended.err == ""
        (found,) = json.loads(ended.out)["namespaces"]
        return ended.status, found

    metadata = {"name": team, "annotations": {"pullkeeper.dev/enabled": "true"}}
    manifest = json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    _, rendered = await shown("render", "-f", "-", given=manifest)
    secrets = {each["metadata"]["name"]: each for each in rendered["additionalSecrets"]}
    assert list(secrets) == [ARGOCD, BASIC]
    assert secrets[BASIC]["data"] == {"username": "base64 of AWS", "password": "base64 of ***"}
    assert secrets[BASIC]["data"].keys() == basic["data"].keys()
    assert secrets[BASIC]["type"] == basic["type"]
    assert secrets[BASIC]["metadata"]["labels"] == basic["metadata"]["labels"]
    shape = "pullkeeper.dev/shape"
    assert secrets[BASIC]["metadata"]["annotations"][shape] == basic["metadata"]["annotations"][shape]

    status, found = await shown("status", "--context", "here", "-n", team)
    assert (status, found["state"], found["unhealthy"]) == (1, "ready", True)
    states = {each["name"]: each["state"] for each in found["additionalSecrets"]}
    assert states == {ARGOCD: "conflict", BASIC: "ready"}
    (await installed.api.delete(path(team, ARGOCD))).ok()
    await wait_for(installed, team, ARGOCD)
    status, found = await shown("status", "--context", "here", "-n", team)
    assert (status, found["problems"], [each["state"] for each in found["additionalSecrets"]]) == (0, [], ["ready"] * 2)
