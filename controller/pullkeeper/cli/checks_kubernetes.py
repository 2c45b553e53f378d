"""Checks against the API server: permissions, Namespaces, Secrets and the Lease."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial

from pullkeeper.adapters.kubernetes.access_review import AccessReviewer, LeaseHolder
from pullkeeper.adapters.kubernetes.client import ApiClient
from pullkeeper.adapters.kubernetes.installations import InstallationName
from pullkeeper.adapters.kubernetes.snapshot import SnapshotReader
from pullkeeper.cli.check_fence import CHECK, check_fence
from pullkeeper.cli.check_permissions import PermissionChecks
from pullkeeper.cli.injection_check import INJECTION, InjectionCheck
from pullkeeper.cli.unwatched import abandoned_secrets
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.errors.text import listed
from pullkeeper.domain.iam.identity import Kind
from pullkeeper.domain.namespace.namespace import ObservedNamespace, observe_namespace
from pullkeeper.domain.secret.judgement import judge, opt_in_lost
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.plan import fallback_state
from pullkeeper.domain.secret.shapes import DockerConfig, SecretShape, shape_of
from pullkeeper.domain.views.check_result import Check, CheckResult, failed, passed, skipped
from pullkeeper.domain.views.durations import format_duration
from pullkeeper.domain.views.scope import CLEANUP, describe, limited_to
from pullkeeper.domain.views.secret_check import judge_secrets

_OPT_INS = "opt-ins"
_SCOPE = "scope"


class KubernetesChecks:
    """Checks the API server with the caller's credentials; every check is independent."""

    def __init__(
        self,
        client: ApiClient,
        settings: Settings,
        installation: InstallationName | None = None,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        """`installation` is whose ConfigMap the settings were read from; None for those of a file."""
        self._client = client
        self._reviewer = AccessReviewer(client)
        self._settings = settings
        self._clock = clock
        used = self._service_accounts_in_use
        self._permissions = PermissionChecks(client, settings, installation, service_accounts_in_use=used)
        name, namespaces = settings.secret_name, settings.watch_namespaces
        self._snapshot = SnapshotReader(client, secret_name=name, namespaces=namespaces)
        self._injection = InjectionCheck(client, settings, self._snapshot)

    def all(self) -> list[tuple[str, Check]]:
        """Return every check with its name."""
        return [
            *self._permissions.all(),
            ("Namespaces", self._namespaces),
            (_OPT_INS, self._opt_ins),
            ("Secrets", self._secrets),
            *([(_SCOPE, self._scope)] if self._settings.watch_namespaces else []),
            ("Lease", self._lease),
            (INJECTION, self._injection.run),
            (CHECK, partial(check_fence, self._client, self._settings)),
        ]

    async def _service_accounts_in_use(self) -> list[tuple[str, str]]:
        """Return the ServiceAccounts that tokens are fetched as, also where an annotation has become invalid since."""
        policy = self._settings.policy
        accounts: list[tuple[str, str]] = []
        namespaces, secrets = await self._observed()
        for namespace in namespaces:
            secret = secrets.get(namespace.name)
            judgement = judge(namespace, secret, policy)
            desired = fallback_state(namespace, secret, policy, None) if judgement.error else judgement.desired
            used = desired.distinct_identities if desired else ()
            accounts += [identity.service_account for identity in used if identity.kind is Kind.SERVICE_ACCOUNT]
        return accounts

    async def _observed(self) -> tuple[list[ObservedNamespace], dict[str, ObservedSecret]]:
        return await asyncio.gather(self._snapshot.namespaces(observe_namespace), self._snapshot.secrets())

    async def _namespaces(self) -> Sequence[CheckResult]:
        namespaces = await self._snapshot.namespaces(observe_namespace)
        requested = sum(self._settings.policy.applies_to(namespace) for namespace in namespaces)
        result = passed("Namespaces", f"{len(namespaces):,} readable, {requested:,} of them request a pull Secret")
        return [result, *_not_found(set(self._settings.watch_namespaces) - {each.name for each in namespaces})]

    async def _opt_ins(self) -> Sequence[CheckResult]:
        """Check that the settings opt in whomever they did when the pull Secrets were written."""
        namespaces, secrets = await self._observed()
        policy = self._settings.policy
        lost = sorted(each.name for each in namespaces if opt_in_lost(each, secrets.get(each.name), policy))
        if not lost:
            return [passed(_OPT_INS, "the settings have lost none")]
        grace = format_duration(self._settings.opt_out_grace)
        detail = f"lost by the settings: {listed(lost)}; the pull Secrets there are deleted after {grace}"
        return [failed(_OPT_INS, detail, "opt them in again, by `optIn` or by their annotation, to keep the Secrets")]

    async def _secrets(self) -> Sequence[CheckResult]:
        """Check the pull Secrets, and each additional Secret by itself."""
        settings, now = self._settings, self._clock()
        shapes: list[SecretShape] = [
            DockerConfig(name=settings.secret_name),
            *map(shape_of, settings.additional_secrets),
        ]
        found = await asyncio.gather(*map(self._snapshot.secrets_of, shapes))
        judged = zip(shapes, found, strict=True)
        return [
            result
            for shape, secrets in judged
            for result in judge_secrets(list(secrets.values()), shape.name, settings.rotation, now)
        ]

    async def _scope(self) -> Sequence[CheckResult]:
        """Check that nothing is left where the installation does not act any more, as far as the caller may see it."""
        found = await abandoned_secrets(self._client, self._settings)
        if found:
            return [failed(_SCOPE, describe(found, self._clock()), f"{CLEANUP}, or watch these namespaces again")]
        seen = "; there are none" if found is not None else "; these permissions do not show whether there are any"
        return [passed(_SCOPE, f"{limited_to(self._settings.watch_namespaces)}{seen}")]

    async def _lease(self) -> Sequence[CheckResult]:
        settings = self._settings
        if not settings.leader_election:
            return [skipped("Lease", "leaderElection is off")]
        holder = await self._reviewer.lease(settings.lease_namespace, settings.lease_name)
        return [self._lease_result(holder, f"{settings.lease_namespace}/{settings.lease_name}")]

    def _lease_result(self, holder: LeaseHolder | None, name: str) -> CheckResult:
        if holder is None or not holder.holder or holder.renewed_at is None:
            fix = "start the controller; if it runs, its log says why it does not acquire the Lease"
            return failed("Lease", f"no replica holds {name}", fix)
        age, duration = self._clock() - holder.renewed_at, self._settings.lease_duration
        detail = f"{name} is held by {holder.holder}, renewed {age.total_seconds():.0f} s ago"
        if age > duration:
            fix = f"it expires after {duration.total_seconds():.0f} s: find out why no replica renews it"
            return failed("Lease", detail, fix)
        return passed("Lease", detail)


def _not_found(names: Iterable[str]) -> list[CheckResult]:
    fix = "create it, or remove it from `watchNamespaces`"
    return [failed("Namespaces", f"{name} does not exist", fix) for name in sorted(names)]
