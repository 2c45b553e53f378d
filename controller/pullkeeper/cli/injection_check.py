"""Checks that new pods get the pull Secret by themselves, by a dry run in a namespace that is opted in."""

from collections.abc import Iterator, Sequence

from pullkeeper.adapters.kubernetes.access_review import AccessReviewer
from pullkeeper.adapters.kubernetes.client import ApiClient
from pullkeeper.adapters.kubernetes.pod_trial import PodTrial
from pullkeeper.adapters.kubernetes.snapshot import SnapshotReader
from pullkeeper.domain.config.injection import Injection, injection
from pullkeeper.domain.config.rbac import RbacRule
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.errors.failures import FailureError
from pullkeeper.domain.namespace.namespace import ObservedNamespace, observe_namespace
from pullkeeper.domain.secret.judgement import judge
from pullkeeper.domain.views.check_result import CheckResult, failed, passed, skipped

INJECTION = "injection"
_MAX_TRIALS = 3
"""In how many namespaces a pod is tried, while quotas and other admission refuse it."""
_FIX = (
    "install the chart again, whose admission policy adds it, or set admission.injection=false; "
    "the API server's metrics say whether the policy fails (apiserver_mutating_admission_policy_check_total)"
)


class InjectionCheck:
    """Creates a pod in a dry run, as the caller."""

    def __init__(self, client: ApiClient, settings: Settings, snapshot: SnapshotReader) -> None:
        self._reviewer = AccessReviewer(client)
        self._trial = PodTrial(client)
        self._settings = settings
        self._snapshot = snapshot

    async def run(self) -> Sequence[CheckResult]:
        """Try the first namespaces that are opted in, until one gives an answer."""
        if not self._settings.policy.pod_injection:
            return [skipped(INJECTION, "not part of this installation")]
        namespaces = await self._snapshot.namespaces(observe_namespace)
        candidates = sorted(self._injected(namespaces))[:_MAX_TRIALS]
        refusals = []
        for namespace, registry in candidates:
            try:
                return [await self._try(namespace, registry)]
            except FailureError as error:
                refusals.append(str(error))
        return [skipped(INJECTION, refusals[0] if refusals else "no namespace is opted in")]

    def _injected(self, namespaces: Sequence[ObservedNamespace]) -> Iterator[tuple[str, str]]:
        """Yield the namespaces whose pods are to be injected, each with one of its registries."""
        policy = self._settings.policy
        for namespace in namespaces:
            desired = judge(namespace, None, policy).desired
            if desired and not namespace.terminating and injection(namespace, policy) is Injection.INJECTED:
                yield namespace.name, desired.registries[0].name

    async def _try(self, namespace: str, registry: str) -> CheckResult:
        if not await self._reviewer.may(RbacRule(verb="create", resource="pods", namespace=namespace)):
            return skipped(INJECTION, f"not checked: needs create on pods in {namespace}")
        secret = self._settings.secret_name
        if secret in await self._trial.added_pull_secrets(namespace, f"{registry}/pullkeeper-check"):
            return passed(INJECTION, f"a new pod in {namespace} gets the pull Secret by itself (dry run)")
        return failed(INJECTION, f"a new pod in {namespace} does not get the pull Secret by itself (dry run)", _FIX)
