"""Failures in IAM's terms: who was refused what, and what to allow to whom."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pullkeeper.domain.errors.failures import Reason
from pullkeeper.domain.iam.identity import CONTROLLER, Identity, service_account
from tests.unit.adapters.identity_harness import BLUE, OWN, IdentityHarness, as_role, identity_harness
from testsupport.fake_aws import ACCOUNT, USER_ARN, AwsFake

PULLER = replace(service_account("team-a", "puller"), uid="uid-1", role_arn=OWN, audience="sts.amazonaws.com")
OWN_IDENTITY = "the controller's own identity"
BECOME = f"STS at sts.eu-west-1.amazonaws.com refused AssumeRole for {OWN_IDENTITY}, assuming {BLUE} (AccessDenied): "
TRUST = "the role's trust policy must allow sts:AssumeRole to that principal"
WEB = f"STS at sts.eu-west-1.amazonaws.com refused AssumeRoleWithWebIdentity for {OWN} (as {PULLER}) (AccessDenied): "
WEB_TRUST = "the role's trust policy must allow sts:AssumeRoleWithWebIdentity to the ServiceAccount"
ALLOW = 'allow ecr:GetAuthorizationToken on "*" to that role'

Play = Callable[[AwsFake], Any]


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch) -> Iterator[IdentityHarness]:
    with identity_harness(monkeypatch) as built:
        yield built


@pytest.mark.parametrize(
    ("identity", "play", "words"),
    [
        (as_role(), lambda aws: aws.allow_role(BLUE), BECOME + TRUST),
        (as_role(), lambda aws: aws.allow_role(BLUE, trusted_principals=USER_ARN, external_id="other"), "ExternalId"),
        (
            as_role(external_id="wrong"),
            lambda aws: aws.allow_role(BLUE, trusted_principals=USER_ARN, external_id="other"),
            BECOME + TRUST,
        ),
        (as_role(session_tags=True), lambda aws: aws.allow_role(BLUE), "sts:TagSession"),
        (as_role(), lambda aws: aws.remove(BLUE), BECOME + TRUST),
        (
            as_role(),
            lambda aws: aws.allow_role(BLUE, trusted_principals=USER_ARN, ecr=False),
            f"ECR refused GetAuthorizationToken for {BLUE} in eu-west-1 (AccessDeniedException): {ALLOW}",
        ),
        (PULLER, lambda aws: aws.allow_role(OWN, trusts_subjects="*:else"), WEB + WEB_TRUST),
        (PULLER, lambda aws: aws.allow_role(OWN, trusts_subjects="*", audience="else"), WEB + WEB_TRUST),
        (PULLER, lambda aws: aws.remove(OWN), WEB + WEB_TRUST),
        (PULLER, lambda aws: aws.reject_subject(str(PULLER)), "(IDPRejectedClaim): " + WEB_TRUST),
        (
            PULLER,
            lambda aws: aws.allow_role(OWN, trusts_subjects="*", ecr=False),
            f"ECR refused GetAuthorizationToken for {OWN} (as {PULLER}) in eu-west-1",
        ),
        (
            CONTROLLER,
            lambda aws: aws.deny(operation="GetAuthorizationToken"),
            f"ECR refused GetAuthorizationToken for {OWN_IDENTITY} in eu-west-1",
        ),
    ],
)
async def test_refusal_says_what_to_allow_to_whom(
    harness: IdentityHarness, identity: Identity, play: Play, words: str
) -> None:
    """It names the principal, the call, the region, and what to add to which policy."""
    play(harness.aws)
    found = await harness.failure(identity)
    assert (found.reason, words in found.message) == (Reason.ACCESS_DENIED, True), found.message
    assert harness.metrics.reasons == ["AccessDenied"]


async def test_refusal_of_ecr_public_names_both_permissions(harness: IdentityHarness) -> None:
    """ECR Public needs a bearer token as well."""
    harness.aws.allow_role(BLUE, trusted_principals=USER_ARN, service_bearer_token=False)
    with pytest.raises(Exception, match="ecr-public:GetAuthorizationToken and sts:GetServiceBearerToken"):
        await harness.fetch(as_role(), "us-east-1", public=True)


@pytest.mark.parametrize(
    ("identity", "play", "reason"),
    [
        (as_role(), lambda aws: aws.throttle(service="sts"), Reason.THROTTLED),
        (PULLER, lambda aws: aws.throttle(service="sts"), Reason.THROTTLED),
        (as_role(), lambda aws: aws.disable_region("eu-west-1"), Reason.REGION_NOT_ENABLED),
        (CONTROLLER, lambda aws: aws.disable_region("eu-west-1"), Reason.REGION_NOT_ENABLED),
        (as_role(), lambda aws: aws.garbage("missing-fields", service="sts"), Reason.MALFORMED_ANSWER),
        (as_role(), lambda aws: aws.garbage("html-page", service="sts"), Reason.MALFORMED_ANSWER),
        (PULLER, lambda aws: aws.garbage("missing-fields", service="sts"), Reason.MALFORMED_ANSWER),
        (as_role(), lambda aws: aws.garbage("token-not-base64"), Reason.MALFORMED_ANSWER),
        (PULLER, lambda aws: aws.fail(code="IDPCommunicationError", status=400, service="sts"), Reason.SERVICE_ERROR),
    ],
)
async def test_failure_has_its_reason(harness: IdentityHarness, identity: Identity, play: Play, reason: Reason) -> None:
    """Every response of AWS, or of a proxy in front of it, has one of a closed set of reasons."""
    play(harness.aws)
    assert (await harness.failure(identity)).reason is reason


async def test_log_holds_no_secret(harness: IdentityHarness, caplog: pytest.LogCaptureFixture) -> None:
    """Neither tokens nor credentials are logged, for successes and failures, at any level."""
    caplog.set_level("DEBUG", logger="pullkeeper")
    for identity in (CONTROLLER, as_role(), PULLER):
        await harness.fetch(identity)
    harness.aws.deny(operation="GetAuthorizationToken")
    for identity in (CONTROLLER, as_role(), PULLER):
        await harness.failure(identity)
    await harness.ecr.log_credential_source()
    harness.check_no_secret(caplog.text)
    assert f"new token for {PULLER} in eu-west-1" in caplog.text


def use_profile(harness: IdentityHarness, *lines: str, folder: Path) -> None:
    """Configure a shared profile instead of keys in the environment."""
    file = folder / "config"
    file.write_text("\n".join(["[profile pull]", "region = eu-west-1", *lines]))
    environment = {key: value for key, value in harness.aws.environment().items() if "ACCESS_KEY" not in key}
    harness.configure({**environment, "AWS_CONFIG_FILE": str(file), "AWS_PROFILE": "pull"})


async def test_shared_profile(harness: IdentityHarness, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Its keys are used, and their source is logged."""
    keys = harness.aws.static_credentials
    lines = (f"aws_access_key_id = {keys.access_key_id}", f"aws_secret_access_key = {keys.secret_access_key}")
    use_profile(harness, *lines, folder=tmp_path)
    caplog.set_level("INFO")
    await harness.ecr.log_credential_source()
    assert (await harness.fetch()).principal == USER_ARN
    assert (await harness.fetch(as_role())).role_arn == BLUE
    assert "AWS credentials: config-file" in caplog.text
    assert f"AWS caller: {USER_ARN}" in caplog.text
    harness.check_no_secret(caplog.text)


