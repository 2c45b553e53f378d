"""The simulated AWS: slow, sometimes down, and every issued token is recorded."""

import asyncio
import base64
import random
from datetime import datetime

from pullkeeper.domain.ecr.credential import Password, Token
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.errors.failures import Failure, FailureError, Reason
from pullkeeper.tokens.demand import Demand
from testsupport.simulation.faults import Faults
from testsupport.simulation.record import AwsCall, Issued, Record
from testsupport.virtual_time import HOUR, MINUTE, at_second, elapsed, now, seconds_of

MARK = "a-simulated-password"
"""Prefix of every password; see `needles` for how to find one in a text."""
_LIVES = {Reason.TOKEN_EXPIRED.value: (-MINUTE, -1.0), "ShortLife": (20 * MINUTE, 11 * HOUR)}
"""Faults that issue a token with a lifetime in this range of seconds."""


def needles() -> tuple[str, str]:
    """Return what every token contains, plain and encoded, to find one in a wrong place."""
    encoded = base64.b64encode(f"AWS:{MARK}".encode()).decode()
    return MARK, encoded[:24]


class Aws:
    """Issues tokens, or fails as the faults say at the moment when a request arrives."""

    def __init__(self, record: Record, faults: Faults, rng: random.Random) -> None:
        self._record = record
        self._faults = faults
        self._rng = rng

    async def log_credential_source(self) -> None:
        """Log nothing: there are no credentials."""

    async def fetch(self, scope: TokenScope, demand: Demand) -> Token:  # noqa: ARG002 -- AWS does not know who waits
        """Issue a new token. Raises FailureError."""
        requested_at = now()
        await asyncio.sleep(self._rng.uniform(0.05, 0.6))
        reason = self._faults.aws_reason(scope.region, elapsed())
        self._record.aws_calls.append(AwsCall(at=elapsed(), scope=scope.label, reason=reason))
        if reason in _LIVES:
            return self._issue(scope.label, requested_at, self._rng.uniform(*_LIVES[reason]))
        if reason:
            await asyncio.sleep(9.0 if reason == Reason.NETWORK_UNREACHABLE else 0.1)
            raise FailureError(self._refusal(scope, Reason(reason)))
        return self._issue(scope.label, requested_at, self._faults.life)

    def _refusal(self, scope: TokenScope, reason: Reason) -> Failure:
        detail = f"request {self._rng.getrandbits(32):08x}"
        return Failure(reason=reason, message=f"the simulated AWS refuses {scope.label}", detail=detail)

    def _issue(self, scope: str, requested_at: datetime, life: float) -> Token:
        number = len(self._record.issued)
        auth = base64.b64encode(f"AWS:{MARK}-{number:08d}".encode()).decode()
        issued_at = requested_at.replace(microsecond=requested_at.microsecond // 1000 * 1000)
        expires_at = at_second(seconds_of(issued_at) + round(life, 3))
        self._record.issued[auth] = Issued(
            at=elapsed(), scope=scope, issued_at=seconds_of(issued_at), expires_at=seconds_of(expires_at)
        )
        return Token(auth=Password(auth), issued_at=issued_at, expires_at=expires_at)
