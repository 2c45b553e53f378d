"""Meaning of AWS's error codes, and the advice for each."""

from dataclasses import replace

import pytest

from pullkeeper.domain.ecr.aws_errors import (
    Request,
    explain,
    explain_raised,
    is_ambiguous_refusal,
    is_disabled_region,
    is_stale_credential,
    partition_mismatch,
    region_not_enabled,
)
from pullkeeper.domain.errors.aws_codes import AWS_CODES, THROTTLING
from pullkeeper.domain.errors.causes import Cause, CauseTable, Raised
from pullkeeper.domain.errors.client_causes import CLIENT_CAUSES
from pullkeeper.domain.errors.failures import EXPLANATIONS, Actor, Failure, Reason
from pullkeeper.domain.errors.kubernetes_causes import KUBERNETES_CAUSES
from testsupport.examples import EU, PUBLIC, scope

ROLE = "arn:aws:iam::123456789012:role/pullkeeper"
STALE = {
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "InvalidIdentityToken",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
}
CODES = {
    **dict.fromkeys(THROTTLING, Reason.THROTTLED),
    "AccessDenied": Reason.ACCESS_DENIED,
    "AccessDeniedException": Reason.ACCESS_DENIED,
    "UnauthorizedOperation": Reason.ACCESS_DENIED,
    "NotAuthorized": Reason.ACCESS_DENIED,
    "IDPRejectedClaim": Reason.ACCESS_DENIED,
    "OptInRequired": Reason.ACCESS_DENIED,
    **dict.fromkeys(sorted(STALE), Reason.CREDENTIALS_INVALID),
    "AuthFailure": Reason.CREDENTIALS_INVALID,
    "MissingAuthenticationToken": Reason.CREDENTIALS_INVALID,
    "IncompleteSignature": Reason.CREDENTIALS_INVALID,
    "ValidationError": Reason.CONFIGURATION_INVALID,
    "InvalidParameterException": Reason.CONFIGURATION_INVALID,
    "PackedPolicyTooLarge": Reason.CONFIGURATION_INVALID,
    "RegionDisabledException": Reason.REGION_NOT_ENABLED,
    "IDPCommunicationError": Reason.SERVICE_ERROR,
    "ServerException": Reason.SERVICE_ERROR,
    "503": Reason.SERVICE_ERROR,
    "302": Reason.MALFORMED_ANSWER,
    "403": Reason.MALFORMED_ANSWER,
    "407": Reason.PROXY_REFUSED,
    "Unknown": Reason.SERVICE_ERROR,
    "": Reason.SERVICE_ERROR,
}


def of_ecr(*, public: bool = False) -> Request:
    return Request(principal=ROLE, scope=scope(PUBLIC if public else EU), asked="ECR at api.ecr.eu-west-1.example")


def said(code: str, *, public: bool = False, operation: str = "GetAuthorizationToken", words: str = "No.") -> str:
    return str(explain(of_ecr(public=public), operation, code, words))


def raised(
    *names: str, words: str = "", sent: bool = True, request: Request | None = None, own: str = "", file: str = ""
) -> Failure:
    found = Raised(names=names, words=words, sent=sent)
    return explain_raised(request or of_ecr(), found, own=own, file=file, detail=words)


@pytest.mark.parametrize(("code", "reason"), CODES.items())
def test_a_code_has_its_reason(code: str, reason: Reason) -> None:
    """Each code has one reason; an unknown code is a service error."""
    assert explain(of_ecr(), "GetAuthorizationToken", code, "No.").reason is reason


@pytest.mark.parametrize("code", CODES)
def test_the_message_names_operation_principal_region_and_code(code: str) -> None:
    """With AWS's own message as the detail."""
    message = said(code)
    assert message.startswith(f"ECR refused GetAuthorizationToken for {ROLE} in eu-west-1 ({code}): ")
    assert message.endswith(f" ({CODES[code]})")
    detail = "" if CODES[code] is Reason.MALFORMED_ANSWER else "No."
    assert explain(of_ecr(), "GetAuthorizationToken", code, "No.").detail == detail


def test_only_invalid_credentials_may_be_stale() -> None:
    """New credentials cannot help with any other error."""
    assert {code for code in CODES if is_stale_credential(code)} == STALE


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
    request = Request(principal=ROLE, asked="STS at sts.eu-west-1.example")
    message = str(explain(request, "AssumeRoleWithWebIdentity", "AccessDenied", "No."))
    assert message.startswith(f"STS at sts.eu-west-1.example refused AssumeRoleWithWebIdentity for {ROLE} (Access")
    assert "trust policy must allow sts:AssumeRoleWithWebIdentity" in message


