"""What `pullkeeper check` asks the API server: its version, our rights, the lists, the Lease."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime

from controller.core.checklist import Item, failed, not_asked, passed
from controller.core.namespace import namespace_view
from controller.core.policy import Policy
from controller.core.rights import Right, forbidden, required
from controller.core.settings import Settings
from controller.doors.api_server import ApiServer
from controller.doors.inquiry import Held, Inquiry
from controller.doors.listing import Listing

_AT_ONCE = 8

Probe = Callable[[], Awaitable[Sequence[Item]]]


class ClusterProbes:
    """Asks as whoever is logged in; each question stands for itself."""

    def __init__(self, connection: ApiServer, settings: Settings, *, clock: Callable[[], datetime]) -> None:
        self._inquiry = Inquiry(connection)
        self._settings = settings
        self._clock = clock
        self._free = asyncio.Semaphore(_AT_ONCE)
        name, namespaces = settings.secret_name, settings.watch_namespaces
        self._listing = Listing(connection, secret_name=name, namespaces=namespaces)

    def all(self) -> list[tuple[str, Probe]]:
        """Give every question with its name."""
        return [
            ("rights", self._rights),
            ("other rights", self._other_rights),
            ("Namespaces", self._namespaces),
            ("Secrets", self._secrets),
            ("Lease", self._lease),
        ]

    async def _rights(self) -> Sequence[Item]:
        rights = required(self._settings)
        held = await asyncio.gather(*(self._held(right) for right in rights))
        missing = [right for right, has in zip(rights, held, strict=True) if not has]
        items = [failed("rights", f"no right to {right}", right.grant) for right in missing]
        return items or [passed("rights", f"all {len(rights)} that are needed are granted")]

    async def _held(self, right: Right) -> bool:
        async with self._free:
            if await self._inquiry.may(right):
                return True
            return right.some_names and bool(await self._inquiry.names(right))

    async def _other_rights(self) -> Sequence[Item]:
        rights = forbidden(self._settings)
        held = await asyncio.gather(*(self._held(right) for right in rights))
        excess = [right for right, has in zip(rights, held, strict=True) if has]
        fix = "take it away; an administrator has it, so ask as the controller's own ServiceAccount"
        items = [failed("other rights", f"a right to {right}, which is not needed", fix) for right in excess]
        return items or [passed("other rights", f"none of the {len(rights)} that were asked for, as it should be")]

    async def _namespaces(self) -> Sequence[Item]:
        views = await self._listing.namespaces(namespace_view)
        policy: Policy = self._settings.policy
        asking = sum(policy.concerns(view) for view in views)
        items = [passed("Namespaces", f"{len(views):,} can be read, {asking:,} of them ask for a pull Secret")]
        return [*items, *_absent(set(self._settings.watch_namespaces) - {view.name for view in views})]

    async def _secrets(self) -> Sequence[Item]:
        secrets = await self._listing.secrets()
        managed = sum(secret.managed for secret in secrets.values())
        what = f"{len(secrets):,} named {self._settings.secret_name} can be listed, {managed:,} of them Pullkeeper's"
        return [passed("Secrets", what)]

    async def _lease(self) -> Sequence[Item]:
        settings = self._settings
        if not settings.leader_election:
            return [not_asked("Lease", "leaderElection is off")]
        held = await self._inquiry.lease(settings.lease_namespace, settings.lease_name)
        return [self._judged(held, f"{settings.lease_namespace}/{settings.lease_name}")]

    def _judged(self, held: Held | None, name: str) -> Item:
        if held is None or not held.holder or held.renewed_at is None:
            fix = "start the controller, and look into its log for why it does not take the Lease"
            return failed("Lease", f"nobody holds {name}", fix)
        age = self._clock() - held.renewed_at
        found = f"{name} is held by {held.holder}, renewed {age.total_seconds():.0f} s ago"
        if age > self._settings.lease_duration:
            seconds = self._settings.lease_duration.total_seconds()
            return failed("Lease", found, f"it lasts {seconds:.0f} s: look for why no replica renews it")
        return passed("Lease", found)


def _absent(names: Iterable[str]) -> list[Item]:
    return [
        failed("Namespaces", f"there is no {name}", "create it, or take it out of `watchNamespaces`")
        for name in sorted(names)
    ]
