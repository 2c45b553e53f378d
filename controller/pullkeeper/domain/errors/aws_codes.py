"""Causes of what AWS answers: its error codes, and those of its agents and of what stands in its place."""

from pullkeeper.domain.errors.causes import Cause, CauseTable
from pullkeeper.domain.errors.failures import Actor, Reason

THROTTLING = (
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "RequestThrottled",
    "RequestThrottledException",
    "ProvisionedThroughputExceededException",
    "TransactionInProgressException",
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "EC2ThrottledException",
    "SlowDown",
    "SlowDownException",
    "429",
    "509",
)
UNKNOWN_KEY = ("UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId")
"""Codes with which a region in which the account is not enabled answers valid credentials as well."""
EXPIRED = ("ExpiredToken", "ExpiredTokenException")
SIGNATURE = ("SignatureDoesNotMatch", "InvalidSignatureException")
LATE = ("RequestExpired", "RequestTimeTooSkewed", "RequestInTheFuture")
DISABLED = ("RegionDisabledException",)
WEB_TOKEN = ("InvalidIdentityToken", "InvalidIdentityTokenException")
INVALID = ("ValidationError", "ValidationException")

_WEB = ("AssumeRoleWithWebIdentity",)
_CLOCK = "set the node's clock (NTP, chrony): AWS allows five minutes of difference"

_SIGNED = ("CreateSession",)
_TRUST = "the node's clock, the trust anchor's CA, and that tls.crt holds every certificate between"

_NOT_THE_ROLE = "^(?!.*unable to assume role).*"
"""What is not about the role, whose name may hold any word."""

