"""Failures from the exceptions of botocore; they never quote a response, which may hold credentials."""

import re
from collections.abc import Iterator

from botocore.exceptions import (
    ClientError,
    CredentialRetrievalError,
    EndpointVariantError,
    HTTPClientError,
    MetadataRetrievalError,
)
from botocore.exceptions import (
    ConnectionError as NoConnectionError,
)

from pullkeeper.adapters.aws.calls import CallError, DeadlineError, Endpoint, TooManyHangingError
from pullkeeper.adapters.aws.client_certificate_errors import ClientCertificateError
from pullkeeper.adapters.aws.credential_process import CredentialProcessError, ProcessFailedError
from pullkeeper.adapters.aws.missing_credentials import MissingCredentialsError
from pullkeeper.domain.ecr import partitions
from pullkeeper.domain.ecr.aws_errors import Request, explain, explain_raised
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.errors.causes import Raised
from pullkeeper.domain.errors.failures import Failure
from pullkeeper.domain.errors.text import without_secrets

_OWN = (DeadlineError, TooManyHangingError, CredentialProcessError, ClientCertificateError, MissingCredentialsError)
"""Exceptions whose text is the program's own."""
_SOURCES = (CredentialRetrievalError, MetadataRetrievalError)
_FROM_AGENT = "from container metadata: "
_ARN = re.compile(r"arn:(aws[a-z-]*):")


def error_code(error: ClientError) -> str:
    """Return AWS's error code; the status of a response without one."""
    code = str(error.response.get("Error", {}).get("Code") or "Unknown")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return str(status) if code == "Unknown" and status else code


def is_unreachable(error: CallError) -> bool:
    """Whether an endpoint does not exist or gave no answer, so that another one might do."""
    return isinstance(error.cause, (EndpointVariantError, HTTPClientError, NoConnectionError, DeadlineError))


def to_failure(error: CallError, *, principal: str, doing: str = "", scope: TokenScope | None = None) -> Failure:
    """Turn an exception into a Failure that says who was refused what, where, and how to fix it.

    Without `scope` the call was one for credentials.
    """
    cause, asked = error.cause, error.asked
    request = Request(
        principal=principal,
        asked=str(asked) if asked else "",
        doing=doing,
        scope=scope,
        partitions=_partitions(principal, asked),
    )
    if isinstance(cause, ClientError):
        message = str(cause.response.get("Error", {}).get("Message", ""))
        return explain(request, str(cause.operation_name), error_code(cause), message)
    return explain_raised(
        request,
        _raised(error, is_for_credentials=scope is None),
        own=str(cause) if isinstance(cause, _OWN) else "",
        file=str(getattr(cause, "filename", "") or ""),
        detail=_words_to_show(cause),
    )


def _words_to_show(cause: Exception) -> str:
    """Return what an exception says, which is shown for some causes; what an agent says may quote anything."""
    if isinstance(cause, ProcessFailedError):
        return cause.said
    text = str(cause)
    return without_secrets(text.rpartition(_FROM_AGENT)[2]) if isinstance(cause, _SOURCES) else text


def _raised(error: CallError, *, is_for_credentials: bool) -> Raised:
    cause = error.cause
    names = tuple(each.__name__ for each in type(cause).__mro__)
    # A deadline while getting credentials is that of their source, whatever that has asked.
    late = isinstance(cause, (DeadlineError, TooManyHangingError))
    words = "\n".join(f"{type(each).__name__}: {each}" for each in _contexts(cause))
    return Raised(names=names, words=words, sent=not is_for_credentials if late else error.asked is not None)


def _contexts(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__context__


def _partitions(principal: str, asked: Endpoint | None) -> tuple[str, str]:
    """Return the partition of a role in question and that of the host that was asked; "" unless both are known."""
    host = next((found for label in (asked.host if asked else "").split(".") if (found := _partition(label))), "")
    named: list[str] = _ARN.findall(principal)
    role = next((each for each in named if each != host), host)
    return (role, host) if named and host else ("", "")


def _partition(label: str) -> str:
    try:
        return partitions.partition_of(label).name
    except ValueError:
        return ""
