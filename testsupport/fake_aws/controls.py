"""How a test sets up faults."""

from __future__ import annotations

from datetime import timedelta
from typing import Unpack

from testsupport.fake_aws.effects import (
    TOKEN_GARBAGE,
    Deny,
    Drip,
    Effect,
    Fail,
    Garbage,
    Garble,
    Life,
    Reset,
    Throttle,
    Wait,
)
from testsupport.fake_aws.faults import Fault, FaultBoard, Where


class FaultControls:
    """The faults of the fake. Each takes a scope (see `Where`) and is in force until it is cleared or spent.

    Where several fit a call, a delay comes first and then the oldest of the others.
    """

    def __init__(self, board: FaultBoard) -> None:
        self._board = board

    @property
    def faults(self) -> list[Fault]:
        """The faults in force."""
        return self._board.in_force()

    def clear_faults(self) -> None:
        """End every fault and let the held calls go on."""
        self._board.clear()

    def clear_fault(self, fault_id: int) -> bool:
        """End one fault by its id, also one that is spent but still holds a call; False where there is none."""
        return self._board.clear_id(fault_id)

    def deny(self, **where: Unpack[Where]) -> Fault:
        """AccessDenied, in AWS' words for the caller and the operation."""
        return self._set("deny", Deny(), where)

    def throttle(self, code: str | None = None, status: int | None = None, **where: Unpack[Where]) -> Fault:
        """ThrottlingException (sts: Throttling) 400, or another code (RequestLimitExceeded) or status."""
        return self._set("throttle", Throttle(code=code, status=status), where)

    def fail(
        self,
        code: str = "ServerException",
        status: int = 500,
        message: str = "The fake was told to fail",
        **where: Unpack[Where],
    ) -> Fault:
        """Any error, with its code and HTTP status."""
        return self._set("fail", Fail(code=code, status=int(status), message=message), where)

    def hang(self, **where: Unpack[Where]) -> Fault:
        """No answer until the fault is cleared; then the call goes on. Others are served meanwhile."""
        return self._set("hang", Wait(seconds=None), where)

    def slow(self, seconds: float, **where: Unpack[Where]) -> Fault:
        """Answer so much later."""
        return self._set("slow", Wait(seconds=float(seconds)), where)

    def drip(self, seconds: float, **where: Unpack[Where]) -> Fault:
        """Answer rightly, with so long between two bytes of the body."""
        return self._set("drip", Drip(seconds=float(seconds)), where)

    def reset(self, **where: Unpack[Where]) -> Fault:
        """Reset the connection instead of answering."""
        return self._set("reset", Reset(), where)

    def garbage(self, kind: Garbage | str = Garbage.INVALID_BODY, status: int = 200, **where: Unpack[Where]) -> Fault:
        """Rubbish instead of an answer. Kinds that concern a token hit GetAuthorizationToken only.

        `status` is for the HTML page and the broken or empty body. Raises ValueError for an unknown kind.
        """
        chosen = Garbage(kind)
        if chosen in TOKEN_GARBAGE:
            where.setdefault("operation", "GetAuthorizationToken")
        return self._set(f"garbage {chosen}", Garble(kind=chosen, status=status), where)

    def answer_expired_token(self, ago: timedelta = timedelta(hours=1), **where: Unpack[Where]) -> Fault:
        """ECR tokens that expired so long ago, be it years."""
        where.setdefault("operation", "GetAuthorizationToken")
        return self._set("expired token", Life(life=-ago), where)

    def short_life(self, life: timedelta, **where: Unpack[Where]) -> Fault:
        """Let what is issued live this long: ECR tokens, and credentials too (less than 900 s as well)."""
        return self._set("short life", Life(life=life), where)

    def _set(self, name: str, effect: Effect, where: Where) -> Fault:
        return self._board.add(name, effect, where)
