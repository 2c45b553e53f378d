"""What a refusal of the API server means: one wording for every request that was answered with an error."""

from collections.abc import Set as AbstractSet

from pullkeeper.domain.errors.failures import Failure, FailureError, Reason
from pullkeeper.domain.kube.api import FORBIDDEN, Response


class ApiError(FailureError):
    """The API server answered with an error status."""

    def __init__(self, status: int, failure: Failure) -> None:
        self.status = status
        super().__init__(failure)


def api_error(status: int, verb: str, target: str, *, grant: str) -> ApiError:
    """Describe a failed request by what was to be done with which object, and for a 403 by what to grant.

    The API server's own message is left out, because it may quote the object.
    """
    if status == FORBIDDEN:
        message = f"the API server refused to {verb} {target} (403): grant {grant}"
        return ApiError(status, Failure(reason=Reason.KUBERNETES_DENIED, message=message))
    message = f"the API server could not {verb} {target} (status {status})"
    return ApiError(status, Failure(reason=Reason.KUBERNETES_UNAVAILABLE, message=message))


def causes(response: Response, key: str) -> AbstractSet[str]:
    """Return one key (`field` or `reason`) of the causes that the API server names for a refusal."""
    found = (response.body.get("details") or {}).get("causes") or ()
    return {str(cause.get(key, "")) for cause in found}
