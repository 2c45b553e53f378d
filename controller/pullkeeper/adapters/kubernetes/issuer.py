"""Who issues the tokens of the cluster's ServiceAccounts, and with which keys."""

from collections.abc import Set as AbstractSet

from pullkeeper.adapters.kubernetes.api_errors import api_error
from pullkeeper.adapters.kubernetes.client import ApiClient
from pullkeeper.domain.errors.failures import Failure, FailureError, Reason
from pullkeeper.domain.iam.oidc_issuer import PublicKey, read_keys

_PATH = "/.well-known/openid-configuration"
_KEYS_PATH = "/openid/v1/jwks"
_KEYS = "application/jwk-set+json"
"""The API server gives the key set as nothing else."""


async def read_issuer(client: ApiClient) -> str:
    """Return the URL of the cluster's issuer; raises FailureError."""
    response = await client.request("get", _PATH)
    if not response.ok:
        raise api_error(response, "get", "its issuer", grant=f"get on the URL {_PATH}, or name it with --issuer")
    issuer = response.body.get("issuer")
    if not isinstance(issuer, str) or not issuer:
        message = "the API server names no issuer of its tokens"
        raise FailureError(Failure(reason=Reason.KUBERNETES_UNAVAILABLE, message=message))
    return issuer


async def read_signing_keys(client: ApiClient) -> AbstractSet[PublicKey]:
    """Return the keys of which the API server accepts tokens, so all that it may sign with; raises FailureError."""
    response = await client.request("get", _KEYS_PATH, accept=_KEYS)
    if not response.ok:
        raise api_error(response, "get", "the keys of its issuer", grant=f"get on the URL {_KEYS_PATH}")
    try:
        return read_keys(response.body)
    except ValueError as error:
        message = f"the API server's key set cannot be read: {error}"
        raise FailureError(Failure(reason=Reason.KUBERNETES_UNAVAILABLE, message=message)) from None
