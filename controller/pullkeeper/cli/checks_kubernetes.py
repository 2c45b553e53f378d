"""What `pullkeeper check` asks the API server: its version, our rights, the lists, the Lease."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime

from pullkeeper.adapters.kubernetes.access_review import AccessReviewer, LeaseHolder
from pullkeeper.adapters.kubernetes.client import KubeClient
from pullkeeper.adapters.kubernetes.snapshot import SnapshotReader
from pullkeeper.domain.config.policy import Policy
from pullkeeper.domain.config.rbac import RbacRule, forbidden_rules, required_rules, service_account_rules
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.errors.failures import FailureError
from pullkeeper.domain.errors.validation import InvalidInputError
from pullkeeper.domain.iam.identity import Kind
from pullkeeper.domain.namespace.namespace import observe_namespace
from pullkeeper.domain.secret.desired_state import desired_state
from pullkeeper.domain.views.check_result import Check, CheckResult, failed, passed, skipped

_AT_ONCE = 8


class KubernetesChecks:
    """Asks as whoever is logged in; each question stands for itself."""

    def __init__(self, connection: KubeClient, settings: Settings, *, clock: Callable[[], datetime]) -> None:
        self._inquiry = AccessReviewer(connection)
        self._settings = settings
        self._clock = clock
        self._free = asyncio.Semaphore(_AT_ONCE)
        name, namespaces = settings.secret_name, settings.watch_namespaces
        self._listing = SnapshotReader(connection, secret_name=name, namespaces=namespaces)

    def all(self) -> list[tuple[str, Check]]:
        """Give every question with its name."""
        return [
            ("rights", self._rights),
            ("rights to ServiceAccounts", self._account_rights),
            ("other rights", self._other_rights),
            ("Namespaces", self._namespaces),
            ("Secrets", self._secrets),
            ("Lease", self._lease),
        ]

    async def _rights(self) -> Sequence[CheckResult]:
        rights = [right for right in required_rules(self._settings) if not right.some_names]
        missing = await self._without(rights)
        items = [failed("rights", f"no right to {right}", right.grant) for right in missing]
        return items or [passed("rights", f"all {len(rights)} that are needed are granted")]

    async def _account_rights(self) -> Sequence[CheckResult]:
        """Ask for all ServiceAccounts, or else for just those that are asked for: the rights may be bound to them."""
        what, general = (
            "rights to ServiceAccounts",
            [right for right in required_rules(self._settings) if right.some_names],
        )
        if not general:
            return [skipped(what, "serviceAccountIdentity names no namespaces")]
        if not await self._without(general):
            return [passed(what, "granted for all of them")]
        rights = [
            right for namespace, name in await self._accounts() for right in service_account_rules(namespace, name)
        ]
        if not rights:
            return [skipped(what, "they are not granted for all of them, and no namespace asks for one yet")]
        items = [failed(what, f"no right to {right}", right.grant) for right in await self._without(rights)]
        return items or [passed(what, f"all {len(rights)} that are needed are granted")]

    async def _accounts(self) -> list[tuple[str, str]]:
        policy, found = self._settings.policy, []
        for view in await self._listing.namespaces(observe_namespace):
            with suppress(InvalidInputError, FailureError):  # such a one is not served
                if (desired := desired_state(view, policy)) and desired.identity.kind is Kind.SERVICE_ACCOUNT:
                    found.append(desired.identity.service_account)
        return found

    async def _without(self, rights: Sequence[RbacRule]) -> list[RbacRule]:
        """Give those of the rights that are not granted."""
        held = await asyncio.gather(*(self._held(right) for right in rights))
        return [right for right, has in zip(rights, held, strict=True) if not has]

    async def _held(self, right: RbacRule) -> bool:
        async with self._free:
            return await self._inquiry.may(right)

    async def _other_rights(self) -> Sequence[CheckResult]:
        rights = forbidden_rules(self._settings)
        absent = await self._without(rights)
        excess = [right for right in rights if right not in absent]
        fix = "take it away; an administrator has it, so ask as the controller's own ServiceAccount"
        items = [failed("other rights", f"a right to {right}, which is not needed", fix) for right in excess]
        return items or [passed("other rights", f"none of the {len(rights)} that were asked for, as it should be")]

    async def _namespaces(self) -> Sequence[CheckResult]:
        views = await self._listing.namespaces(observe_namespace)
        policy: Policy = self._settings.policy
        asking = sum(policy.applies_to(view) for view in views)
        items = [passed("Namespaces", f"{len(views):,} can be read, {asking:,} of them ask for a pull Secret")]
        return [*items, *_absent(set(self._settings.watch_namespaces) - {view.name for view in views})]

    async def _secrets(self) -> Sequence[CheckResult]:
        secrets = await self._listing.secrets()
        managed = sum(secret.managed for secret in secrets.values())
        what = f"{len(secrets):,} named {self._settings.secret_name} can be listed, {managed:,} of them Pullkeeper's"
        return [passed("Secrets", what)]

    async def _lease(self) -> Sequence[CheckResult]:
        settings = self._settings
        if not settings.leader_election:
            return [skipped("Lease", "leaderElection is off")]
        held = await self._inquiry.lease(settings.lease_namespace, settings.lease_name)
        return [self._judged(held, f"{settings.lease_namespace}/{settings.lease_name}")]

    def _judged(self, held: LeaseHolder | None, name: str) -> CheckResult:
        if held is None or not held.holder or held.renewed_at is None:
            fix = "start the controller, and look into its log for why it does not take the Lease"
            return failed("Lease", f"nobody holds {name}", fix)
        age = self._clock() - held.renewed_at
        found = f"{name} is held by {held.holder}, renewed {age.total_seconds():.0f} s ago"
        if age > self._settings.lease_duration:
            seconds = self._settings.lease_duration.total_seconds()
            return failed("Lease", found, f"it lasts {seconds:.0f} s: look for why no replica renews it")
        return passed("Lease", found)


def _absent(names: Iterable[str]) -> list[CheckResult]:
    return [
        failed("Namespaces", f"there is no {name}", "create it, or take it out of `watchNamespaces`")
        for name in sorted(names)
    ]
