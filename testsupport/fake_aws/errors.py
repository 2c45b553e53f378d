"""AWS' errors: codes, HTTP status codes and wording, as the clients see them."""

from __future__ import annotations

from typing import Final

INVALID_TOKEN_TEXT: Final = "The security token included in the request is invalid."
EXPIRED_TOKEN_TEXT: Final = "The security token included in the request is expired"

# STS answers in the older codes of the query protocol, ECR in those of JSON 1.1.
_EXPIRED: Final = {"sts": ("ExpiredToken", 403)}
_UNKNOWN: Final = {"sts": ("InvalidClientTokenId", 403)}
_MISSING: Final = {"sts": ("MissingAuthenticationToken", 403)}
_SIGNATURE: Final = {"sts": ("SignatureDoesNotMatch", 403)}
_DENIED: Final = {"sts": ("AccessDenied", 403), "registry": ("DENIED", 403)}
_THROTTLED: Final = {"sts": ("Throttling", 400), "registry": ("TOOMANYREQUESTS", 429)}
_UNKNOWN_OPERATION: Final = {"sts": ("InvalidAction", 400)}


class AwsError(Exception):
    """An error answer: what botocore raises as ClientError."""

    def __init__(self, code: str, status: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.status = status
        self.message = message


def expired_credentials(service: str) -> AwsError:
    """Give the session behind the access key is over."""
    return AwsError(*_EXPIRED.get(service, ("ExpiredTokenException", 400)), EXPIRED_TOKEN_TEXT)


def unknown_credentials(service: str) -> AwsError:
    """Nobody has this access key, or it comes with another session's token."""
    return AwsError(*_UNKNOWN.get(service, ("UnrecognizedClientException", 400)), INVALID_TOKEN_TEXT)


def missing_credentials(service: str) -> AwsError:
    """Give the request is not signed."""
    return AwsError(
        *_MISSING.get(service, ("MissingAuthenticationTokenException", 400)),
        "Request is missing Authentication Token",
    )


def wrong_scope(service: str, message: str) -> AwsError:
    """Give the credential scope does not fit the request."""
    return AwsError(*_SIGNATURE.get(service, ("InvalidSignatureException", 400)), message)


def unknown_operation(service: str, operation: str) -> AwsError:
    """Give the fake does not speak this operation."""
    code, status = _UNKNOWN_OPERATION.get(service, ("UnknownOperationException", 400))
    return AwsError(code, status, f"The fake does not know {service}:{operation}")


def access_denied(service: str, action: str, arn: str | None, resource: str = "*") -> AwsError:
    """No policy allows the action to this principal."""
    code, status = _DENIED.get(service, ("AccessDeniedException", 400))
    if arn is None:
        # Web identity callers have no ARN yet, so STS names none.
        return AwsError(code, status, f"Not authorized to perform {action}")
    reason = f" because no identity-based policy allows the {action} action" if resource == "*" else ""
    return AwsError(code, status, f"User: {arn} is not authorized to perform: {action} on resource: {resource}{reason}")


def throttled(service: str, code: str | None = None, status: int | None = None) -> AwsError:
    """Too many requests; the service's own code unless another one is wanted."""
    own_code, own_status = _THROTTLED.get(service, ("ThrottlingException", 400))
    return AwsError(code or own_code, status or own_status, "Rate exceeded")


def validation(message: str) -> AwsError:
    """STS' complaint about a parameter."""
    return AwsError("ValidationError", 400, message)


def invalid_parameter(message: str) -> AwsError:
    """ECR's complaint about a parameter."""
    return AwsError("InvalidParameterException", 400, message)


def unsupported_command() -> AwsError:
    """ECR Public's refusal of an operation that it has in another region only."""
    return AwsError("UnsupportedCommandException", 400, "The action isn't supported in this Region.")


def foreign_arn() -> AwsError:
    """STS' complaint about the ARN of another partition."""
    return validation("Request ARN is invalid")


def invalid_identity_token(message: str) -> AwsError:
    """Give the web identity token is no token, or of an unknown issuer, key or audience."""
    return AwsError("InvalidIdentityToken", 400, message)


def region_disabled(account: str) -> AwsError:
    """STS is switched off in this region for the account."""
    message = (
        f"STS is not activated in this region for account:{account}. "
        "Your account administrator can activate STS in this region using the IAM Console."
    )
    return AwsError("RegionDisabledException", 403, message)
