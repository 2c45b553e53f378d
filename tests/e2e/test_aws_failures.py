"""AWS refuses, hangs or sends garbage: one clear error, nothing lost, and recovery without a restart."""

from collections.abc import Callable
from typing import Any

import pytest

from testsupport.fake_aws import ACCOUNT, AwsFake, Garbage
from testsupport.installation import IRELAND, ROLE, VIRGINIA, Installation, auths

pytestmark = pytest.mark.slow

TOKEN = "GetAuthorizationToken"

FAULTS: dict[str, tuple[Callable[[AwsFake], Any], str, str, str]] = {
    "denied": (
        lambda aws: aws.deny(operation=TOKEN),
        "AccessDenied",
        "AccessDenied",
        'allow ecr:GetAuthorizationToken on "*"',
    ),
    "throttled": (lambda aws: aws.throttle(operation=TOKEN), "Throttled", "TokenFetchFailed", "too many requests"),
    "internal error": (
        lambda aws: aws.fail("ServerException", 500, operation=TOKEN),
        "ServiceError",
        "TokenFetchFailed",
        "ServerException",
    ),
    "reset": (lambda aws: aws.reset(operation=TOKEN), "NetworkUnreachable", "TokenFetchFailed", "no response"),
    "nonsense": (
        lambda aws: aws.garbage(Garbage.MISSING_FIELDS, operation=TOKEN),
        "MalformedAnswer",
        "TokenFetchFailed",
        "no readable token",
    ),
    "expired": (
        lambda aws: aws.answer_expired_token(operation=TOKEN),
        "TokenExpired",
        "TokenFetchFailed",
        "expired at",
    ),
    "trust": (
        lambda aws: aws.deny(operation="AssumeRoleWithWebIdentity"),
        "AccessDenied",
        "AccessDenied",
        "trust policy must allow sts:AssumeRoleWithWebIdentity",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_aws_fault_is_reported_and_recovered_from(installation: Installation, fault: str) -> None:
    """Each kind of fault is reported in an Event and a metric by its reason, and ends when AWS recovers."""
    play, reason, event_reason, words = FAULTS[fault]
    process = await installation.start()
    play(installation.aws)
    async with installation.recording() as recorder:
        team = await installation.create_namespace(enabled="true")
        event = await installation.event(team, event_reason)
        assert words in event["note"]
        assert await process.metric("pullkeeper_token_request_errors_total", reason=reason) >= 1
        assert await process.metric("pullkeeper_namespaces", state="pending") == 1
        assert recorder.versions == []
        installation.aws.clear_faults()
        # A denial is retried slowly; whoever has fixed it can ask for a refresh.
        await installation.annotate(team, refresh_requested_at="mended")
        await recorder.created(team)


async def test_denial_names_who_must_be_granted_what(installation: Installation) -> None:
    """The Event names the namespace, the role, the region, AWS's code and the grant."""
    await installation.start()
    installation.aws.deny(operation=TOKEN)
    team = await installation.create_namespace(enabled="true")
    note = (await installation.event(team, "AccessDenied"))["note"]
    assert f"ECR refused GetAuthorizationToken for {ROLE} in eu-west-1 (AccessDeniedException)" in note


async def test_hanging_aws_delays_nobody_else(installation: Installation) -> None:
    """While one region hangs another is served; the call that hangs is given up."""
    await installation.start()
    fault = installation.aws.hang(region="us-east-1", operation=TOKEN)
    async with installation.recording() as recorder:
        stuck = await installation.create_namespace(
            enabled="true", registries=f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com"
        )
        served = await installation.create_namespace(enabled="true")
        await recorder.created(served)
        fault.clear()
        await recorder.created(stuck)


async def test_region_that_hangs_holds_back_no_other_registry_of_its_namespace(installation: Installation) -> None:
    """A namespace with two regions gets the entry of the one that answers while the other hangs."""
    await installation.start()
    fault = installation.aws.hang(region="us-east-1", operation=TOKEN)
    async with installation.recording() as recorder:
        team = await installation.create_namespace(enabled="true", registries=f"{IRELAND},{VIRGINIA}")
        first = await recorder.created(team)
        assert list(auths(first.secret)) == [IRELAND]
        fault.clear()
        await recorder.wait(team, lambda version: len(auths(version.secret)) == 2)


async def test_expired_credentials_are_renewed_once_and_tried_again(installation: Installation) -> None:
    """Credentials that AWS calls expired are fetched anew, which botocore does not do, and nobody notices."""
    process = await installation.start()
    async with installation.recording() as recorder:
        team = await installation.create_namespace(enabled="true")
        first = await recorder.created(team)
        installation.aws.expire_credentials()
        await installation.annotate(team, refresh_requested_at="now")
        await recorder.wait(team, lambda version: version.expires_at > first.expires_at)
        assert await process.metric("pullkeeper_token_request_errors_total") == 0


async def test_missing_credentials_are_one_clear_error_and_recovered_from(installation: Installation) -> None:
    """Without credentials the Event says so; when the token file appears, it is well without a restart."""
    projected = installation.folder / "aws-token"
    text = projected.read_text()
    projected.unlink()
    await installation.start()
    team = await installation.create_namespace(enabled="true")
    event = await installation.event(team, "TokenFetchFailed")
    assert "check that the ServiceAccount's projected token is mounted" in event["note"]
    async with installation.recording() as recorder:
        projected.write_text(text)
        await recorder.created(team)


async def test_no_identity_is_one_clear_error(installation: Installation) -> None:
    """With nothing in the environment at all, the Event says which identities there are to choose from."""
    bare = {key: value for key, value in installation.irsa().items() if not key.startswith(("AWS_ROLE", "AWS_WEB"))}
    await installation.start(environment=bare)
    team = await installation.create_namespace(enabled="true")
    event = await installation.event(team, "TokenFetchFailed")
    assert "no AWS credentials were found: give the controller's ServiceAccount a role" in event["note"]


@pytest.mark.parametrize("allowed", [False, True])
async def test_role_of_the_node_is_refused_unless_allowed(installation: Installation, allowed: bool) -> None:  # noqa: FBT001 -- a parameter of the table
    """Botocore falls back to the node's role in silence; that is used only where the installation says so."""
    aws = installation.aws
    aws.allow_role(ROLE, trusted_principals="*")
    aws.set_node_role(ROLE)
    await installation.start({"allowNodeInstanceRole": allowed}, environment=aws.environment(instance_metadata=True))
    team = await installation.create_namespace(enabled="true")
    if allowed:
        await installation.event(team, "PullSecretCreated")
    else:
        event = await installation.event(team, "TokenFetchFailed")
        assert "or set allowNodeInstanceRole if this is intended" in event["note"]
        assert aws.count("GetAuthorizationToken") == 0


async def test_pod_identity_is_an_identity(installation: Installation) -> None:
    """EKS Pod Identity works as IRSA does."""
    aws, token = installation.aws, "pod-identity-token-of-a-test"
    aws.associate(ROLE, token=token)
    (installation.folder / "pod-identity").write_text(token)
    environment = aws.environment(container_token_file=str(installation.folder / "pod-identity"))
    await installation.start(environment=environment)
    await installation.create_served_namespace()
