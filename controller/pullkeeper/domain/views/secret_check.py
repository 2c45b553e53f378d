"""What `pullkeeper check` says about the pull Secrets: that they are there, and that somebody renews them."""

from collections.abc import Sequence
from datetime import datetime

from pullkeeper.domain.ecr.rotation import Rotation
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.views.check_result import CheckResult, failed, passed
from pullkeeper.domain.views.installations import rivals

_CHECK = "Secrets"


def judge_secrets(
    secrets: Sequence[ObservedSecret], name: str, rotation: Rotation, now: datetime
) -> Sequence[CheckResult]:
    """Judge all Secrets of a name: whether somebody renews them, and whether more than one installation does."""
    fix = "give each a secretName of its own, or uninstall the one that is not meant to be there"
    writers = [failed(_CHECK, problem, fix) for problem in rivals(secrets)]
    return [_judge_ages(secrets, name, rotation, now), *writers]


def _judge_ages(secrets: Sequence[ObservedSecret], name: str, rotation: Rotation, now: datetime) -> CheckResult:
    """Fail where most are overdue, since one may be its own namespace's fault."""
    managed = [secret for secret in secrets if secret.managed]
    overdue = [secret for secret in managed if _is_overdue(secret, rotation, now)]
    counts = f"{len(secrets):,} named {name}, {len(managed):,} of them managed by Pullkeeper"
    if not overdue:
        return passed(_CHECK, counts)
    detail = f"{counts}, {len(overdue):,} overdue for renewal"
    if 2 * len(overdue) < len(managed):
        return passed(_CHECK, detail)
    fix = "the controller does not renew them: see its log, /readyz, and whether an upgrade has left old pods running"
    return failed(_CHECK, detail, fix)


def _is_overdue(secret: ObservedSecret, rotation: Rotation, now: datetime) -> bool:
    """Whether half of the time for its renewal has passed without one."""
    validities = secret.record.validities if secret.record else ()
    due = ((rotation.refresh_at_for(secret.namespace, each), each.expires_at) for each in validities)
    return any(now > refresh_at + (expires_at - refresh_at) / 2 for refresh_at, expires_at in due)
