"""What `run` needs to attach ServiceAccounts, wired together; nothing of it where that is off."""

import asyncio
import random
from collections.abc import Callable, Sequence
from datetime import datetime

from controller.accounts import Accounts, AccountsSink
from controller.attachments import Attachments, Look, Secrets
from controller.commands.reload import PolicyFile
from controller.core.attachment import ObservedAccount, observe
from controller.core.settings import Settings
from controller.doors.api_server import ApiServer
from controller.doors.events import Events
from controller.doors.service_account_patch import ServiceAccountPatch
from controller.doors.watch import Watch, service_accounts
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
        accounts = Accounts(wake=wake, listed=inventory.wake_all)
        sinks = {namespace: AccountsSink(accounts, namespace) for namespace in settings.watch_namespaces or ("",)}
        self._synced = [sink.synced for sink in sinks.values()]
        self._watches = [
            Watch[ObservedAccount](
                connection,
                service_accounts(namespace),
                read=lambda account: observe(account, name),
                sink=sink,
                relist_after=settings.audit_interval,
                chance=chance,
            )
            for namespace, sink in sinks.items()
        ]
        self._attachments = Attachments(
            namespaces=inventory,
            secrets=secrets,
            accounts=accounts,
            door=ServiceAccountPatch(guarded, secret_name=name),
            events=events,
            policy=policy.policy,
            secret_name=name,
            clock=clock,
        )

    @property
    def synced(self) -> Sequence[asyncio.Event]:
        """Give what is to be listed before the controller is ready."""
        return self._synced if self._on else []

    def after(self, look: Look) -> Look:
        """Give a look that goes on with the ServiceAccounts of the namespace."""
        return self._attachments.after(look) if self._on else look

    @property
    def watches(self) -> Sequence[Watch[ObservedAccount]]:
        """Give what is to run."""
        return self._watches if self._on else ()
