"""ServiceAccounts of the namespaces, as identities for AWS: their role, and a token that AWS takes."""

from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import quote

from pullkeeper.domain.errors.failures import Failure, FailureError, Reason
from pullkeeper.domain.iam import role_arn
from pullkeeper.domain.iam.identity import Identity
from pullkeeper.domain.kube.api import FORBIDDEN, NOT_FOUND, Response

_ROLE = "eks.amazonaws.com/role-arn"
_AUDIENCE = "eks.amazonaws.com/audience"
_DEFAULT_AUDIENCE = "sts.amazonaws.com"
_SECONDS = 600
"""The shortest life that Kubernetes gives a token; it is used once, at once."""


class Connection(Protocol):
    """Whoever carries a request to the API server; raises FailureError when there is no answer."""

    async def request(self, verb: str, path: str, *, body: object = None) -> Response:
        """Make one request."""
        ...


class ServiceAccountTokens:
    """Asks for tokens of ServiceAccounts; it needs get on them, and create on their `token`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def web_identity(self, identity: Identity) -> tuple[str, str]:
        """Give the role's ARN and a new token; raises FailureError with what is missing."""
        namespace, name = identity.service_account
        path = f"/api/v1/namespaces/{quote(namespace, safe='')}/serviceaccounts/{quote(name, safe='')}"
        account = await self._asked("get", path, identity)
        annotations = _part(account, "metadata", identity).get("annotations") or {}
        role = _role(annotations, identity)
        spec = {"audiences": [annotations.get(_AUDIENCE, _DEFAULT_AUDIENCE)], "expirationSeconds": _SECONDS}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        answer = await self._asked("create", f"{path}/token", identity, body)
        token = _part(answer, "status", identity).get("token")
        if not isinstance(token, str) or not token:
            raise _unreadable(identity)
        return role, token

    async def _asked(self, verb: str, path: str, identity: Identity, body: object = None) -> Mapping[str, Any]:
        answer = await self._connection.request(verb, path, body=body)
        if answer.ok:
            return answer.body
        if answer.status == NOT_FOUND:
            raise _unusable(identity, "there is no such ServiceAccount: create it, or name another one")
        if answer.status == FORBIDDEN:
            missing = f"{verb} on serviceaccounts{'/token' if verb == 'create' else ''}"
            raise _unusable(identity, f"the controller has no right to {missing} there: grant it in that namespace")
        message = f"the API server could not {verb} what belongs to {identity} (status {answer.status})"
        raise FailureError(Failure(reason=Reason.KUBERNETES_UNAVAILABLE, message=message))


def _part(body: Mapping[str, Any], key: str, identity: Identity) -> Mapping[str, Any]:
    part = body.get(key)
    if isinstance(part, dict):
        return part
    raise _unreadable(identity)


def _unreadable(identity: Identity) -> FailureError:
    message = f"the API server answered for {identity} with nothing that can be read"
    return FailureError(Failure(reason=Reason.KUBERNETES_UNAVAILABLE, message=message))


def _role(annotations: Mapping[str, str], identity: Identity) -> str:
    text = annotations.get(_ROLE)
    if text is None:
        raise _unusable(identity, f"it names no role: annotate it with {_ROLE}")
    try:
        return role_arn.parse(text).text
    except ValueError as error:
        raise _unusable(identity, f"its annotation {_ROLE} is not {error}") from None


def _unusable(identity: Identity, why: str) -> FailureError:
    message = f"{identity} cannot be used: {why}"
    return FailureError(Failure(reason=Reason.SERVICE_ACCOUNT_UNUSABLE, message=message))
