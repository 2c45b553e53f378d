"""The check of the admission fence: that it refuses, by the controller's own rights."""

from collections.abc import Sequence

from pullkeeper.adapters.kubernetes.client import ApiClient
from pullkeeper.adapters.kubernetes.fence_probe import FenceProbe
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.views.check_result import CheckResult, failed, passed, warned

CHECK = "admission fence"
_POLICY = "-fence-secrets'"
"""How the name of the chart's policy ends, in the API server's words."""
_OFF = (
    "none: whoever gets hold of the controller's token can have the cluster's credentials put into Secrets of its name"
)
_FIX = "set admission.fence=true in the chart's values (Kubernetes 1.30 and newer)"
_NAMESPACED_FIX = (
    "keep `watchNamespaces` to namespaces without powerful ServiceAccounts: the fence needs the whole cluster"
)


async def check_fence(client: ApiClient, settings: Settings) -> Sequence[CheckResult]:
    """Prove by a dry run that the fence refuses; warn where the settings say that there is none."""
    if not settings.policy.admission_fence:
        return [warned(CHECK, _OFF, _NAMESPACED_FIX if settings.watch_namespaces else _FIX)]
    namespace = settings.lease_namespace if settings.leader_election else "default"
    refused = await FenceProbe(client, secret_name=settings.secret_name).dry_run(namespace)
    if refused is None:
        detail = f"a Secret {settings.secret_name} with an annotation that is not ours is admitted in {namespace}"
        fix = (
            "see whether the policies that end in -fence-… and their bindings are there, and name this ServiceAccount; "
            "it says nothing of other users, so run the check as the controller's own ServiceAccount"
        )
        return [failed(CHECK, detail, fix)]
    if _POLICY not in refused.why:
        return [failed(CHECK, f"not proven, because somebody else refuses first: {refused.why}")]
    return [passed(CHECK, f"it refuses what is not the controller's business: {refused.words}")]
