"""Who the controller is at AWS: what its configuration does not say is asked of STS, once for each set of keys."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from pullkeeper.adapters.aws.calls import CallError
from pullkeeper.adapters.aws.clients import Keys
from pullkeeper.domain.iam import principal
from pullkeeper.tokens.demand import Demand

logger = logging.getLogger(__name__)

_SECONDS = 3.0
"""Deadline for STS, the wait for a slot there included: tokens wait for it, and need it for nothing."""

AskSts = Callable[[Keys, Sequence[Demand]], Awaitable[str]]
"""Returns the ARN of the caller with these keys; raises CallError."""


class CallerPrincipal:
    """The principal behind one of the controller's identities; `label` names it in the settings."""

    def __init__(self, ask: AskSts, *, label: str = "") -> None:
        self._ask = ask
        self._of = f" of identity {label}" if label else ""
        self._asked_for = ""
        """Access key id of the keys that STS was asked about last."""
        self._answer = principal.UNKNOWN
        self._on_change: list[Callable[[str], None]] = []
        self.name = principal.UNKNOWN
        """What was last known of it."""

    @property
    def was_asked(self) -> bool:
        """Whether STS was asked, so that its answer has been logged."""
        return bool(self._asked_for)

    def on_change(self, callback: Callable[[str], None]) -> None:
        """Call this whenever another principal becomes known than before."""
        self._on_change.append(callback)

    def record(self, name: str) -> None:
        """Take note of what the configuration says."""
        if name in (principal.UNKNOWN, self.name):
            return
        self.name = name
        for callback in self._on_change:
            callback(name)

    async def of(self, keys: Keys, demands: Sequence[Demand]) -> str:
        """Return the principal of keys that were just obtained; UNKNOWN if STS does not tell. Never fails."""
        if keys.principal == principal.UNKNOWN and keys.access_key_id != self._asked_for:
            self._answer = await self._ask_sts(keys, demands)
            self._asked_for = keys.access_key_id
        found = keys.principal or self._answer
        self.record(found)
        return found

    async def _ask_sts(self, keys: Keys, demands: Sequence[Demand]) -> str:
        try:
            async with asyncio.timeout(_SECONDS):
                arn = await self._ask(keys, demands)
        except (CallError, TimeoutError) as error:  # for information only: tokens are fetched without it
            logger.info("AWS caller%s: unknown (%s)", self._of, error)
            return principal.UNKNOWN
        logger.info("AWS caller%s: %s", self._of, arn)
        return principal.of_caller(arn)
