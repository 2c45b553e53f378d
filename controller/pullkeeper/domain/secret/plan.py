"""What to do about one namespace: the one next action."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pullkeeper.domain.config.policy import Policy
from pullkeeper.domain.ecr.rotation import Rotation
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.secret.desired_state import DesiredState
from pullkeeper.domain.secret.observed_secret import ObservedSecret


class Priority(StrEnum):
    """Priority of a namespace in the work queue: a first Secret is always served ahead of rotations."""

    NEW = "new"
    ROTATION = "rotation"


class Cause(StrEnum):
    """Why a pull Secret is written."""

    CREATED = "create"
    REPAIRED = "repair"
    CHANGED = "change"
    REFRESHED = "refresh"
    ROTATED = "rotate"


@dataclass(frozen=True, kw_only=True, slots=True)
class NoOp:
    """Nothing to do until this moment, or until something changes."""

    until: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Delete:
    """Delete our Secret: it is no longer desired."""

    secret: ObservedSecret


@dataclass(frozen=True, kw_only=True, slots=True)
class Conflict:
    """A Secret with the pull Secret's name exists and is not ours."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Apply:
    """Write the Secret: create it, or replace the content of the observed one."""

    cause: Cause
    desired: DesiredState
    secret: ObservedSecret | None = None


Step = NoOp | Delete | Conflict | Apply


def plan(
    *,
    namespace: ObservedNamespace | None,
    desired: DesiredState | None,
    secret: ObservedSecret | None,
    now: datetime,
    rotation: Rotation,
    revoked: bool = False,
) -> Step:
    """Decide on the next action; `revoked` says that a registry refuses a token in the Secret."""
    if namespace is None or namespace.terminating:
        return NoOp()
    if desired is None:
        return Delete(secret=secret) if secret and secret.managed and secret.written else NoOp()
    if secret is None:
        return Apply(cause=Cause.CREATED, desired=desired)
    if not secret.managed:
        return Conflict()
    step = _maintain(namespace.name, desired, secret, now, rotation)
    return Apply(cause=Cause.ROTATED, desired=desired, secret=secret) if revoked and isinstance(step, NoOp) else step


def fallback_state(namespace: ObservedNamespace, secret: ObservedSecret | None, policy: Policy) -> DesiredState | None:
    """Return the state in which an existing pull Secret is maintained while its namespace's annotations are invalid."""
    if secret is None or secret.target is None:
        return None
    target = secret.target
    identity = policy.reauthorize(namespace, target.identity, target.registries)
    if identity is None:
        return None
    refresh = secret.record.refresh_requested_at if secret.record else None
    return DesiredState(registries=target.registries, identity=identity, refresh_requested_at=refresh)


def _maintain(name: str, desired: DesiredState, secret: ObservedSecret, now: datetime, rotation: Rotation) -> Step:
    record = secret.record
    if record is None or not secret.intact:
        return Apply(cause=Cause.REPAIRED, desired=desired, secret=secret)
    if set(record.registries) != set(desired.registries) or record.identity != desired.identity:
        return Apply(cause=Cause.CHANGED, desired=desired, secret=secret)
    if desired.refresh_requested_at not in (None, record.refresh_requested_at):
        return Apply(cause=Cause.REFRESHED, desired=desired, secret=secret)
    refresh_at = min(rotation.refresh_at_for(name, validity) for validity in record.validities)
    return NoOp(until=refresh_at) if now < refresh_at else Apply(cause=Cause.ROTATED, desired=desired, secret=secret)
