"""Each namespace fetches tokens as the identity it names, within what the installation allows."""

import asyncio
import json
from typing import Any

import pytest

from testsupport.fake_aws import ACCOUNT, principal_hash
from testsupport.installation import FAST_ROTATION, IRELAND, ROLE, VIRGINIA, Installation, auths
from testsupport.tenant_identities import (
    BLUE,
    EXTERNAL_ID,
    GREEN,
    OWN,
    blue,
    issued_to,
    own_account,
    policy,
    principals,
)

pytestmark = pytest.mark.slow

OTHER_ACCOUNT = "210987654321.dkr.ecr.eu-west-1.amazonaws.com"


async def test_each_tenant_has_the_token_of_its_own_principal(installation: Installation) -> None:
    """Two tenants by roles, one by its own ServiceAccount, one by the controller: nobody holds another's token."""
    installation.aws.allow_role(GREEN, trusted_principals=ROLE)
    green = {"role": GREEN, "namespaceSelector": {"matchLabels": {"team": "green"}}}
    settings = policy(blue(installation), green, serviceAccountIdentity={"namespaces": ["own-*"]})
    await installation.start(settings)
    green_team = await installation.create_namespace("green", enabled="true", role_arn=GREEN)
    await installation.label(green_team, team="green")
    own = await installation.create_namespace("own")
    await own_account(installation, own)
    async with installation.recording() as recorder:
        await installation.annotate(own, enabled="true", service_account_name="puller")
        teams = {
            BLUE: await installation.create_namespace("blue", enabled="true", role_arn=BLUE),
            GREEN: green_team,
            ROLE: await installation.create_namespace("plain", enabled="true"),
            OWN: own,
        }
        for role, team in teams.items():
            secret = (await recorder.created(team)).secret
            assert principals(installation, secret) == {role}
    assert len({principal_hash(role) for role in teams}) == 4


async def test_role_is_not_allowed_by_default(installation: Installation) -> None:
    """Without a grant a namespace gets RoleNotAllowed, no Secret, and nobody asks STS for anything."""
    installation.aws.allow_role(BLUE, trusted_principals=ROLE)
    await installation.start()
    team = await installation.create_namespace(enabled="true", role_arn=BLUE)
    event = await installation.event(team, "RoleNotAllowed")
    assert f"does not let this namespace use the role {BLUE}" in event["note"]
    assert "under `roles`" in event["note"]
    assert installation.aws.count("AssumeRole") == 0


@pytest.mark.usefixtures("short_lived")
async def test_tenant_without_permission_keeps_what_it_has_while_others_rotate(installation: Installation) -> None:
    """Asking for a role that is another's changes nothing: the Secret goes on as the identity that it may use."""
    await installation.start({**policy(blue(installation)), **FAST_ROTATION})
    async with installation.recording() as recorder:
        tenant = await installation.create_namespace("blue", enabled="true", role_arn=BLUE)
        thief = await installation.create_namespace("thief", enabled="true")
        first = await recorder.created(thief)
        await installation.annotate(thief, role_arn=BLUE)
        await installation.event(thief, "RoleNotAllowed")
        begun = await recorder.created(tenant)
        for team, held, role in ((thief, first, ROLE), (tenant, begun, BLUE)):
            rotated = await recorder.wait(team, lambda version, held=held: version.expires_at > held.expires_at)  # type: ignore[misc] # a default binds the loop's value
            assert principals(installation, rotated.secret) == {role}


async def test_changed_policy_is_in_force_without_a_restart(installation: Installation) -> None:
    """A grant that is added counts at once; a broken file keeps the old policy and says so."""
    process = await installation.start(policy())
    installation.aws.allow_role(BLUE, trusted_principals=ROLE, external_id=EXTERNAL_ID)
    team = await installation.create_namespace("blue", enabled="true", role_arn=BLUE)
    await installation.event(team, "RoleNotAllowed")
    process.change_settings(roles="nonsense")
    await process.until_logged("settings not reloaded, the previous ones stay in force: roles: found")
    assert await process.metric("pullkeeper_config_last_reload_successful") == 0
    async with installation.recording() as recorder:
        process.change_settings(roles=[blue(installation)])
        written = await recorder.created(team)
    assert principals(installation, written.secret) == {BLUE}
    assert await process.metric("pullkeeper_config_last_reload_successful") == 1


