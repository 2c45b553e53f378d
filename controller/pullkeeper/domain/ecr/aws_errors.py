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
_REASONS: Mapping[str, Reason] = MappingProxyType(
    dict.fromkeys(_THROTTLED, Reason.THROTTLED)
    | dict.fromkeys(_DENIED, Reason.ACCESS_DENIED)
    | dict.fromkeys(_EXPIRED, Reason.CREDENTIALS_INVALID)
    | {"RegionDisabledException": Reason.REGION_INVALID}
)

_MAX_DETAIL_LENGTH = 400


def is_stale_credential(code: str) -> bool:
    """Return whether new credentials may help, so that one more attempt is worthwhile; botocore does not retry."""
    return code in _EXPIRED


def explain(scope: TokenScope, principal: str, operation: str, code: str, message: str) -> Failure:
    """Return the failure for an error from AWS: what was refused for whom, and the advice; `message` is AWS's."""
    reason = _REASONS.get(code, Reason.SERVICE_ERROR)
    service = "STS" if operation.startswith(("Assume", "GetCaller")) else ("ECR Public" if scope.public else "ECR")
    what = f"{service} refused {operation} for {principal} in {scope.region} ({code})"
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
    Reason.REGION_INVALID: "enable the region for the account, or remove its registries",
    Reason.THROTTLED: "too many requests from this account; the request is retried",
}


def _advice(scope: TokenScope, operation: str, reason: Reason) -> str:
    if reason is Reason.ACCESS_DENIED:
        return _TRUST.get(operation, f'allow {actions(scope)} on "*" to that role')
    return _ADVICE.get(reason, "the request is retried")


def actions(scope: TokenScope) -> str:
    """Return the IAM actions needed to fetch a token."""
    if scope.public:
        return "ecr-public:GetAuthorizationToken and sts:GetServiceBearerToken"
    return "ecr:GetAuthorizationToken"
