"""Refusals of writes by quota, policy and webhook, on the API server in memory and on a real one."""

import asyncio
import json
import ssl
import tempfile
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from testsupport.fake_kube import ApiServer, admission
from testsupport.fake_kube.certificates import ADDRESS, write_certificates
from testsupport.rest import RestClient
from testsupport.waiting import until

_POLICIES = "/apis/admissionregistration.k8s.io/v1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Refuser:
    """Refuses what is written into a namespace, in one of three ways, for the length of a `with`."""

    server: object
    api: RestClient
    namespace: str
    resource: str = "secrets"

    @asynccontextmanager
    async def quota(self, name: str) -> AsyncIterator[None]:
        """Let a ResourceQuota have no room for a Secret."""
        if isinstance(self.server, ApiServer):
            with self.server.faults.admission.rule(admission.no_secrets(name, self.namespace)):
                yield
            return
        path, hard = f"/api/v1/namespaces/{self.namespace}/resourcequotas", {"secrets": "0"}
        made = (await self.api.post(path, {"metadata": {"name": name}, "spec": {"hard": hard}})).ok()
        # What the quota controller would do: without a status nothing is admitted at all.
        status = {**made, "status": {"hard": hard, "used": hard}}
        (await self.api.put(f"{path}/{name}/status", status)).ok()
        await self._until_refused("exceeded quota")
        yield
        await self._remove(f"{path}/{name}")

    @asynccontextmanager
    async def policy(self, name: str, words: str, *, only: str = "") -> AsyncIterator[None]:
        """Let a ValidatingAdmissionPolicy deny every write, or those of the object `only`."""
        if isinstance(self.server, ApiServer):
            rule = admission.policy(name, self.namespace, self.resource, words, only=only)
            with self.server.faults.admission.rule(rule):
                yield
            return
        metadata, kind = {"name": name}, f"{_POLICIES}/validatingadmissionpolic"
        condition = f"object.metadata.name != {json.dumps(only)}" if only else "false"
        spec = {"validations": [{"expression": condition, "message": words}], "matchConstraints": self._match()}
        (await self.api.post(f"{kind}ies", {"metadata": metadata, "spec": spec})).ok()
        bound = {"policyName": name, "validationActions": ["Deny"]}
        (await self.api.post(f"{kind}ybindings", {"metadata": metadata, "spec": bound})).ok()
        await self._until_refused(words, only)
        yield
        await self._remove(f"{kind}ybindings/{name}", f"{kind}ies/{name}", named=only)

    @asynccontextmanager
    async def webhook(self, name: str, words: str, *, code: int) -> AsyncIterator[None]:
        """Let an admission webhook deny every write with this status."""
        if isinstance(self.server, ApiServer):
            rule = admission.webhook(name, self.namespace, self.resource, code=code, words=words)
            with self.server.faults.admission.rule(rule):
                yield
            return
        async with _serve_webhook(code, words) as client:
            match, path = self._match(), f"{_POLICIES}/validatingwebhookconfigurations"
            rules = match.pop("resourceRules")
            how = {"clientConfig": client, "sideEffects": "None", "admissionReviewVersions": ["v1"]}
            hook = {"name": name, "rules": rules, **how, **match}
            (await self.api.post(path, {"metadata": {"name": name}, "webhooks": [hook]})).ok()
            await self._until_refused(words)
            yield
            await self._remove(f"{path}/{name}")

    def _match(self) -> dict[str, Any]:
        rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"]}
        selector = {"matchLabels": {"kubernetes.io/metadata.name": self.namespace}}
        return {"namespaceSelector": selector, "resourceRules": [{**rule, "resources": [self.resource]}]}

    async def _until_refused(self, words: str, named: str = "") -> None:
        async def refused() -> bool:
            answer = await self._probe(named)
            return bool(answer.status != 201 and words in answer.message)

        await until(refused, f"the refusal {words}")

    async def _remove(self, *paths: str, named: str = "") -> None:
        """Delete what refuses, and wait until the API server knows."""

        async def admitted() -> bool:
            return bool((await self._probe(named)).status in {201, 409})

        for path in paths:
            (await self.api.delete(path)).ok()
        await until(admitted, "the end of the refusal")

    async def _probe(self, named: str) -> Any:
        path = f"/api/v1/namespaces/{self.namespace}/{self.resource}"
        return await self.api.post(path, {"metadata": {"name": named or "probe"}}, dryRun="All")


@asynccontextmanager
async def _serve_webhook(code: int, words: str) -> AsyncIterator[dict[str, str]]:
    """Serve a webhook that denies everything; give the clientConfig that finds it."""

    async def deny(request: web.Request) -> web.Response:
        uid = (await request.json())["request"]["uid"]
        response = {"uid": uid, "allowed": False, "status": {"code": code, "message": words}}
        return web.json_response({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response})

    app = web.Application()
    app.router.add_post("/", deny)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    authority, tls = _tls()
    await web.TCPSite(runner, ADDRESS, 0, ssl_context=tls).start()
    try:
        yield {"url": f"https://{ADDRESS}:{runner.addresses[0][1]}/", "caBundle": authority}
    finally:
        # The API server keeps its connections open, and TLS waits for its farewell: longer than this loop may live.
        open_ones = [each.transport for each in runner.server.connections] if runner.server else []
        for transport in filter(None, open_ones):
            transport.abort()
        await runner.cleanup()
        await asyncio.sleep(0)


def _tls() -> tuple[str, ssl.SSLContext]:
    """Return the base64 of a CA's PEM, and a server's context with a certificate of it."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with tempfile.TemporaryDirectory() as folder:
        authority, certificate, key = write_certificates(Path(folder))
        tls.load_cert_chain(certificate, key)
        return b64encode(Path(authority).read_bytes()).decode(), tls
