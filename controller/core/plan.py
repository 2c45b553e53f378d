"""What is to be done about one namespace: a chain of checks that reads as the policy."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from controller.core.annotations import DesiredState
from controller.core.namespace import NamespaceView
from controller.core.observed_secret import ObservedSecret
from controller.core.policy import Policy
from controller.core.schedule import Rotation


class Cause(StrEnum):
    """Why a pull Secret is written."""

    CREATED = "create"
    REPAIRED = "repair"
    CHANGED = "change"
    REFRESHED = "refresh"
    ROTATED = "rotate"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rest:
    """Nothing to do, until then or until something happens."""

    until: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Remove:
    """Our Secret is no longer wanted."""

    secret: ObservedSecret


@dataclass(frozen=True, kw_only=True, slots=True)
class Blocked:
    """A Secret of our name is there and is not ours."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Write:
    """The Secret is to be written: anew, or in place of the one that is there."""

    cause: Cause
    desired: DesiredState
    secret: ObservedSecret | None = None


Step = Rest | Remove | Blocked | Write


def plan(
    *,
    namespace: NamespaceView | None,
    desired: DesiredState | None,
    secret: ObservedSecret | None,
    now: datetime,
    rotation: Rotation,
    died: bool = False,
) -> Step:
    """Decide the one next step for a namespace; `died` says that a token in its Secret is dead before its time."""
    if namespace is None or namespace.terminating:
        return Rest()
    if desired is None:
        return Remove(secret=secret) if secret and secret.managed and secret.written else Rest()
    if secret is None:
        return Write(cause=Cause.CREATED, desired=desired)
    if not secret.managed:
        return Blocked()
    step = _keep_up(namespace.name, desired, secret, now, rotation)
    return Write(cause=Cause.ROTATED, desired=desired, secret=secret) if died and isinstance(step, Rest) else step


def kept_state(view: NamespaceView, secret: ObservedSecret | None, policy: Policy) -> DesiredState | None:
    """What an existing pull Secret goes on as while its namespace's annotations are invalid."""
    if secret is None or secret.purpose is None:
        return None
    held = secret.purpose
    identity = policy.still(view, held.identity, held.registries)
    if identity is None:
        return None
    refresh = secret.published.refresh if secret.published else None
    return DesiredState(registries=held.registries, identity=identity, refresh=refresh)


def _keep_up(namespace: str, desired: DesiredState, secret: ObservedSecret, now: datetime, rotation: Rotation) -> Step:
    held = secret.published
    if held is None or not secret.intact:
        return Write(cause=Cause.REPAIRED, desired=desired, secret=secret)
    if set(held.registries) != set(desired.registries) or held.identity != desired.identity:
        return Write(cause=Cause.CHANGED, desired=desired, secret=secret)
    if desired.refresh not in (None, held.refresh):
        return Write(cause=Cause.REFRESHED, desired=desired, secret=secret)
    due = min(rotation.due_in(namespace, times) for times in held.all_times)
    return Rest(until=due) if now < due else Write(cause=Cause.ROTATED, desired=desired, secret=secret)
