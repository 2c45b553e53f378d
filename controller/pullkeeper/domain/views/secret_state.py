"""The state of one Secret of ours as its metadata shows it, the pull Secret's or an additional one's."""

from datetime import datetime, timedelta

from pullkeeper.domain.ecr.rotation import Rotation
from pullkeeper.domain.namespace import annotations
from pullkeeper.domain.namespace.namespace import PREFIX
from pullkeeper.domain.reporting.state import State, expiry_state
from pullkeeper.domain.secret.desired_state import DesiredState
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.repairs import writer_hint
from pullkeeper.domain.secret.secret_record import SecretRecord
from pullkeeper.domain.secret.shapes import SecretShape
from pullkeeper.domain.views.durations import format_duration

StateAndProblems = tuple[State, tuple[str, ...]]

_OVERDUE_SHARE = 50
"""Renewal is overdue once it is late by this part (a fiftieth) of the token's lifetime: 15 minutes of 12 hours."""
_HEALTHY = frozenset({State.READY, State.OTHER_CLASS, State.TERMINATING})
_IN_PROGRESS = frozenset({State.PENDING, State.OUTDATED})


def is_unhealthy(state: State, *, recent: bool) -> bool:
    """Return whether somebody should look into it; a `recent` request may still be in progress."""
    return state not in _HEALTHY and not (state in _IN_PROGRESS and recent)


def state_of(
    secret: ObservedSecret, desired: DesiredState, shape: SecretShape, refresh_at: datetime | None, now: datetime
) -> StateAndProblems:
    """Return the state of a Secret that is there and wanted, and what is wrong with it."""
    if not secret.managed:
        return State.CONFLICT, (_conflict(shape),)
    if secret.record is None:
        return State.CORRUPT, (f"{shape.noun}'s annotations were changed and cannot be read",)
    late = late_state(secret.record, shape, refresh_at, now)
    return late or _outdated(desired, secret, secret.record, shape) or (State.READY, ())


def refresh_at_of(secret: ObservedSecret | None, rotation: Rotation | None) -> datetime | None:
    """Return when the first token in a Secret of ours is to be replaced, if that is known."""
    record = secret.record if secret and secret.managed else None
    if secret is None or record is None or rotation is None:
        return None
    return min(rotation.refresh_at_for(secret.namespace, validity) for validity in record.validities)


def late_state(
    record: SecretRecord, shape: SecretShape, refresh_at: datetime | None, now: datetime
) -> StateAndProblems | None:
    """Judge by the clock; without the refresh rule only the end of a token's lifetime is known."""
    first = min(record.validities, key=lambda validity: validity.expires_at)
    state, left = expiry_state(record, now), first.expires_at - now
    if state is State.EXPIRED:
        return state, (f"the token expired {format_duration(left)} ago: {shape.when_expired}",)
    if state is State.EXPIRING:
        return state, (f"the token expires in {format_duration(left)} and has not been replaced",)
    late = now - refresh_at if refresh_at else timedelta()
    if late > (first.expires_at - first.issued_at) / _OVERDUE_SHARE:
        return State.FAILING, (f"the token should have been replaced {format_duration(late)} ago",)
    return None


def _conflict(shape: SecretShape) -> str:
    return (
        f"a Secret with {shape.called} exists and is not managed by Pullkeeper: delete or rename it, "
        "or hand it over by adding the label app.kubernetes.io/managed-by=pullkeeper"
    )


def _outdated(
    desired: DesiredState, secret: ObservedSecret, record: SecretRecord, shape: SecretShape
) -> StateAndProblems | None:
    wanted, present = set(desired.registries), set(record.registries)
    problems = [f"no entry yet for {host}" for host in sorted(wanted - present)]
    problems += [f"still an entry for {host}" for host in sorted(present - wanted)]
    problems += _other_identities(desired, record)
    if desired.refresh_requested_at not in (None, record.refresh_requested_at):
        problems.append(f"the request in {PREFIX}{annotations.REFRESH} has not been answered yet")
    if not secret.intact:
        problems.append(f"{shape.noun} was changed and has not been repaired yet ({writer_hint(secret.writer)})")
    return (State.OUTDATED, tuple(problems)) if problems else None


def _other_identities(desired: DesiredState, record: SecretRecord) -> list[str]:
    """Return what is still fetched as another identity; the registries are named where there are several identities."""
    names = desired.identity_names
    others = {(record.identities[host], name): host for host, name in names.items() if host in record.identities}
    several = len({*names.values()}) > 1
    return [
        f"still fetched as {held}{f' for {host}' if several else ''}; {name} is requested"
        for (held, name), host in others.items()
        if held != name
    ]
