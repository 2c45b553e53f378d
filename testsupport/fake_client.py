"""A fake of the Kubernetes client: gives the responses that a test has prepared and records the requests."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from pullkeeper.domain.errors.failures import Failure, FailureError, Reason
from pullkeeper.domain.kube.api import JSON, Response

AWAY = FailureError(Failure(reason=Reason.KUBERNETES_UNAVAILABLE, message="the API server is away"))


@dataclass(frozen=True, kw_only=True)
class Request:
    """A recorded request."""

    verb: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    body: Any = None
    content_type: str = JSON
    accept: str = JSON
    idle_timeout: float | None = None


Respond = Callable[[Request], Response]


def ok(body: Mapping[str, Any] | None = None, status: int = 200) -> Response:
    return Response(status=status, body=body or {})


def items(*found: Mapping[str, Any], version: int = 9, more: str = "") -> Response:
    """Return one page of a list; `more` is the continue token of the next one."""
    return ok({"items": list(found), "metadata": {"resourceVersion": str(version), "continue": more}})


class FakeClient:
    """Responds with the prepared responses in turn, repeating the last one, or as `respond` says; raises exceptions."""

    def __init__(self, *responses: Response | Exception, respond: Respond | None = None) -> None:
        self.responses: list[Response | Exception] = list(responses)
        self.respond = respond
        self.requests: list[Request] = []
        self.watches: list[Request] = []
        self.namespace = "default"
        self.opened: Callable[[], AsyncIterator[Mapping[str, Any]]] | None = None

    async def request(
        self,
        verb: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = JSON,
        accept: str = JSON,
    ) -> Response:
        request = Request(
            verb=verb, path=path, query=dict(query or {}), body=body, content_type=content_type, accept=accept
        )
        self.requests.append(request)
        if self.respond:
            return self.respond(request)
        response = self.responses.pop(0) if len(self.responses) > 1 else self.responses[0]
        if isinstance(response, Exception):
            raise response
        return response

    @asynccontextmanager
    async def stream(
        self, path: str, *, query: Mapping[str, str], accept: str, idle_timeout: float
    ) -> AsyncIterator[AsyncIterator[Mapping[str, Any]]]:
        self.watches.append(
            Request(verb="watch", path=path, query=dict(query), accept=accept, idle_timeout=idle_timeout)
        )
        assert self.opened is not None
        yield self.opened()
