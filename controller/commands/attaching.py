"""What `run` needs to attach ServiceAccounts, wired together; nothing of it where that is off."""

import asyncio
import random
from collections.abc import Callable, Mapping
from datetime import datetime

from controller.attachments import Attachments, Look
from controller.commands.reload import PolicyFile
from controller.core.settings import Settings
from controller.doors.api_server import ApiServer
from controller.doors.events import Events
from controller.doors.secret_watch import SecretWatch
from controller.doors.service_account_patch import ServiceAccountPatch
from controller.doors.service_account_watch import ServiceAccountCache, ServiceAccountWatch
from controller.inventory import Inventory


class Attaching:
    """Watches ServiceAccounts, and settles those of a namespace after its Secret; asks for nothing where it is off."""

    def __init__(
        self,
        connection: ApiServer,
        settings: Settings,
        *,
        inventory: Inventory,
        secrets: SecretWatch,
        events: Events,
        policy: PolicyFile,
        wake: Callable[[str], None],
        clock: Callable[[], datetime],
        chance: random.Random,
    ) -> None:
        self._on = settings.service_account_attachment
        name = settings.secret_name
        cache = ServiceAccountCache(secret_name=name, wake=wake, listed=inventory.wake_all)
        self._watch = ServiceAccountWatch(connection, cache, relist_after=settings.audit_interval, chance=chance)
        self._attachments = Attachments(
            namespaces=inventory,
            secrets=secrets,
            accounts=cache,
            door=ServiceAccountPatch(connection, secret_name=name),
            events=events,
            policy=policy.policy,
            secret_name=name,
            clock=clock,
        )

    @property
    def synced(self) -> Mapping[str, asyncio.Event]:
        """Give what is to be listed before the controller is ready, by its name."""
        return {"ServiceAccounts": self._watch.synced} if self._on else {}

    def after(self, look: Look) -> Look:
        """Give a look that goes on with the ServiceAccounts of the namespace."""
        return self._attachments.after(look) if self._on else look

    async def run(self) -> None:
        """Watch until cancelled."""
        if self._on:
            await self._watch.run()
