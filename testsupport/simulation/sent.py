"""A request as it arrives at the simulated API server."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """A request: an RBAC verb, a path and what goes with it."""

    verb: str
    path: str
    query: Mapping[str, str]
    body: Any
    content_type: str


def named(query: Mapping[str, str]) -> str:
    """Return the name of the objects that a list or a watch is about; empty for all."""
    return query.get("fieldSelector", "").removeprefix("metadata.name=")
