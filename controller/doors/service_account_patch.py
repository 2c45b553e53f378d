"""The one write to ServiceAccounts: a JSON Patch that holds for just the version that was observed."""

from collections.abc import Mapping
from typing import Protocol

from controller.core.api import CONFLICT, FORBIDDEN, NOT_FOUND, UNPROCESSABLE, Answer
from controller.core.attachment import Change, ObservedAccount, observe
from controller.core.pull_secret import MANAGER
from controller.core.reasons import Failure, FailureError, Reason, StaleObservationError


class Connection(Protocol):
    """Whoever carries a request to the API server; raises FailureError when there is no answer."""

    async def request(
        self,
        verb: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = ...,
    ) -> Answer:
        """Make one request."""
        ...


class ServiceAccountPatch:
    """Patches ServiceAccounts; it needs patch on them."""

    def __init__(self, connection: Connection, *, secret_name: str) -> None:
        self._connection = connection
        self._secret_name = secret_name

    async def patch(self, account: ObservedAccount, change: Change) -> ObservedAccount | None:
        """Change just the version that was observed; None where the ServiceAccount is gone.

        Raises StaleObservationError where somebody was quicker, and FailureError.
        """
        answer = await self._connection.request(
            "patch",
            f"/api/v1/namespaces/{account.namespace}/serviceaccounts/{account.name}",
            query={"fieldManager": MANAGER},
            body=list(change.operations),
            content_type="application/json-patch+json",
        )
        if answer.ok:
            return observe(answer.body, self._secret_name)
        if answer.status == NOT_FOUND:
            return None
        raise _refused(account, answer)


def _refused(account: ObservedAccount, answer: Answer) -> Exception:
    where = f"ServiceAccount {account.namespace}/{account.name}"
    # A patch whose `test` fails is answered without a cause; what breaks a rule has one.
    causes = (answer.body.get("details") or {}).get("causes")
    if answer.status == CONFLICT or (answer.status == UNPROCESSABLE and not causes):
        return StaleObservationError(where)
    if answer.status == FORBIDDEN:
        message = (
            f"the API server refused to patch {where} (403): grant the controller's ServiceAccount patch on "
            "serviceaccounts, or let it through where an admission webhook stands in the way"
        )
        return FailureError(Failure(reason=Reason.KUBERNETES_DENIED, message=message))
    message = f"the API server could not patch {where} (status {answer.status})"
    return FailureError(Failure(reason=Reason.KUBERNETES_UNAVAILABLE, message=message))
