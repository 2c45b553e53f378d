"""Faults: which calls they hit, how often, and when they end."""

from __future__ import annotations

import asyncio
import itertools
import threading
from dataclasses import dataclass, field
from typing import TypedDict

from testsupport.fake_aws.arns import like
from testsupport.fake_aws.effects import Deny, Drip, Effect, Fail, Garble, Life, Reset, Throttle, Wait
from testsupport.fake_aws.records import API_SERVICES, Call
from testsupport.waiting import HANG_GUARD


class Where(TypedDict, total=False):
    """The scope of a fault; what is not given fits every API call.

    `service` is ecr, ecr-public, sts, imds, container or registry (the last three only if named here or by
    their operation: GetInstanceCredentials, GetContainerCredentials, ProbeRegistry). `principal` is a pattern
    (`*`, `?`) that the caller's ARN, the role behind it or the role that it asks for must match. `host` is a
    pattern of the host that was asked. `times` ends the fault after so many.
    """

    service: str | None
    operation: str | None
    region: str | None
    host: str | None
    principal: str | None
    times: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """Which calls a fault hits."""

    service: str | None = None
    operation: str | None = None
    region: str | None = None
    host: str | None = None
    principal: str | None = None

    def fits(self, call: Call) -> bool:
        """Whether the call is in the scope."""
        return (
            self._service_fits(call)
            and self.operation in {None, call.operation}
            and self.region in {None, call.region}
            and (self.host is None or like(self.host, call.host or ""))
            and (self.principal is None or any(like(self.principal, name) for name in _names(call)))
        )

    def _service_fits(self, call: Call) -> bool:
        if self.service is None and self.operation is None:
            return call.service in API_SERVICES
        return self.service in {None, call.service}


def _oldest(faults: list[Fault], *kinds: type[Effect]) -> list[Fault]:
    return [fault for fault in faults if isinstance(fault.effect, kinds)][:1]


def _names(call: Call) -> list[str]:
    return [name for name in (call.principal, call.role_arn, call.target_role) if name is not None]


@dataclass(kw_only=True, slots=True, eq=False)
class Fault:
    """A fault that was set up. `clear()` ends it and lets go of the calls that it holds."""

    id: int
    name: str
    effect: Effect
    scope: Scope
    times: int | None
    board: FaultBoard = field(repr=False)
    played: int = 0
    _hits: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0), repr=False)
    _released: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    @property
    def spent(self) -> bool:
        """Whether it has been played as often as it should."""
        return self.times is not None and self.played >= self.times

    def clear(self) -> None:
        """End it."""
        self.board.clear(self)

    def wait_played(self) -> bool:
        """Block (never on the fake's own loop) until it has hit one more call; False if no call comes."""
        return self._hits.acquire(timeout=HANG_GUARD)

    def hit(self) -> None:
        """Count one call that it is played on."""
        self.played += 1
        self._hits.release()

    def release(self) -> None:
        """Let the held calls go on. On the fake's loop only."""
        self._released.set()

    async def hold(self, seconds: float | None) -> None:
        """Hold a call for so long, or until the fault is cleared."""
        try:
            await asyncio.wait_for(self._released.wait(), seconds)
        except TimeoutError:
            return


class FaultBoard:
    """The faults in force. They are set and cleared from any thread, and played on the fake's loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._ids = itertools.count(1)
        self._faults: list[Fault] = []

    def add(self, name: str, effect: Effect, where: Where) -> Fault:
        """Put a fault into force; raises ValueError where `times` is not positive or the scope has odd keys."""
        if unknown := where.keys() - Where.__annotations__.keys():
            # A misspelt key that came over the control API would widen the fault to everything.
            raise ValueError(f"a fault has no {', '.join(sorted(unknown))}")
        scope = Scope(
            service=where.get("service"),
            operation=where.get("operation"),
            region=where.get("region"),
            host=where.get("host"),
            principal=where.get("principal"),
        )
        times = where.get("times")
        if times is not None and times < 1:
            raise ValueError(f"times is {times}, a fault is played at least once")
        with self._lock:
            fault = Fault(id=next(self._ids), name=name, effect=effect, scope=scope, times=times, board=self)
            self._faults.append(fault)
        return fault

    def take(self, call: Call) -> list[Fault]:
        """Give the faults to play on this call, counted as played.

        At most one delay, and the oldest of those that end it; only where none does, one that changes what is
        issued.
        """
        with self._lock:
            fitting = [fault for fault in self._faults if not fault.spent and fault.scope.fits(call)]
            delay = _oldest(fitting, Wait)
            end = _oldest(fitting, Deny, Throttle, Fail, Reset, Drip, Garble)
            chosen = [*delay, *(end or _oldest(fitting, Life))]
            for fault in chosen:
                fault.hit()
            return chosen

    def in_force(self) -> list[Fault]:
        """Give the faults that may still be played."""
        with self._lock:
            return [fault for fault in self._faults if not fault.spent]

    def clear_id(self, fault_id: int) -> bool:
        """End the fault with this id; False where there is none."""
        with self._lock:
            found = [fault for fault in self._faults if fault.id == fault_id]
        for fault in found:
            self.clear(fault)
        return bool(found)

    def clear(self, fault: Fault | None = None) -> None:
        """End one fault, or all, and let their calls go."""
        with self._lock:
            ended = [each for each in self._faults if fault in {None, each}]
            self._faults = [each for each in self._faults if each not in ended]
        if self._loop.is_closed():
            return
        for each in ended:
            self._loop.call_soon_threadsafe(each.release)
