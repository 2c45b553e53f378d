"""What is measured of each number of namespaces."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from tools.bench.table import percentile

MANY = 100
"""Waits from which on the slowest of a hundred is more than the slowest of all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Waits:
    """From opt-in to the Secret, in seconds."""

    number: int
    median: float
    slow: float
    """99th percentile of many waits, else the worst."""

    @classmethod
    def of(cls, waits: Sequence[float]) -> Self:
        """Sum them up."""
        slow = percentile(waits, 99) if len(waits) >= MANY else max(waits)
        return cls(number=len(waits), median=round(percentile(waits, 50), 5), slow=round(slow, 5))

    @property
    def slow_name(self) -> str:
        """What `slow` is."""
        return "p99" if self.number >= MANY else f"worst of {self.number}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rotations:
    """Rotations of all at full speed."""

    seconds: float
    """For each Secret."""
    cpu: float
    """Processor seconds for each Secret."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Hostility:
    """What hostile tenants did."""

    rate: float
    """Requests of all of them in a second."""
    cpu: float
    """Processor seconds for each request, of whoever served beside them; with the opt-ins meanwhile."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """The figures of one number of namespaces: the controller's, and a bare program's; seconds, MiB."""

    namespaces: int
    load: float
    """Of the machine within the minute before: on one that does nothing else it is 0."""
    rotation: Rotations
    bare_rotation: Rotations
    resident: float
    """After a rotation."""
    ready: float
    kopf: float
    """What kopf alone takes to see every Namespace."""
    meanwhile: float
    """How long after it is ready a namespace is served that has opted in when the process was started."""
    idle_cpu: float
    """Percent of one processor."""
    rest: Waits
    bare_rest: Waits
    busy: Waits
    """While all rotate."""
    bare_busy: Waits
    """While as many bare applies as possible are made by the same program."""
    hostile: Waits
    bare_hostile: Waits
    hostility: Hostility
    bare_hostility: Hostility
    first: Waits
    """With a token of its own."""
    bare_first: Waits


def exponent(first: tuple[float, float], last: tuple[float, float]) -> float:
    """Return the slope between two points of a curve in logarithms: 0 is flat, 1 is linear."""
    (x1, y1), (x2, y2) = first, last
    return math.log(y2 / y1) / math.log(x2 / x1)
