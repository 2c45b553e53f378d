"""The one write to ServiceAccounts: a JSON Patch that holds for just the version that was observed."""

from collections.abc import Mapping
from typing import Protocol

from pullkeeper.domain.errors.failures import Failure, FailureError, Reason, StaleObservationError
from pullkeeper.domain.kube.api import CONFLICT, FORBIDDEN, NOT_FOUND, UNPROCESSABLE, Response
from pullkeeper.domain.secret.pull_secret import MANAGER
from pullkeeper.domain.secret.service_account_patch import (
    ObservedServiceAccount,
    ServiceAccountPatch,
    observe_service_account,
)


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
    ) -> Response:
        """Make one request."""
        ...


class ServiceAccountClient:
    """Patches ServiceAccounts; it needs patch on them."""

    def __init__(self, connection: Connection, *, secret_name: str) -> None:
        self._connection = connection
        self._secret_name = secret_name

    async def patch(
        self, account: ObservedServiceAccount, change: ServiceAccountPatch
    ) -> ObservedServiceAccount | None:
        """Patch just the version that was observed; None where the ServiceAccount is gone.

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
            return observe_service_account(answer.body, self._secret_name)
        if answer.status == NOT_FOUND:
            return None
        raise _refused(account, answer)


def _refused(account: ObservedServiceAccount, answer: Response) -> Exception:
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
