"""Errors as the API server words them: `Status` objects with a reason, details and causes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from testsupport.fake_kube.objects import Object


class ApiError(Exception):
    """A request that ends in a Status of failure."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: Object | None = None,
        list_metadata: Object | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.list_metadata = list_metadata or {}
        self.headers = headers or {}

    def status(self) -> Object:
        """Give the Status object to answer with."""
        body: Object = {"kind": "Status", "apiVersion": "v1", "metadata": self.list_metadata, "status": "Failure"}
        body["message"] = self.message
        if self.reason:
            body["reason"] = self.reason
        if self.details is not None:
            body["details"] = self.details
        return {**body, "code": self.code}


@dataclass(frozen=True, slots=True)
class FieldError:
    """One problem of validation, at one field."""

    reason: str
    field: str
    message: str

    def cause(self) -> Object:
        """Give the cause for the details of a Status."""
        return {"reason": self.reason, "message": self.message, "field": self.field}


def invalid_value(field: str, value: str, why: str) -> FieldError:
    """Say that a field's value (already written as Go prints it) is not acceptable."""
    return FieldError("FieldValueInvalid", field, f"Invalid value: {value}: {why}")


def quoted(value: object) -> str:
    """Apply a string as Go's %q does."""
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def required(field: str, why: str = "") -> FieldError:
    """Say that a field is missing."""
    return FieldError("FieldValueRequired", field, "Required value" + (f": {why}" if why else ""))


def forbidden_field(field: str, why: str) -> FieldError:
    """Say that a field may not be set so."""
    return FieldError("FieldValueForbidden", field, f"Forbidden: {why}")


def unsupported(field: str, value: str, supported: str) -> FieldError:
    """Say that a value is outside the closed set."""
    message = f"Unsupported value: {value}: supported values: {supported}"
    return FieldError("FieldValueNotSupported", field, message)


def _details(group: str, kind: str, name: str) -> Object:
    details: Object = {"name": name} if name else {}
    if group:
        details["group"] = group
    if kind:
        details["kind"] = kind
    return details


def qualified(name: str, group: str) -> str:
    """Join a plural or kind and its group as messages do: `deployments.apps`, `secrets`."""
    return f"{name}.{group}" if group else name


def invalid(group: str, kind: str, name: str, errors: Sequence[FieldError]) -> ApiError:
    """Reject an object (422) with all its problems."""
    problems = [f"{error.field}: {error.message}" for error in errors]
    text = problems[0] if len(problems) == 1 else "[" + ", ".join(problems) + "]"
    details = {**_details(group, kind, name), "causes": [error.cause() for error in errors]}
    message = f"{qualified(kind, group)} {quoted(name)} is invalid: {text}"
    return ApiError(422, "Invalid", message, details=details)


def invalid_once_per_check(group: str, kind: str, name: str, error: FieldError) -> ApiError:
    """Reject with one problem that two checks of the real server each report.

    The message is rid of the repetition, the causes are not.
    """
    failure = invalid(group, kind, name, [error])
    assert failure.details is not None
    failure.details["causes"] = [error.cause(), error.cause()]
    return failure


def bad_request(message: str) -> ApiError:
    """Refuse a request that cannot be understood."""
    return ApiError(400, "BadRequest", message)


def not_found(group: str, resource: str, name: str) -> ApiError:
    """Say that the object does not exist."""
    message = f"{qualified(resource, group)} {quoted(name)} not found"
    return ApiError(404, "NotFound", message, details=_details(group, resource, name))


def no_such_resource() -> ApiError:
    """Say that the path names no resource."""
    return ApiError(404, "NotFound", "the server could not find the requested resource", details={})


def already_exists(group: str, resource: str, name: str) -> ApiError:
    """Say that the name is taken."""
    message = f"{qualified(resource, group)} {quoted(name)} already exists"
    return ApiError(409, "AlreadyExists", message, details=_details(group, resource, name))


MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def conflict(group: str, resource: str, name: str, why: str = MODIFIED) -> ApiError:
    """Say that what the writer knew is out of date."""
    message = f"Operation cannot be fulfilled on {qualified(resource, group)} {quoted(name)}: {why}"
    return ApiError(409, "Conflict", message, details=_details(group, resource, name))


def forbidden(group: str, resource: str, name: str, why: str, causes: list[Any] | None = None) -> ApiError:
    """Refuse for lack of permission, or because admission says no."""
    subject = qualified(resource, group) + (f" {quoted(name)}" if name else "")
    details = _details(group, resource, name) | ({"causes": causes} if causes else {})
    return ApiError(403, "Forbidden", f"{subject} is forbidden: {why}", details=details)


def unauthorized() -> ApiError:
    """Refuse a credential that proves nothing."""
    return ApiError(401, "Unauthorized", "Unauthorized")


def expired(message: str, list_metadata: Object | None = None) -> ApiError:
    """Say that the asked resourceVersion is beyond the kept history."""
    return ApiError(410, "Expired", message, list_metadata=list_metadata)


def method_not_allowed() -> ApiError:
    """Say that the resource knows no such verb."""
    message = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", message, details={})
