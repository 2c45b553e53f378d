"""What AWS's codes mean and what their reader is told."""

import pytest

from pullkeeper.domain.ecr.aws_errors import explain, is_stale_credential
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
    "RegionDisabledException": Reason.REGION_INVALID,
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
    """Each of AWS's codes falls under one reason; an unknown one is trouble of the service."""
    assert explain(scope(EU), ROLE, "GetAuthorizationToken", code, "No.").reason is reason


@pytest.mark.parametrize("code", CODES)
def test_what_was_refused_to_whom_where_and_how_it_was_said(code: str) -> None:
    """Every message names operation, principal, region, code and AWS's own words."""
    message = said(code)
    assert message.startswith(f"ECR refused GetAuthorizationToken for {ROLE} in eu-west-1 ({code}): ")
    assert message.endswith(f" [No.] ({CODES[code]})")


@pytest.mark.parametrize(("code", "reason"), CODES.items())
def test_credentials_that_may_only_be_old_are_worth_another_try(code: str, reason: Reason) -> None:
    """Just the codes of invalid credentials call for new ones."""
    assert is_stale_credential(code) is (reason is Reason.CREDENTIALS_INVALID)


@pytest.mark.parametrize(
    ("public", "advice"),
    [
        (False, 'allow ecr:GetAuthorizationToken on "*" to that role'),
        (True, 'allow ecr-public:GetAuthorizationToken and sts:GetServiceBearerToken on "*" to that role'),
    ],
)
def test_a_denial_says_what_to_grant(advice: str, *, public: bool) -> None:
    """The message has the words that go into the IAM policy."""
    assert advice in said("AccessDeniedException", public=public)


def test_a_denied_web_identity_points_to_the_trust_policy() -> None:
    """Where STS refuses the role itself, the role's own policy has nothing to do with it."""
    message = said("AccessDenied", operation="AssumeRoleWithWebIdentity")
    assert message.startswith("STS refused AssumeRoleWithWebIdentity")
    assert "trust policy must allow sts:AssumeRoleWithWebIdentity" in message


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("ExpiredToken", "projected token"),
        ("RegionDisabledException", "enable the region"),
        ("Throttling", "too many requests"),
        ("InternalFailure", "is retried"),
    ],
)
def test_every_other_refusal_says_what_to_do(code: str, words: str) -> None:
    """No reason stands without advice."""
    assert words in said(code)


def test_ecr_public_is_named_as_such() -> None:
    """Which of the two services refused is told apart."""
    assert said("Throttling", public=True).startswith("ECR Public refused")


def test_long_words_of_aws_are_cut() -> None:
    """An answer of any length leaves room for the advice."""
    assert len(said("Throttling", words="x" * 9000)) < 700


def test_the_same_refusal_in_other_words_is_the_same_failure() -> None:
    """AWS puts moments and request numbers into its words: they make no new trouble of an old one."""
    first, second = (explain(scope(EU), ROLE, "GetAuthorizationToken", "RequestExpired", said) for said in ("1", "2"))
    assert first == second
    assert str(first) != str(second)


def test_a_quoted_request_is_not_repeated() -> None:
    """Beside a wrong signature AWS may quote the signed request, and the session's token stands in it."""
    words = "The request signature does not match.\n\nThe Canonical String was\n'POST\n/\nx-amz-security-token:hush"
    message = said("InvalidSignatureException", words=words)
    assert "does not match" in message
    assert "hush" not in message
    assert "\n" not in message
