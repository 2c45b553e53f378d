"""The policy in the settings file, taken over anew whenever the file changes."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pullkeeper.domain.config.policy import Policy
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.errors.validation import InvalidInputError

logger = logging.getLogger(__name__)

_EVERY = 2.0
"""Seconds between two looks at the file: the kubelet brings a changed ConfigMap within a minute or so anyway."""


class PolicyReloader:
    """Holds the policy that is in force; a broken new file changes nothing, and says so once."""

    def __init__(
        self,
        path: Path | None,
        content: bytes,
        settings: Settings,
        *,
        read: Callable[[bytes], Settings],
        changed: Callable[[], None],
        meter: Callable[[bool], None],
    ) -> None:
        self._path = path
        self._settings = settings
        self._read = read
        self._changed = changed
        self._meter = meter
        self._content = content
        meter(True)  # noqa: FBT003 -- the gauge's value

    def policy(self) -> Policy:
        """Give the policy that is in force."""
        return self._settings.policy

    async def watch(self) -> None:
        """Look at the file again and again, until cancelled."""
        while self._path is not None:
            await asyncio.sleep(_EVERY)
            await self.look(self._path)

    async def look(self, path: Path) -> None:
        """Look at the file once, and take over what has changed."""
        try:
            content = await asyncio.to_thread(path.read_bytes)
        except OSError:
            return  # a ConfigMap is swapped under our feet; the next look finds it
        if content == self._content:
            return
        self._content = content
        try:
            settings = self._read(content)
        except InvalidInputError as error:
            self._meter(False)  # noqa: FBT003 -- the gauge's value
            logger.error("the changed settings are wrong, so the old ones stay in force: %s", error)  # noqa: TRY400 -- no traceback
            return
        self._meter(True)  # noqa: FBT003 -- the gauge's value
        self._take_over(settings)

    def _take_over(self, settings: Settings) -> None:
        running = replace(self._settings, policy=settings.policy)
        if running != settings:
            logger.warning("the changed settings take a restart, but for the policy, which is in force now")
        if running != self._settings:
            self._settings = running
            logger.info("the changed policy is in force")
            self._changed()
