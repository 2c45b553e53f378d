"""Failures from the exceptions of botocore; they never quote a response, which may hold credentials."""

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    EndpointVariantError,
    HTTPClientError,
    InvalidRegionError,
    MetadataRetrievalError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
)
from botocore.exceptions import (
    ConnectionError as NoConnectionError,
)

from pullkeeper.domain.ecr.aws_errors import explain
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.errors.failures import Failure, Reason

_NO_CREDENTIALS = (
    "no AWS credentials were found: give the controller's ServiceAccount a role (IRSA or EKS Pod Identity), "
    "or mount credentials"
)
_NONE_RETURNED = (
    "the credential source returned none: check the Pod Identity association and its agent, "
    "or the credential_process of the profile"
)
_NO_RESPONSE = "no response: check DNS, egress (NetworkPolicy, proxy, VPC endpoint) and the region's name"
_MALFORMED_PARAMETER = "a parameter is malformed: check that the projected token is not empty, and the role's ARN"
_NO_FILE = "a credentials file cannot be read: check that the ServiceAccount's projected token is mounted"

_LIBRARY_ERRORS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], Reason, str], ...] = (
    ((NoCredentialsError, PartialCredentialsError, ProfileNotFound), Reason.CREDENTIALS_MISSING, _NO_CREDENTIALS),
    ((CredentialRetrievalError, MetadataRetrievalError), Reason.CREDENTIALS_MISSING, _NONE_RETURNED),
    (ParamValidationError, Reason.CREDENTIALS_INVALID, _MALFORMED_PARAMETER),
    (InvalidRegionError, Reason.REGION_INVALID, "there is no such region"),
    (EndpointVariantError, Reason.REGION_INVALID, "the region has no such endpoint (FIPS or dual-stack)"),
    ((HTTPClientError, NoConnectionError), Reason.NETWORK_UNREACHABLE, _NO_RESPONSE),
    (OSError, Reason.CREDENTIALS_MISSING, _NO_FILE),
    (BotoCoreError, Reason.SERVICE_ERROR, "it is retried"),
)


def error_code(error: ClientError) -> str:
    """Return AWS's error code; "Unknown" for a response without one."""
    return str(error.response.get("Error", {}).get("Code", "Unknown"))


def to_failure(scope: TokenScope, principal: str, error: Exception, *, doing: str = "") -> Failure:
    """Turn an exception into a Failure that says who was refused what, and how to fix it.

    `doing` describes the call if it was not a request for a token.
    """
    if isinstance(error, ClientError):
        aws_message = error.response.get("Error", {}).get("Message", "")
        return explain(scope, principal, error.operation_name, error_code(error), aws_message)
    context = f"{doing or f'requesting a token from ECR in {scope.region}'} as {principal}"
    for kinds, reason, advice in _LIBRARY_ERRORS:
        if isinstance(error, kinds):
            return Failure(reason=reason, message=f"{context}: {type(error).__name__}: {advice}")
    message = f"{context}: {type(error).__name__}: the response could not be read; check proxies between here and AWS"
    return Failure(reason=Reason.MALFORMED_ANSWER, message=message)
