"""Creates pods in dry runs, to see what admission makes of them."""

from pullkeeper.adapters.kubernetes.api_errors import api_error
from pullkeeper.adapters.kubernetes.client import ApiClient

_OWN = "pullkeeper-check"
"""The Secret that the pod names itself, so that it does not get those of its ServiceAccount."""


class PodTrial:
    """Asks the API server for pods that are never created."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    async def added_pull_secrets(self, namespace: str, image: str) -> frozenset[str]:
        """Return the pull Secrets that admission policies and webhooks add to a pod; raises FailureError."""
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pullkeeper-check"}, "spec": _spec(image)}
        path = f"/api/v1/namespaces/{namespace}/pods"
        response = await self._client.request("create", path, query={"dryRun": "All"}, body=pod)
        if not response.ok:
            target = f"a pod in {namespace} in a dry run"
            raise api_error(response, "create", target, grant=f"create on pods in {namespace}")
        named = (response.body.get("spec") or {}).get("imagePullSecrets") or ()
        return frozenset(str(each.get("name", "")) for each in named) - {_OWN}


def _spec(image: str) -> dict[str, object]:
    """Return the spec of a pod that the restricted Pod Security Standard and most quotas admit."""
    resources = {"cpu": "1m", "memory": "1Mi"}
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    container = {
        "name": "check",
        "image": image,
        "resources": {"requests": resources, "limits": resources},
        "securityContext": security,
    }
    return {
        "containers": [container],
        "imagePullSecrets": [{"name": _OWN}],
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
    }
