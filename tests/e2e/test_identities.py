"""Who fetches: each namespace as itself, within what the installation allows."""

import asyncio

import pytest
import yaml

from testsupport.fake_aws import ACCOUNT, principal_hash
from testsupport.installation import FAST_ROTATION, IRELAND, ROLE, VIRGINIA, Installation, auths
from testsupport.principals import BLUE, EXTERNAL_ID, GREEN, OWN, blue, own_account, policy, principals, there
from testsupport.waiting import until


async def test_each_tenant_has_the_token_of_its_own_principal(installation: Installation) -> None:
    """Two tenants by roles, one by its own ServiceAccount, one by the controller: nobody holds another's token."""
    installation.aws.allow_role(GREEN, trusted_principals=ROLE)
    green = {"role": f"arn:aws:iam::{ACCOUNT}:role/team-*", "namespaceSelector": {"matchLabels": {"team": "green"}}}
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
            secret = (await recorder.wait(team, there)).secret
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
        first = await recorder.wait(thief, there)
        await installation.annotate(thief, role_arn=BLUE)
        await installation.event(thief, "RoleNotAllowed")
        begun = await recorder.wait(tenant, there)
        for team, held, role in ((thief, first, ROLE), (tenant, begun, BLUE)):
            rotated = await recorder.wait(team, lambda version, held=held: version.expires_at > held.expires_at)  # type: ignore[misc] # a default binds the loop's value
            assert principals(installation, rotated.secret) == {role}


async def test_changed_policy_is_in_force_without_a_restart(installation: Installation) -> None:
    """A grant that is added counts at once; a broken file keeps the old policy and says so."""
    process = await installation.start(policy())
    installation.aws.allow_role(BLUE, trusted_principals=ROLE, external_id=EXTERNAL_ID)
    team = await installation.create_namespace("blue", enabled="true", role_arn=BLUE)
    await installation.event(team, "RoleNotAllowed")
    good = yaml.safe_load(process.config.read_text())
    process.config.write_text(yaml.safe_dump({**good, "roles": "nonsense"}))

    async def said() -> bool:
        return "settings not reloaded, the previous ones stay in force: roles: found" in process.text()

    await until(said, "the broken policy to be reported")
    assert await process.metric("pullkeeper_config_last_reload_successful") == 0
    async with installation.recording() as recorder:
        process.config.write_text(yaml.safe_dump({**good, "roles": [blue(installation)]}))
        written = await recorder.wait(team, there)
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
        assert list(auths((await recorder.wait(inside, there)).secret)) == [IRELAND]
        assert list(auths((await recorder.wait(own, there)).secret)) == [VIRGINIA]
        await installation.processes[-1].stop()
        await installation.start({"optIn": {"namespaceSelector": selector, "namespaces": [f"in{unique}-*"]}})
        labelled = await installation.create_namespace(f"in{unique}")
        await installation.label(labelled, tier="b")
        await recorder.wait(labelled, there)
        await recorder.wait(inside, lambda version: version.kind == "DELETED")
        assert recorder.of(refused) == recorder.of(outside) == []


async def test_controllers_own_identity_can_be_kept_from_namespaces(installation: Installation) -> None:
    """Where the installation says who may use the controller's identity, others get RoleNotAllowed."""
    grant = {"namespaces": ["infra-*"], "registries": ["*.eu-west-1.amazonaws.com"]}
    await installation.start({"controllerIdentity": grant})
    infra = await installation.create_namespace("infra", enabled="true")
    await installation.event(infra, "PullSecretCreated")
    team = await installation.create_namespace(enabled="true")
    assert "under `controllerIdentity`" in (await installation.event(team, "RoleNotAllowed"))["note"]
    far = await installation.create_namespace("infra", enabled="true", registries=VIRGINIA)
    assert f"for {VIRGINIA}" in (await installation.event(far, "RoleNotAllowed"))["note"]


async def test_changed_identity_replaces_every_token_or_none(installation: Installation) -> None:
    """A namespace that moves to a role keeps its tokens until the role's are had, then has them alone."""
    settings = policy(blue(installation))
    await installation.start(settings)
    async with installation.recording() as recorder:
        team = await installation.create_namespace("blue", enabled="true", registries=f"{IRELAND},{VIRGINIA}")
        await recorder.wait(team, there)
        fault = installation.aws.deny(operation="GetAuthorizationToken", region="us-east-1")
        await installation.annotate(team, role_arn=BLUE)
        await installation.event(team, "AccessDenied")
        assert len(recorder.of(team)) == 1
        fault.clear()
        await installation.annotate(team, refresh_requested_at="mended")
        moved = await recorder.wait(team, lambda version: principals(installation, version.secret) == {BLUE})
    assert set(auths(moved.secret)) == {IRELAND, VIRGINIA}


async def test_public_registry_has_a_token_of_its_own(installation: Installation) -> None:
    """`public.ecr.aws` is served beside private registries, from the API of its own in us-east-1."""
    await installation.start()
    async with installation.recording() as recorder:
        team = await installation.create_namespace(enabled="true", registries=f"public.ecr.aws,{VIRGINIA}")
        held = auths((await recorder.wait(team, there)).secret)
    public = {token.authorization_token for token in installation.aws.tokens if token.public}
    assert held["public.ecr.aws"] in public
    assert held[VIRGINIA] not in public


async def test_many_namespaces_of_a_role_share_its_tokens(installation: Installation) -> None:
    """One AssumeRole and one token serve all namespaces of a role."""
    await installation.start(policy(blue(installation)))
    async with installation.recording() as recorder:
        teams = [await installation.create_namespace("blue", enabled="true", role_arn=BLUE) for _ in range(10)]
        await asyncio.gather(*(recorder.wait(team, there) for team in teams))
    assert installation.aws.count("AssumeRole") == 1
    assert installation.aws.count("GetAuthorizationToken") == 1
