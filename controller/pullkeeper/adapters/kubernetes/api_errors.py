"""What a refusal of the API server means: one wording for every request that was answered with an error."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from pullkeeper.domain.errors.failures import Failure, FailureError, Reason
from pullkeeper.domain.errors.refusals import Refusal, read_refusal
from pullkeeper.domain.kube.api import FORBIDDEN, Response


class ApiError(FailureError):
    """The API server answered with an error status."""

    def __init__(self, status: int, failure: Failure) -> None:
        self.status = status
        super().__init__(failure)


def api_error(response: Response, verb: str, target: str, *, grant: str, hidden: Iterable[str] = ()) -> ApiError:
    """Describe a failed request by what was to be done with which object, and by what to grant or to mend.

    The API server's own message may quote the object, so only the words of a quota, webhook or policy are taken from
    it, without what is `hidden`.
    """
    if refused := refusal(response, hidden):
        message = f"the API server refused to {verb} {target} ({response.status}): {refused.why}"
        return ApiError(response.status, Failure(reason=refused.reason, message=message, detail=refused.words))
    if response.status == FORBIDDEN:
        message = f"the API server refused to {verb} {target} (403): grant {grant}"
        return ApiError(response.status, Failure(reason=Reason.KUBERNETES_DENIED, message=message))
    message = f"the API server could not {verb} {target} (status {response.status})"
    return ApiError(response.status, Failure(reason=Reason.KUBERNETES_UNAVAILABLE, message=message))


def refusal(response: Response, hidden: Iterable[str] = ()) -> Refusal | None:
    """Return who refuses a request that the caller has the right to, whatever the status; None if nobody does."""
    return read_refusal(str(response.body.get("message") or ""), hidden)


def causes(response: Response, key: str) -> AbstractSet[str]:
    """Return one key (`field` or `reason`) of the causes that the API server names for a refusal."""
    found = (response.body.get("details") or {}).get("causes") or ()
    return {str(cause.get(key, "")) for cause in found}