async def test_installation_opts_namespaces_in(installation: Installation) -> None:
    """By name pattern or label, with exclusions; a namespace's own "false" wins, and its own registries count."""
    selector = {"matchExpressions": [{"key": "tier", "operator": "In", "values": ["a", "b"]}]}
    unique = installation.secret_name[-4:]
    opt_in = {"namespaces": [f"in{unique}-*", f"out{unique}-*"], "exclude": [f"out{unique}-*"]}
    await installation.start({"optIn": opt_in})
    async with installation.recording() as recorder:
        inside = await installation.create_namespace(f"in{unique}")
        refused = await installation.create_namespace(f"in{unique}", enabled="false")
        outside = await installation.create_namespace(f"out{unique}")
        own = await installation.create_namespace(f"in{unique}", registries=VIRGINIA)
        assert list(auths((await recorder.created(inside)).secret)) == [IRELAND]
        assert list(auths((await recorder.created(own)).secret)) == [VIRGINIA]
        await installation.processes[-1].stop()
        changed = {"namespaceSelector": selector, "namespaces": [f"in{unique}-*"]}
        await installation.start({"optIn": changed, "optOutGrace": "0s"})
        labelled = await installation.create_namespace(f"in{unique}")
        await installation.label(labelled, tier="b")
        await recorder.created(labelled)
        await recorder.wait(inside, lambda version: version.kind == "DELETED")
        assert recorder.of(refused) == recorder.of(outside) == []


async def test_controllers_own_identity_can_be_kept_from_namespaces(installation: Installation) -> None:
    """Where the installation says who may use the controller's identity, others get RoleNotAllowed."""
    grant = {"namespaces": ["infra-*"], "registries": ["*.eu-west-1.amazonaws.com"]}
    await installation.start({"controllerIdentity": grant})
    await installation.create_served_namespace("infra")
    team = await installation.create_namespace(enabled="true")
    assert "under `controllerIdentity`" in (await installation.event(team, "RoleNotAllowed"))["note"]
    far = await installation.create_namespace("infra", enabled="true", registries=VIRGINIA)
    assert f"for {VIRGINIA}" in (await installation.event(far, "RoleNotAllowed"))["note"]


async def test_changed_identity_is_taken_over_registry_by_registry(installation: Installation) -> None:
    """A registry keeps its token until there is one of the role that the namespace has moved to, and says so."""
    settings = policy(blue(installation))
    await installation.start(settings)
    async with installation.recording() as recorder:
        team = await installation.create_namespace("blue", enabled="true", registries=f"{IRELAND},{VIRGINIA}")
        await recorder.created(team)
        fault = installation.aws.deny(operation="GetAuthorizationToken", region="us-east-1")
        await installation.annotate(team, role_arn=BLUE)
        half = await recorder.wait(team, lambda version: BLUE in principals(installation, version.secret))
        assert issued_to(installation, auths(half.secret)) == {IRELAND: BLUE, VIRGINIA: ROLE}
        assert json.loads(half.annotations["pullkeeper.dev/identity"]) == {BLUE: [IRELAND], "controller": [VIRGINIA]}
        fault.clear()
        await installation.annotate(team, refresh_requested_at="mended")
        moved = await recorder.wait(team, lambda version: principals(installation, version.secret) == {BLUE})
    assert set(auths(moved.secret)) == {IRELAND, VIRGINIA}


async def test_public_registry_has_a_token_of_its_own(installation: Installation) -> None:
    """`public.ecr.aws` is served beside private registries, from the API of its own in us-east-1."""
    await installation.start()
    async with installation.recording() as recorder:
        team = await installation.create_namespace(enabled="true", registries=f"public.ecr.aws,{VIRGINIA}")
        held = auths((await recorder.created(team)).secret)
    public = {token.authorization_token for token in installation.aws.tokens if token.public}
    assert held["public.ecr.aws"] in public
    assert held[VIRGINIA] not in public


async def test_many_namespaces_of_a_role_share_its_tokens(installation: Installation) -> None:
    """One AssumeRole and one token serve all namespaces of a role."""
    await installation.start(policy(blue(installation)))
    async with installation.recording() as recorder:
        teams = [await installation.create_namespace("blue", enabled="true", role_arn=BLUE) for _ in range(10)]
        await asyncio.gather(*(recorder.created(team) for team in teams))
    assert installation.aws.count("AssumeRole") == 1
    assert installation.aws.count("GetAuthorizationToken") == 1


# Identities that cannot be used: each failure is reported in its own words, and no other namespace waits.

