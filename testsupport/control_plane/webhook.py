"""Somebody else's mutating webhook on a real API server: a small TLS server on 127.0.0.1 that patches new objects."""

import base64
import json
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from testsupport.rest import RestClient
from testsupport.tls_shapes import Authority

_CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
Patch = Callable[[Mapping[str, Any]], Sequence[Mapping[str, Any]]]
"""Gives the JSON Patch for an object."""


@asynccontextmanager
async def mutating(
    api: RestClient, folder: Path, namespace: str, resource: str, patch: Patch, *, verb: str = "CREATE"
) -> AsyncIterator[list[str]]:
    """Let a webhook patch one namespace's objects of a kind; gives the names of those that it was asked about.

    The API server takes it into account a moment later. Whatever the webhook cannot answer is refused.
    """
    authority = Authority(folder)
    asked: list[str] = []

    async def review(request: web.Request) -> web.Response:
        body = await request.json()
        given = body["request"]
        asked.append(given["name"])
        changes = base64.b64encode(json.dumps(patch(given["object"])).encode()).decode()
        answer = {"uid": given["uid"], "allowed": True, "patchType": "JSONPatch", "patch": changes}
        return web.json_response({**{key: body[key] for key in ("apiVersion", "kind")}, "response": answer})

    app = web.Application()
    app.router.add_post("/", review)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=authority.server_context())
    await site.start()
    configuration = _configuration(runner.addresses[0][1], authority.pem, namespace, resource, verb)
    path = f"{_CONFIGURATIONS}/{configuration['metadata']['name']}"
    try:
        (await api.post(_CONFIGURATIONS, configuration)).ok()
        yield asked
    finally:
        await api.delete(path)
        await runner.cleanup()


def _configuration(port: int, ca: bytes, namespace: str, resource: str, verb: str) -> dict[str, Any]:
    hook = {
        "name": "theirs.example.com",
        "clientConfig": {"url": f"https://127.0.0.1:{port}/", "caBundle": base64.b64encode(ca).decode()},
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": [verb], "resources": [resource]}],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    return {"metadata": {"name": f"theirs-{secrets.token_hex(4)}"}, "webhooks": [hook]}
