"""What the controller would do for a Namespace, and why: told from the Namespace and the settings alone."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from controller.core import content
from controller.core.annotations import ENABLED, REGISTRIES, DesiredState, desired_state
from controller.core.aws_errors import actions
from controller.core.credential import TokenTimes
from controller.core.identity import Identity, Kind, TokenScope
from controller.core.namespace import PREFIX, NamespaceView
from controller.core.problem import InvalidInputError
from controller.core.pull_secret import DATA_KEY, Published, manifest
from controller.core.reasons import FailureError
from controller.core.settings import Settings

LIFE = timedelta(hours=12)
"""What ECR promises for a token; what counts is what it says with each."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """When a token that is issued now is replaced."""

    issued_at: datetime
    due_at: datetime
    at: datetime
    """This namespace's turn, within the window that spreads them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
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
    turn: Turn | None = None
    secret: Mapping[str, Any] | None = None


def forecast(view: NamespaceView, settings: Settings, now: datetime) -> Forecast:
    """Tell it, as of now."""
    try:
        desired = desired_state(view, settings.policy)
    except InvalidInputError as error:
        return Forecast(namespace=view.name, why=_REFUSED, problems=tuple(map(str, error.problems)))
    except FailureError as error:
        said = error.failure.message.removeprefix(f"namespace/{view.name}: ")
        return Forecast(namespace=view.name, why=_REFUSED, problems=(said,))
    if desired is None:
        return Forecast(namespace=view.name, why=_not_opted_in(view))
    return _opted_in(view, desired, settings, now)


_REFUSED = "nothing is created, and a pull Secret that is there goes on with what it has"


def _not_opted_in(view: NamespaceView) -> str:
    why = "opted out by its annotation" if ENABLED in view.annotations else "not opted in"
    return f"{why}: there is no pull Secret, and one that the controller has made is deleted"


def _opted_in(view: NamespaceView, desired: DesiredState, settings: Settings, now: datetime) -> Forecast:
    by = f"its annotation {PREFIX}{ENABLED}" if ENABLED in view.annotations else "`optIn` of the settings"
    times = TokenTimes(issued_at=now, expires_at=now + LIFE)
    rotation, scopes = settings.rotation, tuple(sorted(content.scopes(desired)))
    held = Published(
        registries=desired.registries,
        identity=desired.identity,
        tokens=dict.fromkeys(scopes, times),
        refresh=desired.refresh,
    )
    return Forecast(
        namespace=view.name,
        why=f"opted in by {by}",
        desired=desired,
        by_default=REGISTRIES not in view.annotations,
        allowed_by=settings.policy.granting(view, desired.registries, desired.identity),
        scopes=scopes,
        permissions=tuple(_permissions(desired.identity, scopes)),
        turn=Turn(issued_at=now, due_at=rotation.due(times), at=rotation.due_in(view.name, times)),
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