ACCOUNTS: dict[str, tuple[dict[str, str] | None, str]] = {
    "missing": (None, "the ServiceAccount does not exist: create it"),
    "without a role": ({"note": "none"}, "it has no role: annotate it with eks.amazonaws.com/role-arn"),
    "malformed role": ({"eks.amazonaws.com/role-arn": "admin"}, "its annotation eks.amazonaws.com/role-arn is not"),
    "refused audience": (
        {"eks.amazonaws.com/role-arn": OWN, "eks.amazonaws.com/audience": "somebody-else"},
        "STS at sts.eu-west-1.amazonaws.com refused AssumeRoleWithWebIdentity",
    ),
}


@pytest.mark.parametrize("account", ACCOUNTS)
async def test_service_account_that_cannot_be_used_says_what_is_missing(
    installation: Installation, account: str
) -> None:
    """Each way in which a ServiceAccount is no identity has its words, and no other namespace waits."""
    annotations, words = ACCOUNTS[account]
    audiences = ["sts.amazonaws.com", "somebody-else"]
    await installation.start({"serviceAccountIdentity": {"namespaces": ["*"], "audiences": audiences}})
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


FAULTS: dict[str, tuple[Any, str, str]] = {
    "wrong external id": (
        lambda aws: aws.allow_role(BLUE, trusted_principals=ROLE, external_id="another"),
        "AccessDenied",
        f"{ROLE}, assuming {BLUE} (AccessDenied)",
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


@pytest.mark.parametrize("fault", FAULTS)
async def test_role_that_cannot_be_assumed_is_reported_and_recovered_from(
    installation: Installation, fault: str
) -> None:
    """Each fault of a role names who was refused what; mended, the namespace is served, and nobody else waits."""
    play, reason, words = FAULTS[fault]
    grant = blue(installation)
    play(installation.aws)
    await installation.start(policy(grant))
    async with installation.recording() as recorder:
        team = await installation.create_namespace("blue", enabled="true", role_arn=BLUE)
        other = await installation.create_namespace(enabled="true")
        event = await installation.event(team, reason)
        assert words in event["note"]
        await recorder.created(other)
        installation.aws.clear_faults()
        blue(installation)
        await installation.annotate(team, refresh_requested_at="mended")
        written = await recorder.created(team)
    assert principals(installation, written.secret) == {BLUE}


async def test_role_that_is_deleted_while_in_use_and_comes_back(installation: Installation) -> None:
    """While the role is away the Secret stays as it is; when it is back, its tokens are fetched again."""
    await installation.start(policy(blue(installation)))
    async with installation.recording() as recorder:
        team = await installation.create_namespace("blue", enabled="true", role_arn=BLUE)
        first = await recorder.created(team)
        installation.aws.remove(BLUE)
        await installation.annotate(team, refresh_requested_at="1")
        await installation.event(team, "AccessDenied")
        assert recorder.of(team) == [first]
        blue(installation)
        await installation.annotate(team, refresh_requested_at="2")
        again = await recorder.wait(team, lambda version: auths(version.secret) != auths(first.secret))
    assert principals(installation, again.secret) == {BLUE}


async def test_region_that_is_not_enabled_is_reported(installation: Installation) -> None:
    """AWS calls the credentials unknown in a region that the account has not enabled; the words say so."""
    await installation.start()
    installation.aws.disable_region("us-east-1")
    async with installation.recording() as recorder:
        team = await installation.create_namespace(enabled="true", registries=f"{IRELAND},{VIRGINIA}")
        assert list(auths((await recorder.created(team)).secret)) == [IRELAND]
        event = await installation.event(team, "TokenFetchFailed")
        assert "enable the region in account" in event["note"]


async def test_empty_token_file_is_reported_and_recovered_from(installation: Installation) -> None:
    """A projected token that is empty is named; when it is written, short retries notice with nobody's help."""
    projected = installation.folder / "aws-token"
    text = projected.read_text()
    projected.write_text("")
    await installation.start()
    team = await installation.create_namespace(enabled="true")
    assert "the projected token is not empty" in (await installation.event(team, "TokenFetchFailed"))["note"]
    projected.write_text(text)
    await installation.event(team, "PullSecretCreated")


async def test_rotated_token_file_is_read_again(installation: Installation) -> None:
    """The projected token is replaced and the credentials die: the new file is read, and nobody notices."""
    process = await installation.start()
    async with installation.recording() as recorder:
        team = await installation.create_namespace(enabled="true")
        first = await recorder.created(team)
        await installation.renew_web_identity()
        installation.aws.expire_credentials()
        await installation.annotate(team, refresh_requested_at="1")
        await recorder.wait(team, lambda version: version.expires_at > first.expires_at)
        assert await process.metric("pullkeeper_token_request_errors_total") == 0


async def test_controller_logs_its_identity(installation: Installation) -> None:
    """The log names the way of the credentials at the start and the caller with the first token, and no key."""
    process = await installation.start()
    await installation.create_served_namespace()
    await process.until_logged(f"AWS credentials: assume-role-with-web-identity, as {ROLE}")
    # STS is asked beside the first token, and nothing waits for its answer.
    await process.until_logged(f"AWS caller: arn:aws:sts::{ACCOUNT}:assumed-role/pullkeeper/")


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
        # Python is the one program that the image has, too.
        lines = [f"""credential_process = python3 -c "print(open('{printed}').read())\""""]
    config.write_text("\n".join(["[profile pull]", *lines]))
    bare = {key: value for key, value in installation.irsa().items() if not key.startswith(("AWS_ROLE", "AWS_WEB"))}
    await installation.start(environment={**bare, "AWS_CONFIG_FILE": str(config), "AWS_PROFILE": "pull"})
    await installation.create_served_namespace()


@pytest.mark.usefixtures("short_lived")
async def test_role_that_fails_leaves_the_registries_of_the_others_rotating(installation: Installation) -> None:
    """One pull Secret over two accounts, each with a role of its own: what is left of one is kept as it is."""
    for role in (BLUE, OWN):
        installation.aws.allow_role(role, trusted_principals=ROLE)
    grants = [{"role": role, "namespaces": ["*"], "registries": [f"{role[13:25]}.*"]} for role in (BLUE, OWN)]
    await installation.start({**policy(*grants), **FAST_ROTATION})
    async with installation.recording() as recorder:
        team = await installation.create_namespace(
            enabled="true", registries=f"{IRELAND}\n{OTHER_ACCOUNT}", role_arn=f"{BLUE}\n{OWN}"
        )
        await recorder.created(team)
        installation.aws.remove(OWN)
        await installation.event(team, "AccessDenied")
        secret = await installation.secret(team)
        assert secret is not None
        left = auths(secret)
        assert issued_to(installation, left) == {IRELAND: BLUE, OTHER_ACCOUNT: OWN}
        rotated = await recorder.wait(team, lambda version: auths(version.secret)[IRELAND] != left[IRELAND])
        assert issued_to(installation, auths(rotated.secret)) == {IRELAND: BLUE, OTHER_ACCOUNT: OWN}
        assert auths(rotated.secret)[OTHER_ACCOUNT] == left[OTHER_ACCOUNT]
    assert json.loads(rotated.annotations["pullkeeper.dev/identity"]) == {BLUE: [IRELAND], OWN: [OTHER_ACCOUNT]}


@pytest.mark.usefixtures("short_lived")
async def test_role_that_is_withdrawn_leaves_the_registries_of_the_others_rotating(installation: Installation) -> None:
    """Its own keep the last token that was fetched as it, through a restart too; nothing is asked for as it."""
    for role in (BLUE, OWN):
        installation.aws.allow_role(role, trusted_principals=ROLE)
    grants = [{"role": role, "namespaces": ["*"]} for role in (BLUE, OWN)]
    process = await installation.start({**policy(*grants), **FAST_ROTATION})
    async with installation.recording() as recorder:
        team = await installation.create_namespace(
            enabled="true", registries=f"{IRELAND}\n{OTHER_ACCOUNT}", role_arn=f"{BLUE}\n{OWN}"
        )
        await recorder.created(team)
        process.change_settings(roles=grants[:1])
        event = await installation.event(team, "RoleNotAllowed")
        assert OWN in event["note"]
        secret = await installation.secret(team)
        assert secret is not None
        left = auths(secret)
        rotated = await recorder.wait(team, lambda version: auths(version.secret)[IRELAND] != left[IRELAND])
        await process.stop()
        await installation.start({**policy(*grants[:1]), **FAST_ROTATION})
        before = auths(rotated.secret)
        again = await recorder.wait(
            team, lambda version: auths(version.secret)[IRELAND] not in (left[IRELAND], before[IRELAND])
        )
    assert issued_to(installation, auths(again.secret)) == {IRELAND: BLUE, OTHER_ACCOUNT: OWN}
    assert {auths(each.secret)[OTHER_ACCOUNT] for each in (rotated, again)} == {left[OTHER_ACCOUNT]}
