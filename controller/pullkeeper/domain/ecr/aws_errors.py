"""What AWS's error codes mean, and who has to grant what to whom."""

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

_LONGEST = 400


def is_stale_credential(code: str) -> bool:
    """Whether the credentials may only be old, so that new ones are worth one more try; botocore makes none."""
    return code in _EXPIRED


def explain(scope: TokenScope, principal: str, operation: str, code: str, said: str) -> Failure:
    """Say what AWS refused, for whom, and what to grant; `said` is AWS's own message."""
    reason = _REASONS.get(code, Reason.SERVICE_ERROR)
    service = "STS" if operation.startswith(("Assume", "GetCaller")) else ("ECR Public" if scope.public else "ECR")
    what = f"{service} refused {operation} for {principal} in {scope.region} ({code})"
    # Only its first line: where a signature is refused, AWS quotes the whole request after it, session token included.
    detail = said.partition("\n")[0][:_LONGEST]
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
        "its credentials are expired or not known there; check the projected token, the trust policy's issuer, "
        "whether the region is enabled for the account, and the node's clock"
    ),
    Reason.REGION_INVALID: "enable the region for the account, or take its registries out",
    Reason.THROTTLED: "too many requests of this account; it is tried again",
}


def _advice(scope: TokenScope, operation: str, reason: Reason) -> str:
    if reason is Reason.ACCESS_DENIED:
        return _TRUST.get(operation, f'allow {actions(scope)} on "*" to that role')
    return _ADVICE.get(reason, "it is tried again")


def actions(scope: TokenScope) -> str:
    """Name the permissions that whoever asks for a token needs."""
    if scope.public:
        return "ecr-public:GetAuthorizationToken and sts:GetServiceBearerToken"
    return "ecr:GetAuthorizationToken"
