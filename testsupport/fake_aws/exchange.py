"""One exchange: enter the call, play the faults on it, answer, write down how it ended."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from aiohttp import web

from testsupport.fake_aws.call_log import CallLog
from testsupport.fake_aws.effects import Deny, Drip, Fail, Garble, Life, Reset, Throttle, Wait
from testsupport.fake_aws.errors import AwsError
from testsupport.fake_aws.faults import Fault, FaultBoard
from testsupport.fake_aws.records import BROKEN, CLIENT_GONE, CONNECTION_RESET, GARBAGE, OK, Call

Answer = Callable[[timedelta | None], Awaitable[web.Response]]
Refuse = Callable[[AwsError], web.Response]

# SO_LINGER on, with no time: closing sends a reset instead of an orderly end.
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


class ConnectionDroppedError(Exception):
    """The client is to see its connection reset."""


class Exchange:
    """Every request to the fake goes over it."""

    def __init__(self, board: FaultBoard, call_log: CallLog, clock: Callable[[], datetime]) -> None:
        self._board = board
        self._call_log = call_log
        self._clock = clock
        self._closing = False

    def close(self) -> None:
        """Let go of every held call, without an answer."""
        self._closing = True
        self._board.clear()

    async def play(self, http: web.Request, call: Call, answer: Answer, refuse: Refuse) -> web.StreamResponse:
        """Serve one call. `answer` gets the life that a fault wants for what is issued, or None."""
        faults = self._board.take(call)
        call = replace(call, fault="+".join(fault.name for fault in faults) or None)
        number = self._call_log.begin(call)
        response: web.StreamResponse
        outcome = BROKEN  # what remains after an exception that nobody foresaw
        try:
            outcome, response = await self._result(http, call, faults, answer)
        except AwsError as error:
            outcome, response = error.code, refuse(error)
        except asyncio.CancelledError:
            outcome = CLIENT_GONE
            raise
        except ConnectionDroppedError:
            outcome, response = CONNECTION_RESET, _reset(http)
        finally:
            self._call_log.finish(number, outcome, self._clock())
        return response

    async def _result(
        self, http: web.Request, call: Call, faults: list[Fault], answer: Answer
    ) -> tuple[str, web.StreamResponse]:
        life: timedelta | None = None
        for fault in faults:
            match fault.effect:
                case Wait(seconds=seconds):
                    await self._hold(fault, seconds)
                case Deny() | Throttle() | Fail() as refusal:
                    raise refusal.error(call)
                case Reset():
                    raise ConnectionDroppedError
                case Drip(seconds=seconds):
                    return OK, await self._dripped(http, fault, await answer(life), seconds)
                case Garble() as garble:
                    return GARBAGE, garble.answer(call, self._clock())
                case Life(life=life):
                    pass
        return OK, await answer(life)

    async def _dripped(
        self, http: web.Request, fault: Fault, answer: web.Response, seconds: float
    ) -> web.StreamResponse:
        body = answer.body
        assert isinstance(body, bytes)
        dripped = web.StreamResponse(status=answer.status, headers=answer.headers)
        dripped.content_length = len(body)
        await dripped.prepare(http)
        for byte in body:
            await self._hold(fault, seconds)
            await dripped.write(bytes([byte]))
        return dripped

    async def _hold(self, fault: Fault, seconds: float | None) -> None:
        await fault.hold(seconds)
        if self._closing:
            raise ConnectionDroppedError


def _reset(http: web.Request) -> web.Response:
    transport = http.transport
    if transport is not None:
        sock = transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        transport.abort()
    return web.Response()  # nobody is there to read it