def test_a_denial_by_another_service_names_the_operation() -> None:
    """There is no advice that fits every operation."""
    found = explain(Request(principal=ROLE), "GetRoleCredentials", "AccessDenied", "No.")
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
        ("arn:aws:iam::123456789012:root", "enable the region in account 123456789012, or correct the registry's host"),
        ("<html>", "enable the region in their account, or correct the registry's host"),
    ],
)
def test_a_region_that_is_not_enabled_is_told_from_bad_credentials(arn: str, fix: str) -> None:
    """STS knows the credentials, so the failure says what to do about the region or the identity."""
    found = region_not_enabled(scope(EU), ROLE, arn, "UnrecognizedClientException", partition="aws")
    what = f"ECR refused GetAuthorizationToken for {ROLE} in eu-west-1 (UnrecognizedClientException)"
    is_foreign = "of partition" in fix
    assert found.reason is (Reason.PARTITION_MISMATCH if is_foreign else Reason.REGION_NOT_ENABLED)
    assert found.message == f"{what}, although STS knows the credentials: {fix}"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("ExpiredToken", "projected token"),
        ("RegionDisabledException", "enable the region"),
        ("InvalidClientTokenId", "belongs to another partition"),
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
    first, second = (explain(of_ecr(), "GetAuthorizationToken", "RequestExpired", said) for said in ("1", "2"))
    assert first == second
    assert str(first) != str(second)


def test_a_quoted_request_is_not_repeated() -> None:
    """For an invalid signature AWS may quote the signed request, including the session token."""
    words = "The request signature does not match.\n\nThe Canonical String was\n'POST\n/\nx-amz-security-token:hush"
    message = said("InvalidSignatureException", words=words)
    assert "does not match" in message
    assert "hush" not in message
    assert "\n" not in message


@pytest.mark.parametrize("code", ["ValidationError", "UnrecognizedClientException", "InvalidClientTokenId"])
def test_another_partition_is_named_where_it_explains_the_refusal(code: str) -> None:
    """No role and no key is known in another partition, and AWS does not say so."""
    request = Request(principal=ROLE, asked="STS at sts.cn-north-1.example", partitions=("aws", "aws-cn"))
    found = explain(request, "AssumeRole", code, "No.")
    assert found.reason is Reason.PARTITION_MISMATCH
    assert "the principal is of partition aws, the host of aws-cn: use an identity of" in found.message


@pytest.mark.parametrize(("code", "partitions"), [("Throttling", ("aws", "aws-cn")), ("ValidationError", ("aws",) * 2)])
def test_partitions_explain_nothing_else(code: str, partitions: tuple[str, str]) -> None:
    """Neither another error, nor one within a partition."""
    request = Request(principal=ROLE, partitions=partitions)
    assert explain(request, "AssumeRole", code, "No.").reason is not Reason.PARTITION_MISMATCH


def test_words_of_aws_are_escaped() -> None:
    """They reach terminals."""
    assert "\x1b" not in said("Throttling", words="\x1b[31mred")


def test_an_exception_reads_as_what_was_done_and_by_which_cause() -> None:
    """With the name of the exception, and who was asked."""
    found = raised("ReadTimeoutError", "HTTPClientError")
    assert found.reason is Reason.NETWORK_UNREACHABLE
    assert found.message.startswith(
        f"requesting a token from ECR in eu-west-1 as {ROLE}: ReadTimeoutError: no response from ECR at api.ecr.eu-west"
    )
    other = raised("DeadlineError", request=Request(principal=ROLE), sent=False, own="no answer within 10 s")
    assert other.message.startswith(
        f"getting credentials as {ROLE}: DeadlineError: no answer within 10 s from the service: the credential source"
    )
    doing = Request(principal=ROLE, doing="calling GetCallerIdentity")
    assert raised("KeyError", request=doing).message.startswith(f"calling GetCallerIdentity as {ROLE}: KeyError: the")


def test_a_class_that_is_not_known_is_told_by_its_bases() -> None:
    """Down to any exception at all."""
    assert raised("NewError", "BotoCoreError", "Exception").reason is Reason.SERVICE_ERROR
    assert raised("NewError", "Exception").reason is Reason.MALFORMED_ANSWER
    assert raised("NewError").reason is Reason.MALFORMED_ANSWER


def test_fips_is_named_where_it_may_be_the_cause() -> None:
    """Few regions have an endpoint for it."""
    for demanded in (
        Request(principal=ROLE, scope=replace(scope(EU), fips=True)),
        Request(principal=ROLE, asked="STS at sts-fips.us-east-1.amazonaws.com"),
    ):
        assert "demands FIPS" in raised("ReadTimeoutError", request=demanded).message
    assert "demands FIPS" not in raised("ReadTimeoutError").message


def test_words_are_shown_for_causes_that_have_harmless_ones_only() -> None:
    """What a program printed may be a key."""
    assert raised("ProfileNotFound", words="no such profile\nand more").detail == "no such profile"
    assert raised("CredentialRetrievalError", words="custom-process: hush").detail == ""


def test_what_was_sent_may_tell_causes_apart() -> None:
    """A ValueError before anything was sent is one of the configuration."""
    assert raised("ValueError", "Exception", sent=False).reason is Reason.CONFIGURATION_INVALID
    assert raised("ValueError", "Exception").reason is Reason.MALFORMED_ANSWER


