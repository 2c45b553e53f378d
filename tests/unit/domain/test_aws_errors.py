"""Meaning of AWS's error codes, and the advice for each."""

import pytest

from pullkeeper.domain.ecr.aws_errors import (
    explain,
    is_ambiguous_refusal,
    is_disabled_region,
    is_stale_credential,
    region_not_enabled,
)
from pullkeeper.domain.errors.failures import Reason
from testsupport.examples import EU, PUBLIC, scope

ROLE = "arn:aws:iam::123456789012:role/pullkeeper"
CODES = {
    "Throttling": Reason.THROTTLED,
    "ThrottlingException": Reason.THROTTLED,
    "ThrottledException": Reason.THROTTLED,
    "RequestLimitExceeded": Reason.THROTTLED,
    "TooManyRequestsException": Reason.THROTTLED,
    "RequestThrottled": Reason.THROTTLED,
    "RequestThrottledException": Reason.THROTTLED,
    "SlowDown": Reason.THROTTLED,
    "429": Reason.THROTTLED,
    "AccessDenied": Reason.ACCESS_DENIED,
    "AccessDeniedException": Reason.ACCESS_DENIED,
    "UnauthorizedOperation": Reason.ACCESS_DENIED,
    "IDPRejectedClaim": Reason.ACCESS_DENIED,
    "ExpiredToken": Reason.CREDENTIALS_INVALID,
    "ExpiredTokenException": Reason.CREDENTIALS_INVALID,
    "RequestExpired": Reason.CREDENTIALS_INVALID,
    "UnrecognizedClientException": Reason.CREDENTIALS_INVALID,
    "InvalidClientTokenId": Reason.CREDENTIALS_INVALID,
    "InvalidIdentityToken": Reason.CREDENTIALS_INVALID,
    "InvalidSignatureException": Reason.CREDENTIALS_INVALID,
    "SignatureDoesNotMatch": Reason.CREDENTIALS_INVALID,
    "RegionDisabledException": Reason.REGION_NOT_ENABLED,
    "IDPCommunicationError": Reason.SERVICE_ERROR,
    "ServerException": Reason.SERVICE_ERROR,
    "503": Reason.SERVICE_ERROR,
    "Unknown": Reason.SERVICE_ERROR,
    "": Reason.SERVICE_ERROR,
}


def said(code: str, *, public: bool = False, operation: str = "GetAuthorizationToken", words: str = "No.") -> str:
    return str(explain(scope(PUBLIC if public else EU), ROLE, operation, code, words))


@pytest.mark.parametrize(("code", "reason"), CODES.items())
def test_a_code_has_its_reason(code: str, reason: Reason) -> None:
    """Each code has one reason; an unknown code is a service error."""
    assert explain(scope(EU), ROLE, "GetAuthorizationToken", code, "No.").reason is reason


@pytest.mark.parametrize("code", CODES)
def test_the_message_names_operation_principal_region_and_code(code: str) -> None:
    """With AWS's own message as the detail."""
    message = said(code)
    assert message.startswith(f"ECR refused GetAuthorizationToken for {ROLE} in eu-west-1 ({code}): ")
    assert message.endswith(f" [No.] ({CODES[code]})")


@pytest.mark.parametrize(("code", "reason"), CODES.items())
def test_only_invalid_credentials_may_be_stale(code: str, reason: Reason) -> None:
    """New credentials cannot help with any other error."""
    assert is_stale_credential(code) is (reason is Reason.CREDENTIALS_INVALID)


@pytest.mark.parametrize(
    ("public", "advice"),
    [
        (False, 'allow ecr:GetAuthorizationToken on "*" to that role'),
        (True, 'allow ecr-public:GetAuthorizationToken and sts:GetServiceBearerToken on "*" to that role'),
    ],
)
def test_a_denial_says_what_to_grant(advice: str, *, public: bool) -> None:
    """The message contains the actions for the IAM policy."""
    assert advice in said("AccessDeniedException", public=public)


def test_a_denied_web_identity_points_to_the_trust_policy() -> None:
    """STS rejects the role itself, so its permissions policy is irrelevant."""
    message = str(
        explain(None, ROLE, "AssumeRoleWithWebIdentity", "AccessDenied", "No.", asked="STS at sts.eu-west-1.example")
    )
    assert message.startswith(f"STS at sts.eu-west-1.example refused AssumeRoleWithWebIdentity for {ROLE} (Access")
    assert "trust policy must allow sts:AssumeRoleWithWebIdentity" in message


def test_a_denial_by_another_service_names_the_operation() -> None:
    """There is no advice that fits every operation."""
    found = explain(None, ROLE, "GetRoleCredentials", "AccessDenied", "No.")
    assert found.message == f"STS refused GetRoleCredentials for {ROLE} (AccessDenied): allow GetRoleCredentials to it"


def test_only_codes_of_unknown_credentials_are_ambiguous() -> None:
    """A region that is not enabled answers with them; that credentials have expired is never the region's fault."""
    assert {code for code in CODES if is_ambiguous_refusal(code)} == {
        "UnrecognizedClientException",
        "InvalidClientTokenId",
    }
    assert {code for code in CODES if is_disabled_region(code)} == {"RegionDisabledException"}


@pytest.mark.parametrize(
    ("arn", "fix"),
    [
        (
            "arn:aws:sts::123456789012:assumed-role/pullkeeper/x",
            "enable the region in account 123456789012, or correct the registry's host",
        ),
        (
            "arn:aws-cn:sts::123456789012:assumed-role/pullkeeper/x",
            "they are of partition aws-cn, the region is of aws: use an identity of that partition",
        ),
        ("", "they are of partition , the region is of aws: use an identity of that partition"),
    ],
)
def test_a_region_that_is_not_enabled_is_told_from_bad_credentials(arn: str, fix: str) -> None:
    """STS knows the credentials, so the failure says what to do about the region or the identity."""
    found = region_not_enabled(scope(EU), ROLE, arn, "UnrecognizedClientException", partition="aws")
    what = f"ECR refused GetAuthorizationToken for {ROLE} in eu-west-1 (UnrecognizedClientException)"
    assert found.reason is Reason.REGION_NOT_ENABLED
    assert found.message == f"{what}, although STS knows the credentials: {fix}"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("ExpiredToken", "projected token"),
        ("RegionDisabledException", "enable the region"),
        ("Throttling", "too many requests"),
        ("InternalFailure", "is retried"),
    ],
)
def test_every_other_error_comes_with_advice(code: str, words: str) -> None:
    """No reason without advice."""
    assert words in said(code)


def test_ecr_public_is_named() -> None:
    """The message distinguishes ECR and ECR Public."""
    assert said("Throttling", public=True).startswith("ECR Public refused")


def test_a_long_message_from_aws_is_shortened() -> None:
    """Whatever its length, there is room for the advice."""
    assert len(said("Throttling", words="x" * 9000)) < 700


def test_the_detail_is_ignored_in_comparisons() -> None:
    """AWS's messages contain times and request ids."""
    first, second = (explain(scope(EU), ROLE, "GetAuthorizationToken", "RequestExpired", said) for said in ("1", "2"))
    assert first == second
    assert str(first) != str(second)


def test_a_quoted_request_is_not_repeated() -> None:
    """For an invalid signature AWS may quote the signed request, including the session token."""
    words = "The request signature does not match.\n\nThe Canonical String was\n'POST\n/\nx-amz-security-token:hush"
    message = said("InvalidSignatureException", words=words)
    assert "does not match" in message
    assert "hush" not in message
    assert "\n" not in message
