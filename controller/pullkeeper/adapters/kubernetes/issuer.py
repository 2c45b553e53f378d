"""Who issues the tokens of the cluster's ServiceAccounts."""

from pullkeeper.adapters.kubernetes.api_errors import api_error
from pullkeeper.adapters.kubernetes.client import ApiClient
from pullkeeper.domain.errors.failures import Failure, FailureError, Reason

_PATH = "/.well-known/openid-configuration"


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
