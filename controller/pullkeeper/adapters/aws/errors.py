"""Failures from the exceptions of botocore; they never quote a response, which may hold credentials."""

from collections.abc import Iterator

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointVariantError,
    HTTPClientError,
    InvalidRegionError,
    MetadataRetrievalError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    ReadTimeoutError,
)
from botocore.exceptions import (
    ConnectionError as NoConnectionError,
)

from pullkeeper.adapters.aws.calls import CallError, DeadlineError, TooManyHangingError
from pullkeeper.adapters.aws.clients import ProcessTimeoutError
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
_SOURCE_HANGS = (
    "the credential source did not answer in time: check the credential_process of the profile, the Pod Identity "
    "agent of the node, or the way to STS"
)
_NO_RESPONSE = "check DNS, egress (NetworkPolicy, proxy, VPC endpoint) and the region's name"
_NO_FIPS = "the registry's host or the environment demands FIPS, which few regions have an endpoint for; "
_MALFORMED_PARAMETER = "a parameter is malformed: check that the projected token is not empty, and the role's ARN"
_NO_FILE = "a credentials file cannot be read: check that the ServiceAccount's projected token is mounted"

_LIBRARY_ERRORS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], Reason, str], ...] = (
    ((NoCredentialsError, PartialCredentialsError, ProfileNotFound), Reason.CREDENTIALS_MISSING, _NO_CREDENTIALS),
    ((CredentialRetrievalError, MetadataRetrievalError), Reason.CREDENTIALS_MISSING, _NONE_RETURNED),
    (ParamValidationError, Reason.CREDENTIALS_INVALID, _MALFORMED_PARAMETER),
    (InvalidRegionError, Reason.REGION_INVALID, "there is no such region"),
    (EndpointVariantError, Reason.REGION_INVALID, "the region has no such endpoint (FIPS or dual-stack)"),
    (OSError, Reason.CREDENTIALS_MISSING, _NO_FILE),
    (BotoCoreError, Reason.SERVICE_ERROR, "it is retried"),
)
_TIMEOUTS = (ReadTimeoutError, ConnectTimeoutError)
_SOURCES = (CredentialRetrievalError, MetadataRetrievalError)


def error_code(error: ClientError) -> str:
    """Return AWS's error code; "Unknown" for a response without one."""
    return str(error.response.get("Error", {}).get("Code", "Unknown"))


def is_unreachable(error: CallError) -> bool:
    """Whether an endpoint does not exist or gave no answer, so that another one might do."""
    return isinstance(error.cause, (EndpointVariantError, HTTPClientError, NoConnectionError, DeadlineError))


def to_failure(error: CallError, *, principal: str, doing: str = "", scope: TokenScope | None = None) -> Failure:
    """Turn an exception into a Failure that says who was refused what, where, and how to fix it.

    Without `scope` the call was one for credentials.
    """
    cause, asked = error.cause, error.asked
    if isinstance(cause, ClientError):
        aws_message = cause.response.get("Error", {}).get("Message", "")
        return explain(
            scope, principal, cause.operation_name, error_code(cause), aws_message, asked=str(asked) if asked else ""
        )
    context = f"{doing or _doing(scope)} as {principal}: {type(cause).__name__}"
    if is_unreachable(error) and not isinstance(cause, EndpointVariantError):
        return _no_response(error, context, scope)
    if _is_hanging_source(cause):
        return Failure(reason=Reason.CREDENTIALS_TIMEOUT, message=f"{context}: {_SOURCE_HANGS}")
    if isinstance(cause, TooManyHangingError):
        reason = Reason.NETWORK_UNREACHABLE if scope else Reason.CREDENTIALS_TIMEOUT
        return Failure(reason=reason, message=f"{context}: {cause}: {_NO_RESPONSE if scope else _SOURCE_HANGS}")
    for kinds, reason, advice in _LIBRARY_ERRORS:
        if isinstance(cause, kinds):
            return Failure(reason=reason, message=f"{context}: {advice}")
    message = f"{context}: the response could not be read; check proxies between here and AWS"
    return Failure(reason=Reason.MALFORMED_ANSWER, message=message)


def _doing(scope: TokenScope | None) -> str:
    return f"requesting a token from ECR in {scope.region}" if scope else "getting credentials"


def _no_response(error: CallError, context: str, scope: TokenScope | None) -> Failure:
    late = isinstance(error.cause, DeadlineError)
    what = str(error.cause) if late else "no response"
    where = f" from {error.asked}" if error.asked else ""
    if scope is None and late:
        return Failure(reason=Reason.CREDENTIALS_TIMEOUT, message=f"{context}: {what}{where}: {_SOURCE_HANGS}")
    fips = (scope is not None and scope.fips) or "fips" in where
    advice = f"{_NO_FIPS if fips else ''}{_NO_RESPONSE}"
    return Failure(reason=Reason.NETWORK_UNREACHABLE, message=f"{context}: {what}{where}: {advice}")


def _is_hanging_source(cause: Exception) -> bool:
    """Whether a program or an agent that hands out credentials hangs; botocore tells that in the context at most."""
    if isinstance(cause, ProcessTimeoutError):
        return True
    return isinstance(cause, _SOURCES) and any(isinstance(each, _TIMEOUTS) for each in _contexts(cause))


def _contexts(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__context__
