"""Meaning of AWS's error codes, and the advice for each."""

from collections.abc import Mapping
from types import MappingProxyType

from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.errors.failures import Failure, Reason

_THROTTLED = (
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "429",
)
_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "IDPRejectedClaim")
_EXPIRED = (
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "InvalidIdentityToken",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
)
_DISABLED = ("RegionDisabledException",)
_REASONS: Mapping[str, Reason] = MappingProxyType(
    dict.fromkeys(_THROTTLED, Reason.THROTTLED)
    | dict.fromkeys(_DENIED, Reason.ACCESS_DENIED)
    | dict.fromkeys(_EXPIRED, Reason.CREDENTIALS_INVALID)
    | dict.fromkeys(_DISABLED, Reason.REGION_NOT_ENABLED)
)

_UNKNOWN = ("UnrecognizedClientException", "InvalidClientTokenId")
_TOKEN = "GetAuthorizationToken"  # noqa: S105 -- the name of an operation
_MAX_DETAIL_LENGTH = 400


def is_stale_credential(code: str) -> bool:
    """Return whether new credentials may help, so that one more attempt is worthwhile; botocore does not retry."""
    return code in _EXPIRED


def is_ambiguous_refusal(code: str) -> bool:
    """Return whether a region in which the account is not enabled answers valid credentials with this code as well."""
    return code in _UNKNOWN


def is_disabled_region(code: str) -> bool:
    """Return whether STS says that the account has not enabled the region in which it was asked."""
    return code in _DISABLED


def region_not_enabled(scope: TokenScope, principal: str, caller_arn: str, code: str, *, partition: str) -> Failure:
    """Return the failure for credentials that STS accepts and ECR in a region does not know.

    `caller_arn` is what STS says of them, `partition` that of the region.
    """
    _, own, _, _, account, *_ = [*caller_arn.split(":", 5), "", "", "", "", ""]
    fix = f"enable the region in account {account}, or correct the registry's host"
    if own != partition:
        fix = f"they are of partition {own}, the region is of {partition}: use an identity of that partition"
    what = f"ECR refused {_TOKEN} for {principal} in {scope.region} ({code})"
    return Failure(reason=Reason.REGION_NOT_ENABLED, message=f"{what}, although STS knows the credentials: {fix}")


def explain(
    scope: TokenScope | None, principal: str, operation: str, code: str, message: str, *, asked: str = ""
) -> Failure:
    """Return the failure for an error from AWS: what was refused for whom, and the advice; `message` is AWS's.

    `scope` is that of a request to ECR. `asked` names any other service, and its host.
    """
    reason = _REASONS.get(code, Reason.SERVICE_ERROR)
    what = f"{asked or 'STS'} refused {operation} for {principal} ({code})"
    if scope is not None:
        what = f"ECR{' Public' if scope.public else ''} refused {operation} for {principal} in {scope.region} ({code})"
    # Only the first line: for an invalid signature AWS then quotes the whole request, including the session token.
    detail = message.partition("\n")[0][:_MAX_DETAIL_LENGTH]
    return Failure(reason=reason, message=f"{what}: {_advice(scope, operation, reason)}", detail=detail)


_TRUST = {
    "GetCallerIdentity": "a policy of the account denies sts:GetCallerIdentity, which needs no permission otherwise",
    "AssumeRoleWithWebIdentity": (
        "the role's trust policy must allow sts:AssumeRoleWithWebIdentity to the ServiceAccount, "
        "with its issuer, subject system:serviceaccount:NAMESPACE:NAME and audience sts.amazonaws.com"
    ),
    "AssumeRole": (
        "the role's trust policy must allow sts:AssumeRole to that principal (with the ExternalId, if it asks for one, "
        "and sts:TagSession and sts:SetSourceIdentity where they are sent), and so must its own policy"
    ),
}
_ADVICE = {
    Reason.CREDENTIALS_INVALID: (
        "its credentials have expired or are not known there: check the projected token, the trust policy's issuer, "
        "whether the region is enabled for the account, and the node's clock"
    ),
    Reason.REGION_NOT_ENABLED: (
        "enable the region for the account, or name another one: AWS_REGION (chart: aws.region) is where STS is asked"
    ),
    Reason.THROTTLED: "too many requests from this account; the request is retried",
}


def _advice(scope: TokenScope | None, operation: str, reason: Reason) -> str:
    if reason is Reason.ACCESS_DENIED:
        allow = f'allow {actions(scope)} on "*" to that role' if scope else f"allow {operation} to it"
        return _TRUST.get(operation, allow)
    return _ADVICE.get(reason, "the request is retried")


def actions(scope: TokenScope) -> str:
    """Return the IAM actions needed to fetch a token."""
    if scope.public:
        return "ecr-public:GetAuthorizationToken and sts:GetServiceBearerToken"
    return "ecr:GetAuthorizationToken"
