"""A token source whose results a test chooses."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from pullkeeper.domain.ecr.credential import Token
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.errors.failures import Failure, FailureError, Reason
from pullkeeper.tokens.demand import Demand, Requester
from testsupport.examples import HOUR, token
from testsupport.virtual_time import now

MINUTE = timedelta(minutes=1)
DENIED = Failure(reason=Reason.ACCESS_DENIED, message="no")
THROTTLED = Failure(reason=Reason.THROTTLED, message="slowly")
TEAM_A = Requester(namespace="team-a", first=False)
Outcome = Failure | Callable[[], Token]


def fresh_token(life: timedelta = 12 * HOUR) -> Token:
    return token(issued=now(), life=life)


class FakeTokenSource:
    """Issues tokens, or fails with `outcome`, after `seconds`."""

    def __init__(self) -> None:
        self.calls: list[TokenScope] = []
        self.demands: list[Demand] = []
        self.outcome: Outcome = fresh_token
        self.seconds = 1.0

    async def fetch(self, scope_: TokenScope, demand: Demand) -> Token:
        self.calls.append(scope_)
        self.demands.append(demand)
        outcome = self.outcome
        await asyncio.sleep(self.seconds)
        if isinstance(outcome, Failure):
            raise FailureError(outcome)
        return outcome()


async def sleep_until(moment: datetime) -> None:
    await asyncio.sleep((moment - now()).total_seconds())
