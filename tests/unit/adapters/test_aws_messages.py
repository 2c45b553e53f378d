"""What goes wrong with an identity is said in IAM's words: who was refused, and what must be allowed to whom."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pullkeeper.domain.errors.failures import Reason
from pullkeeper.domain.iam.identity import CONTROLLER, Identity, service_account
from tests.unit.adapters.identity_harness import BLUE, OWN, IdentityHarness, as_role, identity_harness
from testsupport.fake_aws import ACCOUNT, USER_ARN, AwsFake

PULLER = service_account("team-a", "puller")
OWN_IDENTITY = "the controller's own identity"
BECOME = f"STS refused AssumeRole for {OWN_IDENTITY}, which is to become {BLUE}, in eu-west-1 (AccessDenied): "
TRUST = "the role's trust policy must allow sts:AssumeRole to that principal"
WEB = f"STS refused AssumeRoleWithWebIdentity for {OWN} (as {PULLER}) in eu-west-1 (AccessDenied): "
WEB_TRUST = "the role's trust policy must allow sts:AssumeRoleWithWebIdentity to the ServiceAccount"
ALLOW = 'allow ecr:GetAuthorizationToken on "*" to that role'

Play = Callable[[AwsFake], Any]


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[IdentityHarness]:
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
async def test_a_refusal_says_who_must_allow_what_to_whom(
    there: IdentityHarness, identity: Identity, play: Play, words: str
) -> None:
    """The words name the principal, the call and the region, and what to write into which policy."""
    play(there.aws)
    found = await there.failure(identity)
    assert (found.reason, words in found.message) == (Reason.ACCESS_DENIED, True), found.message
    assert there.meters.reasons == ["AccessDenied"]


async def test_public_tokens_need_two_permissions(there: IdentityHarness) -> None:
    """ECR Public asks for a bearer token besides, so both actions are named."""
    there.aws.allow_role(BLUE, trusted_principals=USER_ARN, service_bearer_token=False)
    with pytest.raises(Exception, match="ecr-public:GetAuthorizationToken and sts:GetServiceBearerToken"):
        await there.fetch(as_role(), "us-east-1", public=True)


@pytest.mark.parametrize(
    ("identity", "play", "reason"),
    [
        (as_role(), lambda aws: aws.throttle(service="sts"), Reason.THROTTLED),
        (PULLER, lambda aws: aws.throttle(service="sts"), Reason.THROTTLED),
        (as_role(), lambda aws: aws.disable_region("eu-west-1"), Reason.REGION_INVALID),
        (CONTROLLER, lambda aws: aws.disable_region("eu-west-1"), Reason.CREDENTIALS_INVALID),
        (as_role(), lambda aws: aws.garbage("missing-fields", service="sts"), Reason.MALFORMED_ANSWER),
        (as_role(), lambda aws: aws.garbage("html-page", service="sts"), Reason.MALFORMED_ANSWER),
        (PULLER, lambda aws: aws.garbage("missing-fields", service="sts"), Reason.MALFORMED_ANSWER),
        (as_role(), lambda aws: aws.garbage("token-not-base64"), Reason.MALFORMED_ANSWER),
        (PULLER, lambda aws: aws.fail(code="IDPCommunicationError", status=400, service="sts"), Reason.SERVICE_ERROR),
    ],
)
async def test_trouble_of_aws_has_its_reason(
    there: IdentityHarness, identity: Identity, play: Play, reason: Reason
) -> None:
    """Whatever AWS or what stands before it answers, one of the closed set of reasons comes out."""
    play(there.aws)
    assert (await there.failure(identity)).reason is reason


async def test_no_log_line_holds_a_secret(there: IdentityHarness, caplog: pytest.LogCaptureFixture) -> None:
    """Neither tokens nor credentials are written anywhere, whether it goes well or not, at the finest level."""
    caplog.set_level("DEBUG", logger="pullkeeper")
    for identity in (CONTROLLER, as_role(), PULLER):
        await there.fetch(identity)
    there.aws.deny(operation="GetAuthorizationToken")
    for identity in (CONTROLLER, as_role(), PULLER):
        await there.failure(identity)
    await there.ecr.introduce()
    there.check_silence(caplog.text)
    assert f"new token for {PULLER} in eu-west-1" in caplog.text


def profile(there: IdentityHarness, *lines: str, folder: Path) -> None:
    """Live with a shared configuration file instead of keys in the environment."""
    file = folder / "config"
    file.write_text("\n".join(["[profile pull]", "region = eu-west-1", *lines]))
    environment = {key: value for key, value in there.aws.environment().items() if "ACCESS_KEY" not in key}
    there.live({**environment, "AWS_CONFIG_FILE": str(file), "AWS_PROFILE": "pull"})


async def test_a_shared_profile_is_the_controllers_identity(
    there: IdentityHarness, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Keys from a profile serve, and at the start it is said which way they are had."""
    keys = there.aws.static_credentials
    lines = (f"aws_access_key_id = {keys.access_key_id}", f"aws_secret_access_key = {keys.secret_access_key}")
    profile(there, *lines, folder=tmp_path)
    caplog.set_level("INFO")
    await there.ecr.introduce()
    assert (await there.fetch()).principal == USER_ARN
    assert (await there.fetch(as_role())).role_arn == BLUE
    assert "AWS credentials: config-file" in caplog.text
    assert f"AWS caller: {USER_ARN}" in caplog.text
    there.check_silence(caplog.text)


