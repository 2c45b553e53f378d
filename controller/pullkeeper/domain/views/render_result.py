"""What the controller would do for a Namespace, and why: told from the Namespace and the settings alone."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.ecr.aws_errors import actions
from pullkeeper.domain.ecr.credential import TokenValidity
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.errors.failures import FailureError
from pullkeeper.domain.errors.validation import InvalidInputError
from pullkeeper.domain.iam.identity import Identity, Kind
from pullkeeper.domain.namespace.annotations import ENABLED, REGISTRIES
from pullkeeper.domain.namespace.namespace import PREFIX, ObservedNamespace
from pullkeeper.domain.secret import entries
from pullkeeper.domain.secret.desired_state import DesiredState, desired_state
from pullkeeper.domain.secret.pull_secret import DATA_KEY, SecretRecord, manifest

LIFE = timedelta(hours=12)
"""What ECR promises for a token; what counts is what it says with each."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RefreshTime:
    """When a token that is issued now is replaced."""

    issued_at: datetime
    due_at: datetime
    at: datetime
    """This namespace's turn, within the window that spreads them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RenderResult:
    """What would be done for one Namespace."""

    namespace: str
    why: str
    """Why there is a pull Secret or none."""
    problems: tuple[str, ...] = ()
    desired: DesiredState | None = None
    by_default: bool = False
    """The registries are the installation's, because the namespace names none."""
    allowed_by: str = ""
    """The setting by which it may use its identity."""
    scopes: tuple[TokenScope, ...] = ()
    permissions: tuple[str, ...] = ()
    """What has to be allowed in IAM, and to whom."""
    turn: RefreshTime | None = None
    secret: Mapping[str, Any] | None = None


def render_namespace(view: ObservedNamespace, settings: Settings, now: datetime) -> RenderResult:
    """Tell it, as of now."""
    try:
        desired = desired_state(view, settings.policy)
    except InvalidInputError as error:
        return RenderResult(namespace=view.name, why=_REFUSED, problems=tuple(map(str, error.problems)))
    except FailureError as error:
        said = error.failure.message.removeprefix(f"namespace/{view.name}: ")
        return RenderResult(namespace=view.name, why=_REFUSED, problems=(said,))
    if desired is None:
        return RenderResult(namespace=view.name, why=_not_opted_in(view))
    return _opted_in(view, desired, settings, now)


_REFUSED = "nothing is created, and a pull Secret that is there goes on with what it has"


def _not_opted_in(view: ObservedNamespace) -> str:
    why = "opted out by its annotation" if ENABLED in view.annotations else "not opted in"
    return f"{why}: there is no pull Secret, and one that the controller has made is deleted"


def _opted_in(view: ObservedNamespace, desired: DesiredState, settings: Settings, now: datetime) -> RenderResult:
    by = f"its annotation {PREFIX}{ENABLED}" if ENABLED in view.annotations else "`optIn` of the settings"
    times = TokenValidity(issued_at=now, expires_at=now + LIFE)
    rotation, scopes = settings.rotation, tuple(sorted(entries.token_scopes(desired)))
    held = SecretRecord(
        registries=desired.registries,
        identity=desired.identity,
        tokens=dict.fromkeys(scopes, times),
        refresh_requested_at=desired.refresh_requested_at,
    )
    return RenderResult(
        namespace=view.name,
        why=f"opted in by {by}",
        desired=desired,
        by_default=REGISTRIES not in view.annotations,
        allowed_by=settings.policy.granted_by(view, desired.registries, desired.identity),
        scopes=scopes,
        permissions=tuple(_permissions(desired.identity, scopes)),
        turn=RefreshTime(
            issued_at=now, due_at=rotation.refresh_at(times), at=rotation.refresh_at_for(view.name, times)
        ),
        secret=manifest(settings.secret_name, view.name, held, {DATA_KEY: _redacted(desired)}),
    )


def _permissions(identity: Identity, scopes: Sequence[TokenScope]) -> Iterator[str]:
    session, who = identity.session, identity.role_arn or "the controller's own role"
    if identity.kind is Kind.ROLE:
        asks = ["sts:AssumeRole"]
        asks += ["sts:TagSession"] if session and session.tags else []
        asks += ["sts:SetSourceIdentity"] if session and session.source_identity else []
        given = f", with the ExternalId {session.external_id}" if session and session.external_id else ""
        yield f"the controller's own role: {' and '.join(asks)} on {who}"
        yield f"{who}: a trust policy that allows {' and '.join(asks)} to the controller's own role{given}"
    if identity.kind is Kind.SERVICE_ACCOUNT:
        namespace, name = identity.service_account
        who = f"the role in eks.amazonaws.com/role-arn of the ServiceAccount {namespace}/{name}"
        yield f"{who}: a trust policy that allows sts:AssumeRoleWithWebIdentity to {identity}"
    for action in sorted({actions(scope) for scope in scopes}):
        yield f'{who}: {action} on "*"'
    yield f"{who}: ecr:BatchCheckLayerAvailability, ecr:BatchGetImage and ecr:GetDownloadUrlForLayer on what is pulled"


def _redacted(desired: DesiredState) -> str:
    auths = {host.name: {"auth": "***"} for host in sorted(desired.registries)}
    return f"base64 of {json.dumps({'auths': auths})}"
