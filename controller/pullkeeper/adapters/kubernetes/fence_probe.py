"""What `pullkeeper check` tries, without doing it, to see whether the admission fence holds."""

import base64
from typing import Any

from pullkeeper.adapters.kubernetes.api_errors import api_error, refusal
from pullkeeper.adapters.kubernetes.client import ApiClient
from pullkeeper.domain.errors.refusals import Refusal
from pullkeeper.domain.secret.pull_secret import DATA_KEY, LABELS, SECRET_TYPE

_FOREIGN = "fence.example.com/probe"
_NO_AUTHS = base64.b64encode(b'{"auths":{}}').decode()


class FenceProbe:
    """Tries to write what no controller of ours would write; needs create and patch on the pull Secret."""

    def __init__(self, client: ApiClient, *, secret_name: str) -> None:
        self._client = client
        self._secret_name = secret_name

    async def dry_run(self, namespace: str) -> Refusal | None:
        """Return who refuses a pull Secret with an annotation that is not ours; None if it would be admitted.

        It is a dry run, whatever comes of it. Raises FailureError where the API server does not get as far as that.
        """
        response = await self._client.request(
            "patch",
            f"/api/v1/namespaces/{namespace}/secrets/{self._secret_name}",
            query={"fieldManager": "pullkeeper-check", "force": "true", "dryRun": "All"},
            body=self._body(),
            content_type="application/apply-patch+yaml",
        )
        if response.ok:
            return None
        if refused := refusal(response):
            return refused
        grant = f"create and patch on secrets named {self._secret_name}"
        raise api_error(response, "apply (as a dry run)", f"Secret {namespace}/{self._secret_name}", grant=grant)

    def _body(self) -> dict[str, Any]:
        metadata = {"name": self._secret_name, "labels": dict(LABELS), "annotations": {_FOREIGN: "x"}}
        data = {DATA_KEY: _NO_AUTHS}
        return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": SECRET_TYPE, "data": data}