_DENIALS = (
    Cause(
        raised=("AccessDenied", "AccessDeniedException"),
        operations=_SIGNED,
        words="mapped into session tags",
        reason=Reason.CONFIGURATION_INVALID,
        what="IAM Roles Anywhere cannot make session tags of the certificate's names",
        fix=(
            "issue one whose subject, issuer and alternative names have letters, digits, spaces and _.:/=+-@ only, or "
            "take the mapping of the others out of the profile"
        ),
    ),
    Cause(
        raised=("AccessDenied", "AccessDeniedException"),
        operations=_SIGNED,
        words=f"{_NOT_THE_ROLE}certificate",
        reason=Reason.ACCESS_DENIED,
        what="IAM Roles Anywhere does not trust the client certificate",
        fix=f"check {_TRUST}",
        actor=Actor.OPERATOR,
    ),
    Cause(
        raised=("AccessDenied", "AccessDeniedException"),
        operations=_SIGNED,
        words=f"{_NOT_THE_ROLE}(?:signature|credential)",
        reason=Reason.CREDENTIALS_INVALID,
        what="IAM Roles Anywhere does not accept the signature",
        fix="check the node's clock, and what a proxy does to headers",
        actor=Actor.OPERATOR,
    ),
    Cause(
        raised=("AccessDenied", "AccessDeniedException"),
        operations=_SIGNED,
        reason=Reason.ACCESS_DENIED,
        what="the role may not be taken through the profile",
        fix=(
            "the profile must be enabled and list the role, and the role's trust policy allow "
            "rolesanywhere.amazonaws.com sts:AssumeRole, sts:TagSession and sts:SetSourceIdentity, for this trust "
            "anchor and certificate"
        ),
    ),
    Cause(
        raised=("AccessDenied", "AccessDeniedException", "UnauthorizedOperation"),
        operations=("GetCallerIdentity",),
        reason=Reason.ACCESS_DENIED,
        what="a policy denies the call",
        fix="a policy of the account denies sts:GetCallerIdentity, which needs no permission otherwise",
        obvious=True,
    ),
    Cause(
        raised=("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "IDPRejectedClaim"),
        operations=_WEB,
        reason=Reason.ACCESS_DENIED,
        what="the role does not trust the ServiceAccount",
        fix=(
            "the role's trust policy must allow sts:AssumeRoleWithWebIdentity to the ServiceAccount, with its issuer, "
            "subject system:serviceaccount:NAMESPACE:NAME and audience sts.amazonaws.com"
        ),
        obvious=True,
    ),
    Cause(
        raised=("AccessDenied", "AccessDeniedException", "UnauthorizedOperation"),
        operations=("AssumeRole",),
        reason=Reason.ACCESS_DENIED,
        what="the role does not trust the principal",
        fix=(
            "the role's trust policy must allow sts:AssumeRole to that principal (with the ExternalId, if it asks for "
            "one, and sts:TagSession and sts:SetSourceIdentity where they are sent), and so must its own policy"
        ),
        obvious=True,
    ),
    Cause(
        raised=("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorized", "IDPRejectedClaim"),
        operations=("GetAuthorizationToken",),
        reason=Reason.ACCESS_DENIED,
        what="no policy allows the call, or one denies it",
        fix='allow {actions} on "*" to that role',
        obvious=True,
    ),
    Cause(
        raised=(
            "AccessDenied",
            "AccessDeniedException",
            "UnauthorizedOperation",
            "UnauthorizedException",
            "UnauthorizedClientException",
            "NotAuthorized",
            "NotAuthorizedException",
            "IDPRejectedClaim",
            "BlockedByOrganizationPolicyException",
        ),
        reason=Reason.ACCESS_DENIED,
        what="no policy allows the call, or one denies it",
        fix="allow {operation} to it",
        obvious=True,
    ),
    Cause(
        raised=("OptInRequired", "SubscriptionRequiredException", "NotSignedUp", "AccountProblem"),
        reason=Reason.ACCESS_DENIED,
        what="the account is not signed up for the service, not activated yet, or suspended",
        fix="finish the account's registration, or settle its state with AWS",
    ),
)

_CREDENTIALS = (
    Cause(
        raised=EXPIRED,
        operations=_WEB,
        reason=Reason.CREDENTIALS_INVALID,
        what="the projected token has expired",
        fix=(
            "see why the kubelet does not renew the file of the projected token, and whether the node's clock and the "
            "API server's are right"
        ),
        actor=Actor.OPERATOR,
    ),
    Cause(
        raised=EXPIRED,
        reason=Reason.CREDENTIALS_INVALID,
        what="its credentials have expired, and so had the new ones",
        fix=(
            "check that their source hands out fresh ones (static session keys never renew, a credential_process may "
            "cache, the projected token may be old), and the node's clock"
        ),
        actor=Actor.OPERATOR,
    ),
    Cause(
        raised=(*SIGNATURE, *LATE),
        words=r"signature expired|not yet current|request has expired|in the future|skew|too far",
        reason=Reason.CREDENTIALS_INVALID,
        what="the node's clock is wrong",
        fix=_CLOCK,
        actor=Actor.OPERATOR,
    ),
    Cause(
        raised=LATE,
        reason=Reason.CREDENTIALS_INVALID,
        what="the request arrived too late, or the node's clock is wrong",
        fix=_CLOCK,
        actor=Actor.OPERATOR,
    ),
    Cause(
        raised=SIGNATURE,
        reason=Reason.CREDENTIALS_INVALID,
        what="the secret key does not belong to the access key, or something on the way changed the request",
        fix="correct AWS_SECRET_ACCESS_KEY or its source; if it is right, see what a proxy does to headers",
        actor=Actor.OPERATOR,
    ),
    Cause(
        raised=UNKNOWN_KEY,
        reason=Reason.CREDENTIALS_INVALID,
        what="the access key is not known there",
        fix=(
            "check whether it was deleted or deactivated, belongs to another partition (China, GovCloud), or whether "
            "the region is enabled for the account"
        ),
    ),
    Cause(
        raised=(
            "MissingAuthenticationToken",
            "MissingAuthenticationTokenException",
            "IncompleteSignature",
            "IncompleteSignatureException",
        ),
        reason=Reason.CREDENTIALS_INVALID,
        what="the signature did not arrive whole",
        fix=(
            "see whether a proxy removes or changes the Authorization header, whether AWS_ENDPOINT_URL names another "
            "service, and whether the access key has a blank or a line break in it"
        ),
        actor=Actor.OPERATOR,
    ),
    Cause(
        raised=(
            "AuthFailure",
            "InvalidToken",
            "InvalidTokenException",
            "TokenRefreshRequired",
            "InvalidGrantException",
            "InvalidClientException",
            "AuthorizationPendingException",
            "UnsupportedGrantTypeException",
        ),
        reason=Reason.CREDENTIALS_INVALID,
        what="the credentials are not accepted",
        fix="give valid ones: check their source, and whether the account is in good standing",
        actor=Actor.OPERATOR,
    ),
)

_WEB_IDENTITY = (
    Cause(
        raised=WEB_TOKEN,
        words="no openidconnect provider",
        reason=Reason.CREDENTIALS_INVALID,
        what="the account of the role has no IAM OIDC provider for the token's issuer",
        fix=(
            "create one there for exactly the issuer that AWS names (kubectl get --raw "
            "/.well-known/openid-configuration tells it), with the audience sts.amazonaws.com"
        ),
    ),
    Cause(
        raised=WEB_TOKEN,
        words="audience",
        reason=Reason.CREDENTIALS_INVALID,
        what="the IAM OIDC provider does not list the token's audience",
        fix=(
            "add the token's audience to the provider's client IDs, or project the token for one that it lists "
            "(sts.amazonaws.com is usual; eks.amazonaws.com/audience on the ServiceAccount changes it)"
        ),
    ),
    Cause(
        raised=WEB_TOKEN,
        words="verification key|signature",
        reason=Reason.CREDENTIALS_INVALID,
        what="AWS finds no key of the issuer for the token",
        fix=(
            "make the issuer's /.well-known/openid-configuration and its key set public over HTTPS, with the keys that "
            "the API server signs with now"
        ),
        actor=Actor.OPERATOR,
    ),
    Cause(
        raised=WEB_TOKEN,
        words="valid jwt|not a jwt|malformed|missing a required claim",
        reason=Reason.CREDENTIALS_INVALID,
        what="the file of the projected token does not hold a ServiceAccount's token",
        fix="mount a projected ServiceAccount token at AWS_WEB_IDENTITY_TOKEN_FILE",
        actor=Actor.OPERATOR,
    ),
    Cause(
        raised=WEB_TOKEN,
        words="not valid yet|in the future",
        reason=Reason.CREDENTIALS_INVALID,
        what="the token is of the future",
        fix="set the clock of the API server",
        actor=Actor.OPERATOR,
    ),
    Cause(
        raised=WEB_TOKEN,
        reason=Reason.CREDENTIALS_INVALID,
        what="AWS does not accept the projected token",
        fix="check its issuer, audience and keys against the account's IAM OIDC provider: pullkeeper check shows them",
    ),
    Cause(
        raised=("IDPCommunicationError", "IDPCommunicationErrorException"),
        reason=Reason.SERVICE_ERROR,
        what="AWS could not fetch the keys of the cluster's issuer in time",
        fix="the request is retried; if it lasts, see whether the issuer's key set can be reached from the internet",
    ),
)

_REQUESTS = (
    Cause(
        raised=INVALID,
        words="rolesessionname",
        reason=Reason.CONFIGURATION_INVALID,
        what="the session name is not one",
        fix="correct AWS_ROLE_SESSION_NAME (or role_session_name): 2 to 64 letters, digits and =,.@_+-",
    ),
    Cause(
        raised=INVALID,
        words=r"rolearn|\barn\b",
        reason=Reason.CONFIGURATION_INVALID,
        what="the ARN is none of a role of this partition",
        fix="correct the role's ARN (AWS_ROLE_ARN, eks.amazonaws.com/role-arn): arn:PARTITION:iam::ACCOUNT:role/NAME",
    ),
    Cause(
        raised=INVALID,
        words="duration",
        reason=Reason.CONFIGURATION_INVALID,
        what="the session is asked for longer than the role allows",
        fix="lower duration_seconds, or raise the role's MaxSessionDuration (role chaining: one hour)",
    ),
    Cause(
        raised=INVALID,
        words="webidentitytoken",
        reason=Reason.CREDENTIALS_INVALID,
        what="the file of the projected token does not hold a ServiceAccount's token",
        fix="mount a projected ServiceAccount token at AWS_WEB_IDENTITY_TOKEN_FILE",
        actor=Actor.OPERATOR,
    ),
    Cause(
        raised=INVALID,
        words="externalid|sourceidentity|tags",
        reason=Reason.CONFIGURATION_INVALID,
        what="a parameter of the role's session is not one",
        fix="correct externalId, sourceIdentity or sessionTags in the settings' roles",
    ),
    Cause(
        raised=("PackedPolicyTooLarge", "PackedPolicyTooLargeException"),
        reason=Reason.CONFIGURATION_INVALID,
        what="the session's tags take more room than AWS has for them",
        fix="switch sessionTags off for that role, or shorten the names that are sent as tags",
    ),
    Cause(
        raised=(
            "InvalidAction",
            "UnknownOperationException",
            "UnsupportedCommandException",
            "UnsupportedOperation",
            "UnsupportedOperationException",
        ),
        reason=Reason.CONFIGURATION_INVALID,
        what="{asked} does not know the operation",
        fix="see whether AWS_ENDPOINT_URL names another service; ECR Public has it in us-east-1 only",
    ),
    Cause(
        raised=(
            *INVALID,
            "InvalidParameterException",
            "InvalidParameterValue",
            "InvalidParameterCombination",
            "InvalidQueryParameter",
            "InvalidRequestException",
            "InvalidScopeException",
            "MissingParameter",
            "MissingAction",
            "MalformedQueryString",
            "MalformedPolicyDocument",
            "MalformedPolicyDocumentException",
            "SerializationException",
            "TooManyTagsException",
        ),
        reason=Reason.CONFIGURATION_INVALID,
        what="a parameter is not accepted",
        fix="correct what AWS names: the role's ARN, the session's name and tags, the profile",
    ),
    Cause(
        raised=("ResourceNotFoundException",),
        reason=Reason.CONFIGURATION_INVALID,
        what="what the credentials are to come from does not exist",
        fix="correct account, role, profile or trust anchor in the source of the credentials",
    ),
    Cause(
        raised=DISABLED,
        reason=Reason.REGION_NOT_ENABLED,
        what="STS is switched off in that region for the account",
        fix=(
            "enable the region for the account, or name another one: AWS_REGION (chart: aws.region) is where STS is "
            "asked"
        ),
        obvious=True,
    ),
    Cause(
        raised=("PartitionMismatch",),
        reason=Reason.PARTITION_MISMATCH,
        what="the principal is of partition {own}",
        fix="use an identity of the registry's partition: no role and no key is known in another one",
    ),
)

_OTHERS = (
    Cause(
        raised=THROTTLING,
        reason=Reason.THROTTLED,
        what="too many requests from this account",
        fix="the request is retried; if it lasts, see in CloudTrail what else uses up the account's quota",
    ),
    Cause(
        raised=(
            "ServerException",
            "InternalFailure",
            "InternalError",
            "InternalServerError",
            "InternalServerException",
            "ServiceUnavailable",
            "ServiceUnavailableException",
            "RequestTimeout",
            "RequestTimeoutException",
            "5xx",
        ),
        reason=Reason.SERVICE_ERROR,
        what="{asked} fails",
        fix="the request is retried; if it lasts, see AWS's health page for the region",
    ),
    Cause(
        raised=("407",),
        reason=Reason.PROXY_REFUSED,
        what="a proxy on the way wants a login",
        fix="put the login into HTTPS_PROXY, or let AWS's hosts pass (NO_PROXY, VPC endpoints)",
    ),
    Cause(
        raised=("2xx", "3xx", "4xx"),
        reason=Reason.MALFORMED_ANSWER,
        what="that is no answer of AWS: a proxy, a firewall or a portal answered in place of {asked}",
        fix="let AWS's hosts pass there, or go around it (NO_PROXY, VPC endpoints); see AWS_ENDPOINT_URL",
    ),
    Cause(
        raised=("*",),
        reason=Reason.SERVICE_ERROR,
        what="AWS has given an error that is not known here",
        fix="the request is retried; if it lasts, look the code up in the documentation of the service",
    ),
)

AWS_CODES = CauseTable((*_DENIALS, *_CREDENTIALS, *_WEB_IDENTITY, *_REQUESTS, *_OTHERS))
"""By error code; "4xx" and the like stand for answers with a status only, "*" for every other code."""
