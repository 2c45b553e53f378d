"""What a client behind the fault proxy is shown of the cluster: all, an older version, or not what happened in between.

These are two of the patterns that Sieve (OSDI 2022) tries on controllers: stale state and unobserved state.
"""

import asyncio
import json
from collections import defaultdict
from typing import Any

from aiohttp import web

_Key = tuple[str, str]


class View:
    """What watches and lists show; at first, everything as it is."""

    def __init__(self) -> None:
        self._frozen_at = ""
        self._current = asyncio.Event()
        self._current.set()
        self.reached: dict[_Key, int] = {}
        """The newest version of each object that a watch has brought here, shown or not."""
        self._gap: dict[web.StreamResponse, dict[_Key, list[bytes]]] | None = None

    def freeze(self, version: str) -> None:
        """Show this version from now on: watches stand still, and lists are the API server's own of that version."""
        self._frozen_at = version
        self._current.clear()

    def thaw(self) -> None:
        """Show the present again; watches catch up with every event that was held."""
        self._frozen_at = ""
        self._current.set()

    def open_gap(self) -> None:
        """Hide what happens from now on."""
        self._gap = defaultdict(lambda: defaultdict(list))

    async def close_gap(self) -> int:
        """Show each object only as it is now, and what has come and gone not at all; return how many were hidden."""
        gap, self._gap = self._gap or {}, None
        hidden = 0
        for response, objects in gap.items():
            for lines in objects.values():
                shown = [] if _came_and_went(lines) else lines[-1:]
                hidden += len(lines) - len(shown)
                await response.write(b"".join(shown))
        return hidden

    def query(self, request: web.Request) -> str:
        """Return the path and query that a list is to be asked with."""
        if not self._frozen_at or "watch" in request.query or "continue" in request.query:
            return request.path_qs
        exact = {"resourceVersion": self._frozen_at, "resourceVersionMatch": "Exact"}
        return str(request.rel_url.update_query(exact))

    async def deliver(self, response: web.StreamResponse, line: bytes) -> None:
        """Show one event of a watch, now, later or never."""
        if not line.endswith(b"\n"):
            return  # the API server has broken off within an event
        event = json.loads(line)
        key, version = _key(event["object"])
        self.reached[key] = max(version, self.reached.get(key, 0))
        await self._current.wait()
        if self._gap is None:
            await response.write(line)
        elif event["type"] != "BOOKMARK":
            self._gap[response][key].append(line)


def _key(shown: dict[str, Any]) -> tuple[_Key, int]:
    metadata = shown["metadata"]
    return (metadata.get("namespace", ""), metadata.get("name", "")), int(metadata.get("resourceVersion") or 0)


def _came_and_went(lines: list[bytes]) -> bool:
    kinds = [json.loads(line)["type"] for line in (lines[0], lines[-1])]
    return kinds == ["ADDED", "DELETED"]