def test_words_do_not_show_in_a_repr() -> None:
    """They may hold credentials."""
    assert "hush" not in repr(Raised(names=("X",), words="hush"))


@pytest.mark.parametrize(
    ("cause", "names"),
    [
        *((cause, ("asked", "fips", "operation", "actions", "own")) for cause in AWS_CODES.causes),
        *((cause, ("asked", "fips", "own", "file")) for cause in CLIENT_CAUSES.causes),
        *((cause, ("why", "trusted", "proxy", "status")) for cause in KUBERNETES_CAUSES.causes),
    ],
)
def test_every_cause_is_whole(cause: Cause, names: tuple[str, ...]) -> None:
    """Its sentence can be written of what is known where it is told, and somebody has to act, or nobody."""
    values = dict.fromkeys(names, "")
    assert cause.fix.format_map(values)
    assert cause.text(values)
    assert cause.who in Actor


@pytest.mark.parametrize("cause", [*AWS_CODES.causes, *CLIENT_CAUSES.causes])
def test_causes_of_one_reason_agree_whether_somebody_is_needed(cause: Cause) -> None:
    """Alerts and retries go by the reason."""
    assert (cause.who is Actor.NOBODY) is (EXPLANATIONS[cause.reason].actor is Actor.NOBODY)


def test_no_cause_is_hidden_by_one_before_it() -> None:
    """Of several for one name only the last may be without a condition."""
    for table in (AWS_CODES, CLIENT_CAUSES, KUBERNETES_CAUSES):
        assert isinstance(table, CauseTable)
        for name in table.names:
            known = [cause for cause in table.causes if name in cause.raised]
            assert all(cause.words or cause.operations or cause.unsent for cause in known[:-1]), name


def test_a_code_that_only_begins_like_a_status_is_none() -> None:
    """What a status means is known by its first digit."""
    assert explain(of_ecr(), "GetAuthorizationToken", "4o3", "No.").reason is Reason.SERVICE_ERROR


def test_one_partition_is_no_mismatch() -> None:
    """Where that of the other side is not known."""
    for partitions in (("", ""), ("aws", ""), ("", "aws")):
        request = Request(principal=ROLE, partitions=partitions)
        assert explain(request, "AssumeRole", "InvalidClientTokenId", "No.").reason is Reason.CREDENTIALS_INVALID


def test_a_mismatch_of_partitions_is_said_in_whole() -> None:
    """Before anything is asked."""
    assert partition_mismatch(scope(EU), ROLE, "aws-cn", "aws").message == (
        f"the credentials of {ROLE} are of partition aws-cn, eu-west-1 is of aws: use an identity of that partition "
        "(`identities` in the settings)"
    )


@pytest.mark.parametrize(
    ("file", "shown"),
    [("", "its name is not known"), ("/x/y", "/x/y"), ("/a\x1b", "/a\\x1b"), ("x" * 201, "x" * 199 + "…")],
)
def test_a_file_that_cannot_be_read_is_named(file: str, shown: str) -> None:
    """In one line of limited length."""
    found = raised("PermissionError", "OSError", file=file)
    assert found.message.partition(": ")[2].startswith(f"PermissionError: a credentials file cannot be read: {shown}: ")


def test_of_words_that_are_shown_only_so_much_is() -> None:
    """The first line, and no more than 400 characters of it."""
    assert raised("ProfileNotFound", words="x" * 401).detail == "x" * 399 + "…"
    assert raised("ProfileNotFound", words="one\ntwo\nthree").detail == "one"


@pytest.mark.parametrize(
    ("code", "words", "what"),
    [
        ("InvalidIdentityToken", "No OpenIDConnect provider found in your account", "has no IAM OIDC provider"),
        ("InvalidIdentityToken", "Incorrect token audience", "does not list the token's audience"),
        ("InvalidIdentityToken", "Couldn't retrieve verification key from it", "finds no key of the issuer"),
        ("InvalidIdentityToken", "No.", "does not accept the projected token"),
        ("ValidationError", "Value 'x y' at 'roleSessionName' failed", "the session name is not one"),
        ("InvalidSignatureException", "Signature expired: it is now earlier", "the node's clock is wrong"),
    ],
)
def test_what_aws_says_tells_causes_of_one_code_apart(code: str, words: str, what: str) -> None:
    """Its messages are no interface, but all there is."""
    assert what in explain(Request(principal=ROLE), "AssumeRoleWithWebIdentity", code, words).message


def test_without_words_nothing_is_made_up() -> None:
    """Nor is FIPS named where nobody demands it."""
    assert raised("ProfileNotFound").detail == ""
    text = CLIENT_CAUSES.find(Raised(names=("ReadTimeoutError",))).text({"asked": of_ecr().asked, "fips": ""})
    assert raised("ReadTimeoutError").message.endswith(f"ReadTimeoutError: {text}")
