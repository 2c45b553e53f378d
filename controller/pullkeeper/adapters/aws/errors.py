"""What botocore raises, as failures with a reason; nothing of an answer's content is shown."""

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
_NOT_GIVEN = (
    "the source of its credentials gave none: check the Pod Identity association and its agent, "
    "or the credential_process of the profile"
)
_NO_ANSWER = "it does not answer: check DNS, egress (NetworkPolicy, proxy, VPC endpoint) and the region's name"
_MALFORMED = "what it is to be given is malformed: check that the projected token is not empty, and the role's ARN"
_NO_FILE = "a file with credentials cannot be read: check that the ServiceAccount's projected token is mounted"

_LIBRARY_ERRORS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], Reason, str], ...] = (
    ((NoCredentialsError, PartialCredentialsError, ProfileNotFound), Reason.CREDENTIALS_MISSING, _NO_CREDENTIALS),
    ((CredentialRetrievalError, MetadataRetrievalError), Reason.CREDENTIALS_MISSING, _NOT_GIVEN),
    (ParamValidationError, Reason.CREDENTIALS_INVALID, _MALFORMED),
    (InvalidRegionError, Reason.REGION_INVALID, "there is no such region"),
    (EndpointVariantError, Reason.REGION_INVALID, "the region has no endpoint of this form (FIPS or dual-stack)"),
    ((HTTPClientError, NoConnectionError), Reason.NETWORK_UNREACHABLE, _NO_ANSWER),
    (OSError, Reason.CREDENTIALS_MISSING, _NO_FILE),
    (BotoCoreError, Reason.SERVICE_ERROR, "it is tried again"),
)


def code_of(error: ClientError) -> str:
    """Give AWS's code of an error; an answer without one has none."""
    return str(error.response.get("Error", {}).get("Code", "Unknown"))


def explained(scope: TokenScope, principal: str, error: Exception, *, doing: str = "") -> Failure:
    """Say what went wrong, to whom it was refused and what to do; `doing` where it was no token that was asked for."""
    if isinstance(error, ClientError):
        said = error.response.get("Error", {}).get("Message", "")
        return explain(scope, principal, error.operation_name, code_of(error), said)
    where = f"{doing or f'asking ECR in {scope.region} for a token'} as {principal}"
    for kinds, reason, advice in _LIBRARY_ERRORS:
        if isinstance(error, kinds):
            return Failure(reason=reason, message=f"{where}: {type(error).__name__}: {advice}")
    message = f"{where}: {type(error).__name__}: the answer could not be read; check proxies between here and AWS"
    return Failure(reason=Reason.MALFORMED_ANSWER, message=message)