@pytest.mark.parametrize("works", [True, False])
async def test_a_credential_process_is_the_controllers_identity(
    there: IdentityHarness, tmp_path: Path, caplog: pytest.LogCaptureFixture, *, works: bool
) -> None:
    """A command, as of IAM Roles Anywhere, gives the keys; one that fails is told without a word of what it said."""
    keys = there.aws.static_credentials
    answer = f'{{"Version":1,"AccessKeyId":"{keys.access_key_id}","SecretAccessKey":"{keys.secret_access_key}"}}'
    (tmp_path / "answer").write_text(answer)
    script = tmp_path / "give"
    script.write_text(f"cat {tmp_path}/answer {'' if works else '>&2; exit 1'}\n")
    profile(there, f"credential_process = sh {script}", folder=tmp_path)
    caplog.set_level("INFO")
    await there.ecr.introduce()
    if works:
        assert (await there.fetch()).principal == USER_ARN
        assert "AWS credentials: custom-process" in caplog.text
    else:
        found = await there.failure()
        assert found.reason is Reason.CREDENTIALS_MISSING
        assert "credential_process" in found.message
    there.check_silence(caplog.text)


async def test_the_nodes_role_is_refused_unless_it_is_meant(there: IdentityHarness) -> None:
    """Where only the node's role is there, nothing is fetched as it, nor any role assumed from it, but by a setting."""
    node = f"arn:aws:iam::{ACCOUNT}:role/node"
    there.aws.allow_role(node)
    there.aws.allow_role(BLUE, trusted_principals=node)
    there.aws.set_node_role(node)
    there.live(there.aws.environment(instance_metadata=True))
    for identity in (CONTROLLER, as_role()):
        assert (await there.failure(identity)).reason is Reason.NODE_ROLE_REFUSED
    assert there.aws.count() == 0
    there.live(there.aws.environment(instance_metadata=True), allow_node_instance_role=True)
    assert (await there.fetch()).role_arn == node
    assert (await there.fetch(as_role())).role_arn == BLUE


async def test_without_credentials_it_says_where_to_give_some(there: IdentityHarness) -> None:
    """No source at all is a reason of its own, for the controller and for what is assumed from it."""
    there.live({key: value for key, value in there.aws.environment().items() if "ACCESS_KEY" not in key})
    for identity in (CONTROLLER, as_role()):
        found = await there.failure(identity)
        assert found.reason is Reason.CREDENTIALS_MISSING
        assert "IRSA or EKS Pod Identity" in found.message
