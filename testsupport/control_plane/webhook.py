"""Somebody else's mutating webhook on a real API server: a small TLS server on 127.0.0.1 that patches objects."""

import base64
import json
import secrets
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from testsupport.rest import RestClient
from testsupport.tls_shapes import Authority

_CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
Patch = Callable[[Mapping[str, Any]], Sequence[Mapping[str, Any]]]
"""Gives the JSON Patch for an object; it is called in a thread of its own."""


@asynccontextmanager
async def mutating(
    api: RestClient, folder: Path, namespace: str, patch: Patch, *resources: str
) -> AsyncIterator[list[str]]:
    """Let a webhook patch what is created and changed in one namespace; gives the names that it was asked about.

    The API server takes it into account a moment later. Whatever the webhook cannot answer is refused.
    """
    authority, asked = Authority(folder), list[str]()
    with _served(authority, patch, asked) as port:
        configuration = _configuration(port, authority.pem, namespace, resources)
        (await api.post(_CONFIGURATIONS, configuration)).ok()
        try:
            yield asked
        finally:
            await api.delete(f"{_CONFIGURATIONS}/{configuration['metadata']['name']}")


@contextmanager
def _served(authority: Authority, patch: Patch, asked: list[str]) -> Iterator[int]:
    """Serve the webhook, and give its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append(review["request"]["name"])
            answer = json.dumps(_answered(review, patch(review["request"]["object"]))).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = authority.server_context().wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def _answered(review: Mapping[str, Any], patch: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    changes = base64.b64encode(json.dumps(patch).encode()).decode()
    response = {"uid": review["request"]["uid"], "allowed": True, "patchType": "JSONPatch", "patch": changes}
    return {"apiVersion": review["apiVersion"], "kind": review["kind"], "response": response}


def _configuration(port: int, ca: bytes, namespace: str, resources: Sequence[str]) -> dict[str, Any]:
    rule = {"apiGroups": ["*"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": list(resources)}
    hook = {
        "name": "theirs.example.com",
        "clientConfig": {"url": f"https://127.0.0.1:{port}/", "caBundle": base64.b64encode(ca).decode()},
        "rules": [rule],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    return {"metadata": {"name": f"theirs-{secrets.token_hex(4)}"}, "webhooks": [hook]}