@pytest.mark.parametrize("works", [True, False])
async def test_credential_process(
    harness: IdentityHarness, tmp_path: Path, caplog: pytest.LogCaptureFixture, *, works: bool
) -> None:
    """Its keys are used, as with IAM Roles Anywhere; if it fails, no key that it printed is quoted."""
    keys = harness.aws.static_credentials
    answer = f'{{"Version":1,"AccessKeyId":"{keys.access_key_id}","SecretAccessKey":"{keys.secret_access_key}"}}'
    (tmp_path / "answer").write_text(answer)
    script = tmp_path / "give"
    script.write_text(f"cat {tmp_path}/answer {'' if works else '>&2; exit 1'}\n")
    use_profile(harness, f"credential_process = sh {script}", folder=tmp_path)
    caplog.set_level("INFO")
    await harness.ecr.log_credential_source()
    if works:
        assert (await harness.fetch()).principal == USER_ARN
        assert "AWS credentials: custom-process" in caplog.text
    else:
        found = await harness.failure()
        assert found.reason is Reason.CREDENTIALS_MISSING
        assert "credential_process" in found.message
    harness.check_no_secret(caplog.text)


async def test_node_instance_role_is_refused_unless_allowed(harness: IdentityHarness) -> None:
    """Without the setting nothing is fetched with it, and no role is assumed from it."""
    node = f"arn:aws:iam::{ACCOUNT}:role/node"
    harness.aws.allow_role(node)
    harness.aws.allow_role(BLUE, trusted_principals=node)
    harness.aws.set_node_role(node)
    harness.configure(harness.aws.environment(instance_metadata=True))
    for identity in (CONTROLLER, as_role()):
        found = await harness.failure(identity)
        assert (found.reason, "allowNodeInstanceRole" in found.message) == (Reason.NODE_ROLE_REFUSED, True)
    assert harness.aws.count() == 0
    harness.configure(harness.aws.environment(instance_metadata=True), allow_node_instance_role=True)
    assert (await harness.fetch()).role_arn == node
    assert (await harness.fetch(as_role())).role_arn == BLUE


async def test_missing_credentials_are_reported_with_the_fix(harness: IdentityHarness) -> None:
    """Both for the controller and for a role that it would assume."""
    harness.configure({key: value for key, value in harness.aws.environment().items() if "ACCESS_KEY" not in key})
    for identity in (CONTROLLER, as_role()):
        found = await harness.failure(identity)
        assert found.reason is Reason.CREDENTIALS_MISSING
        assert "IRSA or EKS Pod Identity" in found.message
