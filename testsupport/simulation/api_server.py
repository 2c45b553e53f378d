"""The simulated API server, as a Kubernetes client: requests and watches."""

import asyncio
import base64
import json
import random
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from copy import copy
from typing import Any

from pullkeeper.domain.errors.failures import NotLeadingError
from pullkeeper.domain.kube.api import Response
from pullkeeper.domain.secret.pull_secret import DATA_KEY
from testsupport.simulation.faults import Faults
from testsupport.simulation.record import Request
from testsupport.simulation.store import RefusedError, Store, namespace_metadata, secret_metadata
from testsupport.simulation.watches import Event, SecretStreams, unavailable
from testsupport.virtual_time import elapsed

_Query = Mapping[str, str]
_READING = {"get", "list"}


class ApiServer:
    """Carries requests to the store and answers back, with a latency each way.

    A request that was sent arrives even if its sender is killed before that; its answer may get lost.
    """

    def __init__(self, store: Store, faults: Faults, rng: random.Random) -> None:
        self._store = store
        self._faults = faults
        self._rng = rng
        self.streams = SecretStreams(store, faults, rng)
        self.may_write: Callable[[], bool] = lambda: True

    def leader_gated(self, is_leader: Callable[[], bool]) -> "ApiServer":
        """Return a client whose writes raise NotLeadingError unless `is_leader()` holds."""
        gated = copy(self)
        gated.may_write = is_leader
        return gated

    async def request(
        self,
        verb: str,
        path: str,
        *,
        query: _Query | None = None,
        body: object = None,
        content_type: str = "application/json",  # noqa: ARG002 -- the protocol's
        accept: str = "application/json",  # noqa: ARG002 -- the protocol's
    ) -> Response:
        """Make one request. Raises FailureError if there is no answer."""
        if verb not in _READING and not self.may_write():
            raise NotLeadingError(path)
        loop = asyncio.get_running_loop()
        response: asyncio.Future[Response] = loop.create_future()
        loop.call_later(self._latency(), self._arrive, response, verb, path, query or {}, body)
        await response
        await asyncio.sleep(self._latency())
        if verb in {"patch", "delete"} and self._rng.random() < self._faults.at(elapsed()).answer_lost:
            raise unavailable()
        return response.result()

    def stream(
        self,
        path: str,  # noqa: ARG002 -- the protocol's
        *,
        query: _Query,
        accept: str,  # noqa: ARG002 -- the protocol's
        idle_timeout: float,  # noqa: ARG002 -- the protocol's
    ) -> AbstractAsyncContextManager[AsyncIterator[Event]]:
        """Open a watch of Secrets."""
        return self.streams.open(int(query["resourceVersion"]), float(query["timeoutSeconds"]))

    def _latency(self) -> float:
        return self._rng.uniform(0, self._faults.latency)

    def _arrive(self, response: asyncio.Future[Response], verb: str, path: str, query: _Query, body: Any) -> None:
        if self._faults.kube_back_at(elapsed()) is not None:
            self._store.record.requests.append(Request(at=elapsed(), verb=verb, path=path, status=0, body=body))
            if not response.done():
                response.set_exception(unavailable())
            return
        result = self._respond(verb, path, query, body)
        kept = None if path.endswith(("/secrets", "/namespaces")) else body
        self._store.record.requests.append(Request(at=elapsed(), verb=verb, path=path, status=result.status, body=kept))
        if not response.done():
            response.set_result(result)

    def _respond(self, verb: str, path: str, query: _Query, body: Any) -> Response:
        try:
            return Response(status=200, body=self._do(verb, path, query, body))
        except RefusedError as refused:
            return Response(status=refused.status, body={"details": {"causes": list(refused.causes)}})

    def _do(self, verb: str, path: str, query: _Query, body: Any) -> Mapping[str, Any]:
        parts = path.split("/")[3:]
        match verb, parts:
            case "patch", ["namespaces", name, "secrets", _]:
                secret = self._store.apply(name, body, force=query.get("force") == "true")
                return {"metadata": secret_metadata(secret)}
            case "delete", ["namespaces", name, "secrets", _]:
                self._store.delete(name, body.get("preconditions") or {})
                return {}
            case "create" | "patch", [_, "namespaces", name, "events", *_]:
                return self._event(verb, name, body)
            case "create", ["namespaces", name, "serviceaccounts", account, "token"]:
                return {"status": {"token": self._token(name, account, body["spec"]["audiences"])}}
        return self._read(verb, parts, query)

    def _read(self, verb: str, parts: list[str], query: _Query) -> Mapping[str, Any]:
        match verb, parts:
            case "list", ["secrets"]:
                return self._listing(map(secret_metadata, self._store.secrets.values()), query)
            case "list", ["namespaces"]:
                return self._listing(map(namespace_metadata, self._store.namespaces.values()), query)
            case "get", ["namespaces", name, "secrets", _]:
                return self._content(name)
            case "get", ["namespaces", name, "serviceaccounts", account]:
                return {"metadata": self._account(name, account)}
        raise RefusedError(403)

    def _event(self, verb: str, namespace: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        self._store.record.texts.append(json.dumps(body))
        if namespace in self._store.squatted:
            raise RefusedError(409 if verb == "create" else 422)
        return {}

    def _account(self, namespace: str, name: str) -> dict[str, Any]:
        account = self._store.accounts.get((namespace, name))
        if account is None:
            raise RefusedError(404)
        return {"name": account.name, "uid": account.uid, "annotations": account.annotations}

    def _content(self, name: str) -> Mapping[str, Any]:
        secret = self._store.secrets.get(name)
        if secret is None:
            raise RefusedError(404)
        content = {"auths": {host: {"auth": auth} for host, auth in secret.auths.items()}}
        return {"data": {DATA_KEY: base64.b64encode(json.dumps(content).encode()).decode()}}

    def _token(self, namespace: str, name: str, audiences: list[str]) -> str:
        """Return a token with the claims of a ServiceAccount, and no signature."""
        account = {"name": name, "uid": self._account(namespace, name)["uid"]}
        claims = {"sub": f"{namespace}/{name}", "aud": audiences, "kubernetes.io": {"serviceaccount": account}}
        return f"header.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.signature"

    def _listing(self, found: Iterable[Mapping[str, Any]], query: _Query) -> Mapping[str, Any]:
        """Return everything in one page: the contract tests cover paging."""
        _ = query
        version = str(self._store.version)
        return {"items": [{"metadata": metadata} for metadata in found], "metadata": {"resourceVersion": version}}
