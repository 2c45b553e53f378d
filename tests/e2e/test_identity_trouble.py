"""Identities that cannot be used: each is said in its own words, got over without a restart, and nobody else waits."""

import json
from typing import Any

import pytest

from testsupport.fake_aws import ACCOUNT
from testsupport.installation import IRELAND, ROLE, VIRGINIA, Installation, auths
from testsupport.principals import BLUE, EXTERNAL_ID, OWN, blue, own_account, policy, principals, there

ACCOUNTS: dict[str, tuple[dict[str, str] | None, str]] = {
    "missing": (None, "the ServiceAccount does not exist: create it"),
    "without a role": ({"note": "none"}, "it has no role: annotate it with eks.amazonaws.com/role-arn"),
    "malformed role": ({"eks.amazonaws.com/role-arn": "admin"}, "its annotation eks.amazonaws.com/role-arn is not"),
    "refused audience": (
        {"eks.amazonaws.com/role-arn": OWN, "eks.amazonaws.com/audience": "somebody-else"},
        "STS refused AssumeRoleWithWebIdentity",
    ),
}


@pytest.mark.parametrize("account", ACCOUNTS)
async def test_service_account_that_cannot_be_used_says_what_is_missing(
    installation: Installation, account: str
) -> None:
    """Each way in which a ServiceAccount is no identity has its words, and no other namespace waits."""
    annotations, words = ACCOUNTS[account]
    await installation.start({"serviceAccountIdentity": {"namespaces": ["*"]}})
    team = await installation.create_namespace()
    await installation.allow_service_accounts("puller")
    if annotations is not None:
        await own_account(installation, team, **annotations)
    await installation.annotate(team, enabled="true", service_account_name="puller")
    other = await installation.create_namespace(enabled="true")
    event = await installation.event(team, "TokenFetchFailed")
    assert words in event["note"]
    await installation.event(other, "PullSecretCreated")


async def test_service_account_needs_rights_that_are_not_there_by_default(installation: Installation) -> None:
    """Without its RBAC the feature says which right is missing."""
    await installation.start({"serviceAccountIdentity": {"namespaces": ["*"]}})
    team = await installation.create_namespace(enabled="true", service_account_name="default")
    event = await installation.event(team, "TokenFetchFailed")
    assert "grant the controller get on serviceaccounts there" in event["note"]


TROUBLES: dict[str, tuple[Any, str, str]] = {
    "wrong external id": (
        lambda aws: aws.allow_role(BLUE, trusted_principals=ROLE, external_id="another"),
        "AccessDenied",
        f"{ROLE}, assuming {BLUE},",
    ),
    "no trust": (lambda aws: aws.allow_role(BLUE), "AccessDenied", "trust policy must allow sts:AssumeRole"),
    "no permission": (
        lambda aws: aws.allow_role(BLUE, trusted_principals=ROLE, external_id=EXTERNAL_ID, ecr=False),
        "AccessDenied",
        f"ECR refused GetAuthorizationToken for {BLUE}",
    ),
    "deleted": (lambda aws: aws.remove(BLUE), "AccessDenied", f"assuming {BLUE}"),
    "sts throttled": (
        lambda aws: aws.throttle(operation="AssumeRole", code="Throttling"),
        "TokenFetchFailed",
        "too many requests",
    ),
}


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_role_that_cannot_be_assumed_is_reported_and_got_over(installation: Installation, trouble: str) -> None:
    """Each trouble with a role names who was refused what; mended, the namespace is served, and nobody else waits."""
    play, reason, words = TROUBLES[trouble]
    grant = blue(installation)
    play(installation.aws)
    await installation.start(policy(grant))
    async with installation.recording() as recorder:
        team = await installation.create_namespace("blue", enabled="true", role_arn=BLUE)
        other = await installation.create_namespace(enabled="true")
        event = await installation.event(team, reason)
        assert words in event["note"]
        await recorder.wait(other, there)
        installation.aws.clear_faults()
        blue(installation)
        await installation.annotate(team, refresh_requested_at="mended")
        written = await recorder.wait(team, there)
    assert principals(installation, written.secret) == {BLUE}


