"""AWS as the simulation has it: slow, sometimes down, and every token it ever gave is on record."""

import asyncio
import base64
import random
from datetime import datetime

from pullkeeper.domain.ecr.credential import Password, Token
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.errors.failures import Failure, FailureError, Reason
from testsupport.simulation.record import AwsCall, Issued, Record
from testsupport.simulation.weather import Weather
from testsupport.virtual_time import HOUR, MINUTE, at_second, elapsed, now, seconds_of

MARK = "a-simulated-password"
"""Every password begins so; `needles` says how to find one in any text."""
_LIVES = {Reason.TOKEN_EXPIRED.value: (-MINUTE, -1.0), "ShortLife": (20 * MINUTE, 11 * HOUR)}
"""Reasons for which a token is given, but one that lives only so many seconds, from and to."""


def needles() -> tuple[str, str]:
    """Give what every token shows, plain and encoded, so that one in a wrong place is found."""
    encoded = base64.b64encode(f"AWS:{MARK}".encode()).decode()
    return MARK, encoded[:24]


class Aws:
    """Issues tokens; answers as the weather is at the moment when a request arrives."""

    def __init__(self, record: Record, weather: Weather, chance: random.Random) -> None:
        self._record = record
        self._weather = weather
        self._chance = chance

    async def log_credential_source(self) -> None:
        """Log nothing: there are no credentials."""

    async def fetch(self, scope: TokenScope) -> Token:
        """Give a new token; raises FailureError."""
        asked_at = now()
        await asyncio.sleep(self._chance.uniform(0.05, 0.6))
        reason = self._weather.aws_reason(scope.region, elapsed())
        self._record.aws_calls.append(AwsCall(at=elapsed(), scope=scope.label, reason=reason))
        if reason in _LIVES:
            return self._issue(scope.label, asked_at, self._chance.uniform(*_LIVES[reason]))
        if reason:
            await asyncio.sleep(9.0 if reason == Reason.NETWORK_UNREACHABLE else 0.1)
            raise FailureError(self._refusal(scope, Reason(reason)))
        return self._issue(scope.label, asked_at, self._weather.life)

    def _refusal(self, scope: TokenScope, reason: Reason) -> Failure:
        aside = f"request {self._chance.getrandbits(32):08x}"
        return Failure(reason=reason, message=f"the simulated AWS refuses {scope.label}", detail=aside)

    def _issue(self, scope: str, asked_at: datetime, life: float) -> Token:
        number = len(self._record.issued)
        auth = base64.b64encode(f"AWS:{MARK}-{number:08d}".encode()).decode()
        issued_at = asked_at.replace(microsecond=asked_at.microsecond // 1000 * 1000)
        expires_at = at_second(seconds_of(issued_at) + round(life, 3))
        self._record.issued[auth] = Issued(
            at=elapsed(), scope=scope, issued_at=seconds_of(issued_at), expires_at=seconds_of(expires_at)
        )
        return Token(auth=Password(auth), issued_at=issued_at, expires_at=expires_at)
