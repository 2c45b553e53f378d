"""An API server of a hand's size: it gives the answers that a test puts in, and remembers what it was asked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pullkeeper.domain.kube.api import Response

Query = Mapping[str, str]
Give = Callable[[str, str, Query, Any], tuple[int, Any]]


@dataclass(kw_only=True, slots=True)
class CannedResponses:
    """Whatever a door asks is handed to `give`: verb, path, query, body."""

    give: Give
    asked: list[tuple[str, str, Query]] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)

    async def request(
        self,
        verb: str,
        path: str,
        *,
        query: Query | None = None,
        body: object = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> Response:
        assert content_type
        self.asked.append((verb, path, dict(query or {})))
        self.bodies.append(body)
        self.accepted.append(accept)
        status, answer = self.give(verb, path, query or {}, body)
        return Response(status=status, body=answer)