async def test_role_that_is_deleted_while_in_use_and_comes_back(installation: Installation) -> None:
    """While the role is away the Secret stays as it is; when it is back, its tokens are fetched again."""
    await installation.start(policy(blue(installation)))
    async with installation.recording() as recorder:
        team = await installation.create_namespace("blue", enabled="true", role_arn=BLUE)
        first = await recorder.wait(team, there)
        installation.aws.remove(BLUE)
        await installation.annotate(team, refresh_requested_at="1")
        await installation.event(team, "AccessDenied")
        assert recorder.of(team) == [first]
        blue(installation)
        await installation.annotate(team, refresh_requested_at="2")
        again = await recorder.wait(team, lambda version: auths(version.secret) != auths(first.secret))
    assert principals(installation, again.secret) == {BLUE}


async def test_region_that_is_not_enabled_is_said(installation: Installation) -> None:
    """AWS calls the credentials unknown in a region that the account has not enabled; the words say so."""
    await installation.start()
    installation.aws.disable_region("us-east-1")
    async with installation.recording() as recorder:
        team = await installation.create_namespace(enabled="true", registries=f"{IRELAND},{VIRGINIA}")
        assert list(auths((await recorder.wait(team, there)).secret)) == [IRELAND]
        event = await installation.event(team, "TokenFetchFailed")
        assert "whether the region is enabled for the account" in event["note"]


async def test_empty_token_file_is_said_and_got_over(installation: Installation) -> None:
    """A projected token that is empty is named; when it is written, it is well without a restart."""
    projected = installation.folder / "aws-token"
    text = projected.read_text()
    projected.write_text("")
    await installation.start()
    team = await installation.create_namespace(enabled="true")
    assert "the projected token is not empty" in (await installation.event(team, "TokenFetchFailed"))["note"]
    projected.write_text(text)
    await installation.annotate(team, refresh_requested_at="mended")
    await installation.event(team, "PullSecretCreated")


async def test_token_file_that_is_rotated_under_our_feet_is_read_anew(installation: Installation) -> None:
    """The projected token is replaced and the credentials die: the new file is read, and nobody notices."""
    process = await installation.start()
    async with installation.recording() as recorder:
        team = await installation.create_namespace(enabled="true")
        first = await recorder.wait(team, there)
        await installation.renew_web_identity()
        installation.aws.expire_credentials()
        await installation.annotate(team, refresh_requested_at="1")
        await recorder.wait(team, lambda version: version.expires_at > first.expires_at)
        assert await process.metric("pullkeeper_token_request_errors_total") == 0


async def test_controller_says_who_it_is(installation: Installation) -> None:
    """The log names the way of the credentials at the start and the caller with the first token, and no key."""
    process = await installation.start()
    team = await installation.create_namespace(enabled="true")
    await installation.event(team, "PullSecretCreated")
    messages = [line["message"] for line in process.lines()]
    assert f"AWS credentials: assume-role-with-web-identity, as {ROLE}" in messages
    caller = f"AWS caller: arn:aws:sts::{ACCOUNT}:assumed-role/pullkeeper/"
    assert any(message.startswith(caller) for message in messages)


@pytest.mark.parametrize("source", ["shared profile", "credential_process"])
async def test_profiles_are_identities_outside_aws(installation: Installation, source: str) -> None:
    """A shared profile works, and so does a credential_process, which is how IAM Roles Anywhere is had."""
    keys = installation.aws.static_credentials
    config, printed = installation.folder / "aws-config", installation.folder / "keys.json"
    if source == "shared profile":
        lines = [f"aws_access_key_id = {keys.access_key_id}", f"aws_secret_access_key = {keys.secret_access_key}"]
    else:
        given = {"Version": 1, "AccessKeyId": keys.access_key_id, "SecretAccessKey": keys.secret_access_key}
        printed.write_text(json.dumps(given))
        lines = [f"credential_process = cat {printed}"]
    config.write_text("\n".join(["[profile pull]", *lines]))
    bare = {key: value for key, value in installation.irsa().items() if not key.startswith(("AWS_ROLE", "AWS_WEB"))}
    await installation.start(environment={**bare, "AWS_CONFIG_FILE": str(config), "AWS_PROFILE": "pull"})
    team = await installation.create_namespace(enabled="true")
    await installation.event(team, "PullSecretCreated")
