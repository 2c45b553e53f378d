"""What `run` needs to attach ServiceAccounts, wired together; nothing of it where that is off."""

import asyncio
import random
from collections.abc import Callable, Sequence
from datetime import datetime

from pullkeeper.adapters.kubernetes.client import KubeClient
from pullkeeper.adapters.kubernetes.events import EventRecorder
from pullkeeper.adapters.kubernetes.reflector import Reflector, service_accounts_list_watch
from pullkeeper.adapters.kubernetes.service_accounts import ServiceAccountClient
from pullkeeper.app.policy_reloader import PolicyReloader
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.secret.service_account_patch import ObservedServiceAccount, observe_service_account
from pullkeeper.reconcile.namespace_cache import NamespaceCache
from pullkeeper.reconcile.service_account_cache import AccountsSink, ServiceAccountCache
from pullkeeper.reconcile.service_account_reconciler import Look, Secrets, ServiceAccountReconciler


class Attaching:
    """Watches ServiceAccounts, and settles those of a namespace after its Secret; asks for nothing where it is off."""

    def __init__(
        self,
        connection: KubeClient,
        guarded: KubeClient,
        settings: Settings,
        *,
        inventory: NamespaceCache,
        secrets: Secrets,
        events: EventRecorder,
        policy: PolicyReloader,
        wake: Callable[[str], None],
        clock: Callable[[], datetime],
        chance: random.Random,
    ) -> None:
        self._on = settings.service_account_attachment
        name = settings.secret_name
        accounts = ServiceAccountCache(wake=wake, listed=inventory.wake_all)
        sinks = {namespace: AccountsSink(accounts, namespace) for namespace in settings.watch_namespaces or ("",)}
        self._synced = [sink.synced for sink in sinks.values()]
        self._watches = [
            Reflector[ObservedServiceAccount](
                connection,
                service_accounts_list_watch(namespace),
                read=lambda account: observe_service_account(account, name),
                sink=sink,
                relist_after=settings.relist_interval,
                chance=chance,
            )
            for namespace, sink in sinks.items()
        ]
        self._attachments = ServiceAccountReconciler(
            namespaces=inventory,
            secrets=secrets,
            accounts=accounts,
            door=ServiceAccountClient(guarded, secret_name=name),
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
    def watches(self) -> Sequence[Reflector[ObservedServiceAccount]]:
        """Give what is to run."""
        return self._watches if self._on else ()
