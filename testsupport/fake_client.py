"""A connection to the API server that answers what a test has put up, and writes down what was asked."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from pullkeeper.domain.errors.failures import Failure, FailureError, Reason
from pullkeeper.domain.kube.api import Response

AWAY = FailureError(Failure(reason=Reason.KUBERNETES_UNAVAILABLE, message="the API server is away"))


@dataclass(frozen=True, kw_only=True)
class Request:
    """What was asked."""

    verb: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    body: Any = None
    content_type: str = ""
    accept: str = ""


def ok(body: Mapping[str, Any] | None = None, status: int = 200) -> Response:
    return Response(status=status, body=body or {})


class FakeClient:
    """Gives one answer after the other, and the last one again and again; an exception is raised."""

    def __init__(self, *answers: Response | Exception) -> None:
        self.answers: list[Response | Exception] = list(answers)
        self.asked: list[Request] = []
        self.watches: list[Request] = []
        self.silences: list[float] = []
        self.opened: Callable[[], AsyncIterator[Mapping[str, Any]]] | None = None

    async def request(
        self,
        verb: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = "",
        accept: str = "",
    ) -> Response:
        self.asked.append(
            Request(verb=verb, path=path, query=dict(query or {}), body=body, content_type=content_type, accept=accept)
        )
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    @asynccontextmanager
    async def stream(
        self, path: str, *, query: Mapping[str, str], accept: str, silence: float
    ) -> AsyncIterator[AsyncIterator[Mapping[str, Any]]]:
        self.watches.append(Request(verb="watch", path=path, query=dict(query), accept=accept))
        self.silences.append(silence)
        assert self.opened is not None
        yield self.opened()
