"""A plain REST client for tests: it returns every response as it is, and can open watches."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Self

import aiohttp

from testsupport.waiting import HANG_GUARD

JSON = "application/json"
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"

METADATA_LIST = f"{JSON};as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
METADATA = f"{JSON};as=PartialObjectMetadata;v=v1;g=meta.k8s.io"


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """One response, its body parsed."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def verdict(self) -> tuple[int, str]:
        """The status and the reason of the Status object that came with it."""
        return self.status, self.body["reason"]

    @property
    def message(self) -> str:
        """The message of the Status object."""
        return str(self.body["message"])

    @property
    def causes(self) -> list[tuple[str, str]]:
        """The reason and field of each cause in the Status object."""
        causes = self.body.get("details", {}).get("causes", [])
        return [(cause["reason"], cause.get("field", "")) for cause in causes]

    def ok(self) -> Any:
        """Return the body of a success; the assertion shows the whole answer otherwise."""
        assert self.status < HTTPStatus.BAD_REQUEST, self.body
        return self.body


class Watch:
    """The events of one open watch."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def next(self) -> dict[str, Any]:
        """Return the next event; fails if the watch ends or no event comes."""
        async with asyncio.timeout(HANG_GUARD):
            event = await self.event()
        assert event is not None, "the watch ended"
        return event

    async def rest(self) -> list[dict[str, Any]]:
        """Return every event until the server ends the watch."""
        events = []
        async with asyncio.timeout(HANG_GUARD):
            while (event := await self.event()) is not None:
                events.append(event)
        return events

    async def until(self, kind: str) -> list[dict[str, Any]]:
        """Return the events up to and including the first of the given type."""
        events = [await self.next()]
        while events[-1]["type"] != kind:
            events.append(await self.next())
        return events

    async def event(self) -> dict[str, Any] | None:
        """Return the next event, however long it takes; None at the end of the watch."""
        line = await self._response.content.readline()
        return json.loads(line) if line else None


def of_name(name: str) -> dict[str, str]:
    """Return the query by which a list or a watch is of one name."""
    return {"fieldSelector": f"metadata.name={name}"}


@dataclass(frozen=True, kw_only=True, slots=True)
class RestClient:
    """Requests as one user; every answer is returned, whatever its status."""

    http: aiohttp.ClientSession
    url: str
    token: str | None

    def using(self, token: str | None) -> Self:
        """Return a client with another bearer token, or with none."""
        return replace(self, token=token)

    async def get(self, path: str, *, accept: str = JSON, **query: str | int | bool) -> Answer:
        return await self.send("GET", path, query=query, accept=accept)

    async def post(self, path: str, body: object, **query: str | int | bool) -> Answer:
        return await self.send("POST", path, body=body, query=query)

    async def put(self, path: str, body: object, **query: str | int | bool) -> Answer:
        return await self.send("PUT", path, body=body, query=query)

    async def delete(self, path: str, body: object = None, **query: str | int | bool) -> Answer:
        return await self.send("DELETE", path, body=body, query=query)

    async def merge(self, path: str, body: object, **query: str | int | bool) -> Answer:
        return await self.send("PATCH", path, body=body, query=query, content_type=MERGE)

    async def json_patch(self, path: str, *operations: Mapping[str, object]) -> Answer:
        return await self.send("PATCH", path, body=operations, content_type=JSON_PATCH)

    async def apply(
        self, path: str, body: object, *, manager: str = "pullkeeper", force: bool = False, accept: str = JSON
    ) -> Answer:
        """Server-side apply; as clients do, `force` is left out unless asked for."""
        query: dict[str, str | int | bool] = {"fieldManager": manager}
        if force:
            query["force"] = True
        return await self.send("PATCH", path, body=body, query=query, content_type=APPLY, accept=accept)

    async def send(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        query: Mapping[str, str | int | bool] | None = None,
        content_type: str = JSON,
        accept: str = JSON,
    ) -> Answer:
        headers = {**self._headers(accept), **({} if body is None else {"Content-Type": content_type})}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = self.http.request(
            method,
            self.url + path,
            params=_parameters(query or {}),
            data=None if body is None else io.BytesIO(data),
            headers=headers,
        )
        async with request as response:
            text = await response.text()
            # A finished watch is JSON lines, which Watch reads; here it stays text.
            is_json = response.content_type.endswith("json") and "watch" not in (query or {})
            parsed = json.loads(text) if is_json else text
            return Answer(status=response.status, headers=response.headers, body=parsed)

    @asynccontextmanager
    async def watch(self, path: str, *, accept: str = JSON, **query: str | int | bool) -> AsyncIterator[Watch]:
        """Open a watch; fails unless the server answers 200."""
        parameters = _parameters({"watch": True, **query})
        endless = aiohttp.ClientTimeout(total=None)  # by default a watch would break after five minutes
        request = self.http.get(self.url + path, params=parameters, headers=self._headers(accept), timeout=endless)
        async with request as response:
            assert response.status == HTTPStatus.OK, await response.text()
            try:
                yield Watch(response)
            finally:
                _abort(response)

    def _headers(self, accept: str) -> dict[str, str]:
        authorization = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return {"Accept": accept, **authorization}


def _abort(response: aiohttp.ClientResponse) -> None:
    """Break the connection: an orderly end of TLS would outlive the test's event loop."""
    connection = response.connection
    if connection is not None and connection.transport is not None:
        connection.transport.abort()


def _parameters(query: Mapping[str, str | int | bool]) -> dict[str, str]:
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in query.items()}
