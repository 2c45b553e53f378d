"""What is to be done about one namespace: a chain of checks that reads as the policy."""

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
    """Nothing to do, until then or until something happens."""

    until: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Delete:
    """Our Secret is no longer wanted."""

    secret: ObservedSecret


@dataclass(frozen=True, kw_only=True, slots=True)
class Conflict:
    """A Secret of our name is there and is not ours."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Apply:
    """The Secret is to be written: anew, or in place of the one that is there."""

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
    """Decide the one next step for a namespace; `revoked` says that a registry refuses a token in its Secret."""
    if namespace is None or namespace.terminating:
        return NoOp()
    if desired is None:
        return Delete(secret=secret) if secret and secret.managed and secret.written else NoOp()
    if secret is None:
        return Apply(cause=Cause.CREATED, desired=desired)
    if not secret.managed:
        return Conflict()
    step = _keep_up(namespace.name, desired, secret, now, rotation)
    return Apply(cause=Cause.ROTATED, desired=desired, secret=secret) if revoked and isinstance(step, NoOp) else step


def fallback_state(view: ObservedNamespace, secret: ObservedSecret | None, policy: Policy) -> DesiredState | None:
    """What an existing pull Secret goes on as while its namespace's annotations are invalid."""
    if secret is None or secret.target is None:
        return None
    held = secret.target
    identity = policy.reauthorize(view, held.identity, held.registries)
    if identity is None:
        return None
    refresh = secret.record.refresh_requested_at if secret.record else None
    return DesiredState(registries=held.registries, identity=identity, refresh_requested_at=refresh)


def _keep_up(namespace: str, desired: DesiredState, secret: ObservedSecret, now: datetime, rotation: Rotation) -> Step:
    held = secret.record
    if held is None or not secret.intact:
        return Apply(cause=Cause.REPAIRED, desired=desired, secret=secret)
    if set(held.registries) != set(desired.registries) or held.identity != desired.identity:
        return Apply(cause=Cause.CHANGED, desired=desired, secret=secret)
    if desired.refresh_requested_at not in (None, held.refresh_requested_at):
        return Apply(cause=Cause.REFRESHED, desired=desired, secret=secret)
    due = min(rotation.refresh_at_for(namespace, times) for times in held.validities)
    return NoOp(until=due) if now < due else Apply(cause=Cause.ROTATED, desired=desired, secret=secret)
