"""Blocking calls from the event loop, each with one deadline for all of it."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

from pullkeeper.domain.errors.failures import FailureError

_T = TypeVar("_T")

MAX_HANGING = 4
"""Calls of one group that may go on hanging in their threads; more fail at once."""
_SERVICES = {
    "sts": "STS",
    "ecr": "ECR",
    "ecr-public": "ECR Public",
    "sso": "IAM Identity Center",
    "rolesanywhere": "IAM Roles Anywhere",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """A service of AWS, and the host that was asked for it."""

    service: str
    host: str

    def __str__(self) -> str:
        return f"{self.service} at {self.host}"


class DeadlineError(Exception):
    """A call was not answered in full within its time."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"no complete answer within {seconds:.0f} s")


class TooManyHangingError(Exception):
    """So many earlier calls are still hanging that no other one was made."""

    def __init__(self) -> None:
        super().__init__(f"{MAX_HANGING} earlier calls are still without an answer")


class CallError(Exception):
    """A call failed. `cause` may quote a response, so only its type is for the eyes of people."""

    def __init__(self, cause: Exception, asked: Endpoint | None) -> None:
        super().__init__(type(cause).__name__)
        self.cause = cause
        self.asked = asked
        """What was asked last; None if nothing was sent."""


@dataclass(kw_only=True, slots=True)
class _Call:
    group: str
    asked: Endpoint | None = None
    given_up: bool = False


_thread = threading.local()


def note_request(service: str, url: str) -> None:
    """Note what the call in this thread is asking."""
    call: _Call | None = getattr(_thread, "call", None)
    if call is not None:
        call.asked = Endpoint(service=_SERVICES.get(service, service), host=urlsplit(url).netloc)


class Calls:
    """Runs blocking calls in daemon threads. One that hangs is given up: it delays neither others nor the shutdown.

    connect and read timeouts bound one address and one read only, so they bound no call.
    """

    def __init__(self) -> None:
        self._hanging: Counter[str] = Counter()

    async def run(self, call: Callable[[], _T], *, group: str, seconds: float) -> _T:
        """Return what a call returns; raise CallError, or the call's own FailureError.

        Calls of one `group` hang for the same cause, so that no more than a few of them need to.
        """
        if self._hanging[group] >= MAX_HANGING:
            raise CallError(TooManyHangingError(), None)
        state = _Call(group=group)
        done = self._start(call, state)
        try:
            await asyncio.wait([done], timeout=seconds)
        finally:
            if not done.done():
                state.given_up = True
                self._hanging[group] += 1
                done.cancel()
        if done.cancelled():
            raise CallError(DeadlineError(seconds), state.asked)
        return _result(done, state)

    def _start(self, call: Callable[[], _T], state: _Call) -> asyncio.Future[_T]:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[_T] = loop.create_future()

        def finish(result: _T | None, error: BaseException | None) -> None:
            if state.given_up:
                self._end_hanging(state.group)
            elif error is not None:
                done.set_exception(error)
            else:
                done.set_result(result)  # type: ignore[arg-type] # without an error there is a result

        def run() -> None:
            result, error = None, None
            _thread.call = state
            try:
                result = call()
            except BaseException as caught:  # noqa: BLE001 -- raised again in the caller
                error = caught
            with suppress(RuntimeError):  # the loop is closed: nobody is waiting any more
                loop.call_soon_threadsafe(finish, result, error)

        threading.Thread(target=run, daemon=True, name="aws").start()
        return done

    def _end_hanging(self, group: str) -> None:
        self._hanging[group] -= 1
        if self._hanging[group] <= 0:
            del self._hanging[group]


def _result(done: asyncio.Future[_T], state: _Call) -> _T:
    try:
        return done.result()
    except FailureError:
        raise
    except Exception as error:  # noqa: BLE001 -- any exception of a library becomes a CallError, which has no text
        raise CallError(error, state.asked) from None
