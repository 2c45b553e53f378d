"""Checks of permissions: the controller's, whoever asks.

In a pod of the chart the caller is the controller. Anybody else asks for the rights of the ServiceAccount that the
installation's Deployment names, which takes the right to create SubjectAccessReviews. Without it there are only the
caller's own rights to show, and they are said to be just that.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from pullkeeper.adapters.kubernetes.access_review import SERVICE_ACCOUNT_USER, AccessReviewer
from pullkeeper.adapters.kubernetes.client import ApiClient
from pullkeeper.adapters.kubernetes.installations import InstallationName, InstallationReader
from pullkeeper.cli.found_settings import NAME_THEM
from pullkeeper.domain.config.rbac import RbacRule, forbidden_rules, required_rules, service_account_rules
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.errors.failures import FailureError
from pullkeeper.domain.views.check_result import Check, CheckResult, failed, passed, skipped, warned

_MAX_CONCURRENT_REVIEWS = 8
_PERMISSIONS = "permissions"
_SERVICE_ACCOUNT_PERMISSIONS = "ServiceAccount permissions"
_EXCESS_PERMISSIONS = "excess permissions"
_NOT_KNOWN = "the controller's are not known, as said above"
_REVIEW_OTHERS = RbacRule(verb="create", group="authorization.k8s.io", resource="subjectaccessreviews")
_HELM_TEST = "run `helm test`, which asks as the controller"


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """Whose rights are checked."""

    controller: str = ""
    """The controller's user, if another asks."""
    caller: str = ""
    """Who asks, if the controller's rights cannot be had; both are empty where the controller itself asks."""
    why: str = ""
    """Why they cannot be had."""
    fix: str = ""


async def find_subject(client: ApiClient, installation: InstallationName | None) -> Subject:
    """Return whose rights can be checked; raises FailureError. `installation` is None for the settings of a file."""
    reviewer = AccessReviewer(client)
    caller = await reviewer.user()
    if installation is None:
        # The pods of the chart have a file. Before Kubernetes 1.28 the caller's name is not told.
        if not caller or caller.startswith(SERVICE_ACCOUNT_USER):
            return Subject()
        return Subject(caller=caller, why="a file does not say which ServiceAccount it has", fix=NAME_THEM)
    try:
        controller = (await InstallationReader(client).controller(installation)).user
    except FailureError as error:
        return Subject(caller=caller, why=str(error), fix=f"read the Deployment, or {_HELM_TEST}")
    if controller == caller:
        return Subject()
    if await reviewer.may(_REVIEW_OTHERS):
        return Subject(controller=controller)
    fix = f"allow {caller} to {_REVIEW_OTHERS}, or {_HELM_TEST}"
    return Subject(caller=caller, why=f"{caller} may not ask for those of {controller}", fix=fix)


class PermissionChecks:
    """Checks the rights that the settings require, and some that the controller must not have."""

    def __init__(
        self,
        client: ApiClient,
        settings: Settings,
        installation: InstallationName | None,
        *,
        service_accounts_in_use: Callable[[], Awaitable[Sequence[tuple[str, str]]]],
    ) -> None:
        self._client = client
        self._settings = settings
        self._installation = installation
        self._service_accounts_in_use = service_accounts_in_use
        self._semaphore = asyncio.Semaphore(_MAX_CONCURRENT_REVIEWS)
        self._found: Subject | None = None
        self._finding = asyncio.Lock()

    def all(self) -> list[tuple[str, Check]]:
        """Return every check with its name."""
        return [
            (_PERMISSIONS, self._permissions),
            (_SERVICE_ACCOUNT_PERMISSIONS, self._service_account_permissions),
            (_EXCESS_PERMISSIONS, self._excess_permissions),
        ]

    async def _subject(self) -> Subject:
        async with self._finding:
            self._found = self._found or await find_subject(self._client, self._installation)
            return self._found

    async def _permissions(self) -> Sequence[CheckResult]:
        rules = [rule for rule in required_rules(self._settings) if not rule.any_name_suffices]
        subject = await self._subject()
        if not subject.caller:
            return await self._granted(_PERMISSIONS, rules)
        granted = len(rules) - len(await self._missing(rules))
        own = f"{granted} of {len(rules)} required rules are granted to {subject.caller}, who asks"
        return [warned(_PERMISSIONS, f"the controller's are not known: {subject.why}; {own}", subject.fix)]

    async def _service_account_permissions(self) -> Sequence[CheckResult]:
        """Check the rules for all ServiceAccounts, or else for those in use: they may be granted by name."""
        check = _SERVICE_ACCOUNT_PERMISSIONS
        general = [rule for rule in required_rules(self._settings) if rule.any_name_suffices]
        if not general:
            return [skipped(check, "serviceAccountIdentity selects no namespaces")]
        if (await self._subject()).caller:
            return [skipped(check, _NOT_KNOWN)]
        if not await self._missing(general):
            return [passed(check, "granted for all ServiceAccounts")]
        accounts = await self._service_accounts_in_use()
        rules = [rule for namespace, name in accounts for rule in service_account_rules(namespace, name)]
        if not rules:
            return [skipped(check, "not granted for all ServiceAccounts, and no namespace requests one yet")]
        return await self._granted(check, rules)

    async def _excess_permissions(self) -> Sequence[CheckResult]:
        subject, rules = await self._subject(), forbidden_rules(self._settings)
        if subject.caller:
            return [skipped(_EXCESS_PERMISSIONS, _NOT_KNOWN)]
        missing = await self._missing(rules)
        fix = f"revoke it from {subject.controller or 'the ServiceAccount that was checked'}"
        excess = [rule for rule in rules if rule not in missing]
        results = [failed(_EXCESS_PERMISSIONS, f"granted but not needed: {rule}", fix) for rule in excess]
        return results or [passed(_EXCESS_PERMISSIONS, f"none of the {len(rules)} forbidden rules is granted")]

    async def _granted(self, check: str, rules: Sequence[RbacRule]) -> list[CheckResult]:
        missing = [failed(check, f"missing: {rule}", rule.grant) for rule in await self._missing(rules)]
        controller = (await self._subject()).controller
        to = f" to {controller}" if controller else ""
        return missing or [passed(check, f"all {len(rules)} required rules are granted{to}")]

    async def _missing(self, rules: Sequence[RbacRule]) -> list[RbacRule]:
        reviewer = AccessReviewer(self._client, user=(await self._subject()).controller)

        async def may(rule: RbacRule) -> bool:
            async with self._semaphore:
                return await reviewer.may(rule)

        allowed = await asyncio.gather(*map(may, rules))
        return [rule for rule, is_allowed in zip(rules, allowed, strict=True) if not is_allowed]
