"""What `run` needs to attach ServiceAccounts, wired together; nothing of it where that is off."""

import asyncio
import random
from collections.abc import Callable, Sequence
from datetime import datetime

from controller.attachments import Attachments, Look, Secrets
from controller.commands.reload import PolicyFile
from controller.core.settings import Settings
from controller.doors.api_server import ApiServer
from controller.doors.events import Events
from controller.doors.service_account_patch import ServiceAccountPatch
from controller.doors.service_account_watch import ServiceAccountCache, ServiceAccountWatch
from controller.inventory import Inventory


class Attaching:
    """Watches ServiceAccounts, and settles those of a namespace after its Secret; asks for nothing where it is off."""

    def __init__(
        self,
        connection: ApiServer,
        guarded: ApiServer,
        settings: Settings,
        *,
        inventory: Inventory,
        secrets: Secrets,
        events: Events,
        policy: PolicyFile,
        wake: Callable[[str], None],
        clock: Callable[[], datetime],
        chance: random.Random,
    ) -> None:
        self._on = settings.service_account_attachment
        name = settings.secret_name
        cache = ServiceAccountCache(secret_name=name, wake=wake, listed=inventory.wake_all)
        self._watches = [
            ServiceAccountWatch(
                connection, cache, relist_after=settings.audit_interval, chance=chance, namespace=namespace
            )
            for namespace in settings.watch_namespaces or (None,)
        ]
        self._attachments = Attachments(
            namespaces=inventory,
            secrets=secrets,
            accounts=cache,
            door=ServiceAccountPatch(guarded, secret_name=name),
            events=events,
            policy=policy.policy,
            secret_name=name,
            clock=clock,
        )

    @property
    def synced(self) -> Sequence[asyncio.Event]:
        """Give what is to be listed before the controller is ready: in the whole cluster, or nothing of single ones."""
        return [watch.synced for watch in self._watches] if self._on and len(self._watches) == 1 else []

    def after(self, look: Look) -> Look:
        """Give a look that goes on with the ServiceAccounts of the namespace."""
        return self._attachments.after(look) if self._on else look

    @property
    def watches(self) -> Sequence[ServiceAccountWatch]:
        """Give what is to run."""
        return self._watches if self._on else ()
