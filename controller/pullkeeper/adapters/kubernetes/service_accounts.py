"""ServiceAccounts: the AWS role and web identity token of one, and the patch of its `imagePullSecrets`."""

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from pullkeeper.adapters.kubernetes.api_errors import api_error, causes, refusal
from pullkeeper.adapters.kubernetes.client import ApiClient
from pullkeeper.domain.errors.failures import Failure, FailureError, Reason, StaleObservationError
from pullkeeper.domain.iam import principal, role_arn
from pullkeeper.domain.iam.identity import Identity
from pullkeeper.domain.kube.api import CONFLICT, FORBIDDEN, NOT_FOUND, UNPROCESSABLE, Response
from pullkeeper.domain.secret.pull_secret import MANAGER
from pullkeeper.domain.secret.service_account_patch import (
    ObservedServiceAccount,
    ServiceAccountPatch,
    observe_service_account,
)

_AUDIENCE = "eks.amazonaws.com/audience"
_DEFAULT_AUDIENCE = "sts.amazonaws.com"
_TOKEN_SECONDS = 600
"""The shortest lifetime that Kubernetes issues; the token is used once, immediately."""
_PATCH_GRANT = "the controller patch on serviceaccounts"


def _path(namespace: str, name: str) -> str:
    # Quoted, because the name comes from an annotation and must not reach another object.
    return f"/api/v1/namespaces/{quote(namespace, safe='')}/serviceaccounts/{quote(name, safe='')}"


class ServiceAccountTokens:
    """Requests tokens of ServiceAccounts; needs get on serviceaccounts and create on serviceaccounts/token."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    async def resolve(self, identity: Identity) -> Identity:
        """Return the identity with the ServiceAccount's uid, role and audience; raises FailureError."""
        response = await self._client.request("get", _path(*identity.service_account))
        metadata = _part(_checked(response, "get", "serviceaccounts", identity), "metadata", identity)
        annotations = metadata.get("annotations") or {}
        role = _role(annotations, identity)
        return replace(
            identity,
            uid=_text(metadata, "uid", identity),
            role_arn=role,
            audience=annotations.get(_AUDIENCE, _DEFAULT_AUDIENCE),
            principal=principal.of_role(role),
        )

    async def request_token(self, identity: Identity) -> str:
        """Return a new token of a ServiceAccount that `resolve` has looked up; raises FailureError."""
        spec = {"audiences": [identity.audience], "expirationSeconds": _TOKEN_SECONDS}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        created = await self._client.request("create", f"{_path(*identity.service_account)}/token", body=body)
        status = _part(_checked(created, "create a token of", "serviceaccounts/token", identity), "status", identity)
        token = _text(status, "token", identity)
        if _subject_uid(token) != identity.uid:
            raise _unusable(identity, "it was deleted and created again just now, which the next try takes up")
        return token


def _checked(response: Response, verb: str, resource: str, identity: Identity) -> Mapping[str, Any]:
    if response.ok:
        return response.body
    if response.status == NOT_FOUND:
        raise _unusable(identity, "the ServiceAccount does not exist: create it, or name another one")
    right = verb.partition(" ")[0]
    error = api_error(response, verb, str(identity), grant=f"the controller {right} on {resource} there")
    raise _unusable(identity, error.failure.message) if response.status == FORBIDDEN else error


def _part(body: Mapping[str, Any], key: str, identity: Identity) -> Mapping[str, Any]:
    part = body.get(key)
    if isinstance(part, dict):
        return part
    raise _unreadable(identity)


def _text(part: Mapping[str, Any], key: str, identity: Identity) -> str:
    text = part.get(key)
    if isinstance(text, str) and text:
        return text
    raise _unreadable(identity)


def _subject_uid(token: str) -> object:
    """Return the uid of the ServiceAccount that a token was issued to; None if it cannot be read.

    The claim is `kubernetes.io`.`serviceaccount`.`uid` (Kubernetes documentation, "Managing Service Accounts").
    """
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return claims["kubernetes.io"]["serviceaccount"]["uid"]
    except (IndexError, KeyError, TypeError, ValueError):
        return None


def _role(annotations: Mapping[str, str], identity: Identity) -> str:
    text = annotations.get(role_arn.ROLE_ANNOTATION)
    if text is None:
        raise _unusable(identity, f"it has no role: annotate it with {role_arn.ROLE_ANNOTATION}")
    try:
        return role_arn.parse(text).text
    except ValueError as error:
        raise _unusable(identity, f"its annotation {role_arn.ROLE_ANNOTATION} is not {error}") from None


def _unusable(identity: Identity, why: str) -> FailureError:
    message = f"{identity} cannot be used: {why}"
    return FailureError(Failure(reason=Reason.SERVICE_ACCOUNT_UNUSABLE, message=message))


def _unreadable(identity: Identity) -> FailureError:
    message = f"the API server's response for {identity} cannot be read"
    return FailureError(Failure(reason=Reason.KUBERNETES_UNAVAILABLE, message=message))


class ServiceAccountClient:
    """Patches ServiceAccounts; needs patch on serviceaccounts."""

    def __init__(self, client: ApiClient, *, secret_name: str) -> None:
        self._client = client
        self._secret_name = secret_name

    async def patch(
        self, account: ObservedServiceAccount, change: ServiceAccountPatch
    ) -> ObservedServiceAccount | None:
        """Patch the ServiceAccount in exactly the version that was observed; None if it does not exist any more.

        Raises StaleObservationError if it has changed since, and FailureError.
        """
        response = await self._client.request(
            "patch",
            _path(account.namespace, account.name),
            query={"fieldManager": MANAGER},
            body=list(change.operations),
            content_type="application/json-patch+json",
        )
        if response.ok:
            return observe_service_account(response.body, self._secret_name)
        if response.status == NOT_FOUND:
            return None
        where = f"ServiceAccount {account.namespace}/{account.name}"
        if _is_stale(response):
            raise StaleObservationError(where)
        raise api_error(response, "patch", where, grant=_PATCH_GRANT)


def _is_stale(response: Response) -> bool:
    """Return whether the patch's `test` operation failed: unlike an invalid object it is refused without causes.

    A webhook that denies the request may choose the same status.
    """
    if refusal(response):
        return False
    return response.status == CONFLICT or (response.status == UNPROCESSABLE and not causes(response, "field"))
