"""How a namespace stands, told from its metadata and its Secret's alone, by whoever looks at it from outside."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from pullkeeper.domain.config.policy import ANYBODY, EVERY_NAMESPACE, NO_NAMESPACE, Policy, RoleGrant
from pullkeeper.domain.ecr.rotation import Rotation
from pullkeeper.domain.errors.failures import FailureError
from pullkeeper.domain.errors.validation import InvalidInputError
from pullkeeper.domain.namespace import annotations
from pullkeeper.domain.namespace.namespace import PREFIX, ObservedNamespace
from pullkeeper.domain.namespace.namespace_request import NamespaceRequest
from pullkeeper.domain.reporting.last_warning import LastWarning
from pullkeeper.domain.secret.desired_state import DesiredState, desired_state
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.pull_secret import SecretRecord
from pullkeeper.domain.views.durations import format_duration

_PATIENCE = timedelta(minutes=1)
"""So long a namespace may wait for what it has asked for, before that is taken for trouble."""
_LATE_SHARE = 50
"""A token is overdue when its turn is over by this part (a fiftieth) of its life: a quarter of an hour of 12 hours."""
_LAST_SHARE = 16
"""It is about to expire in this last part (a sixteenth) of its life: three quarters of an hour of 12 hours."""


class State(StrEnum):
    """How it stands, as far as that can be seen."""

    READY = "ready"
    PENDING = "pending"
    BEHIND = "behind"
    OVERDUE = "overdue"
    EXPIRING = "expiring"
    EXPIRED = "expired"
    DAMAGED = "damaged"
    MISCONFIGURED = "misconfigured"
    CONFLICT = "conflict"
    ORPHANED = "orphaned"
    LEAVING = "leaving"
    ABSENT = "absent"


_CALM = frozenset({State.READY, State.LEAVING})
_WAITING = frozenset({State.PENDING, State.BEHIND})
_SELF_EVIDENT = frozenset({State.MISCONFIGURED, State.CONFLICT, State.ORPHANED, State.ABSENT})
"""What is wrong is seen at once; for anything else only the controller can tell why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StatusRules:
    """What the installation has set; without a policy that is known, everything is taken to be allowed."""

    policy: Policy | None = None
    rotation: Rotation | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class NamespaceStatus:
    """How one namespace stands."""

    namespace: str
    state: State
    wrong: bool
    registries: tuple[str, ...] = ()
    identity: str = ""
    issued_at: datetime | None = None
    expires_at: datetime | None = None
    due_at: datetime | None = None
    problems: tuple[str, ...] = ()
    warned: LastWarning | None = None

    @property
    def puzzling(self) -> bool:
        """Whether only the controller's own words can tell what is the matter."""
        return self.wrong and self.state not in _SELF_EVIDENT


@dataclass(frozen=True, kw_only=True, slots=True)
class _Wish:
    desired: DesiredState | None
    problems: tuple[str, ...] = ()


def namespace_status(
    seen: NamespaceRequest, secret: ObservedSecret | None, rules: StatusRules, now: datetime
) -> NamespaceStatus | None:
    """Tell how a namespace stands; None where it asks for nothing and has nothing of ours."""
    wish = _wish(seen.namespace, secret, rules.policy)
    ours = secret if secret and secret.managed else None
    if wish.desired is None and not wish.problems and ours is None:
        return None
    held = ours.record if ours else None
    due = _due(seen.namespace.name, held, rules.rotation) if held and rules.rotation else None
    state, problems = _judge(seen, secret, wish, due, now)
    waits = state in _WAITING and seen.first_requested_at is not None and now - seen.first_requested_at < _PATIENCE
    return NamespaceStatus(
        namespace=seen.namespace.name,
        state=state,
        wrong=state not in _CALM and not waits,
        registries=_registries(wish, held),
        identity=_identity(wish, held),
        issued_at=min((times.issued_at for times in held.validities), default=None) if held else None,
        expires_at=held.expires_at if held else None,
        due_at=due,
        problems=problems,
    )


def not_found(name: str) -> NamespaceStatus:
    """Tell of a namespace that was named and is not there."""
    return NamespaceStatus(namespace=name, state=State.ABSENT, wrong=True, problems=("there is no such namespace",))


def with_warning(found: NamespaceStatus, last: LastWarning | None) -> NamespaceStatus:
    """Add the controller's last warning, where it can tell more than is seen."""
    return replace(found, warned=last) if last and found.puzzling else found


def _judge(
    seen: NamespaceRequest, secret: ObservedSecret | None, wish: _Wish, due: datetime | None, now: datetime
) -> tuple[State, tuple[str, ...]]:
    held = secret.record if secret and secret.managed else None
    aged = _aged(held, due, now) if held else None
    if seen.namespace.terminating:
        return State.LEAVING, ()
    if wish.desired is None:
        return _unwished(wish, aged[1] if aged else ())
    if secret is None:
        return State.PENDING, (f"no pull Secret yet{_for_how_long(seen, now)}",)
    if held is None:
        return _not_readable(secret)
    return aged or _kept_up(wish.desired, secret, held) or (State.READY, ())


def _unwished(wish: _Wish, more: tuple[str, ...]) -> tuple[State, tuple[str, ...]]:
    if wish.problems:
        return State.MISCONFIGURED, (*wish.problems, *more)
    return State.ORPHANED, ("the namespace is not opted in, and the pull Secret is still there",)


def _not_readable(secret: ObservedSecret) -> tuple[State, tuple[str, ...]]:
    if not secret.managed:
        return State.CONFLICT, (_CONFLICT,)
    return State.DAMAGED, ("what the pull Secret holds cannot be read: its annotations have been changed",)


_CONFLICT = (
    "a Secret of the pull Secret's name is there and is not Pullkeeper's: delete or rename it, or hand it over "
    "with the label app.kubernetes.io/managed-by=pullkeeper"
)


def _aged(held: SecretRecord, due: datetime | None, now: datetime) -> tuple[State, tuple[str, ...]] | None:
    """Judge by the clock; without knowing the rule of rotation, only the end of a token's life tells."""
    times = min(held.validities, key=lambda each: each.expires_at)
    life, left = times.expires_at - times.issued_at, times.expires_at - now
    if left <= timedelta():
        return State.EXPIRED, (f"the token is dead since {format_duration(-left)}: pulls fail",)
    if left < life / _LAST_SHARE:
        return State.EXPIRING, (f"the token dies in {format_duration(left)}, and has not been replaced",)
    late = now - due if due else timedelta()
    if late > life / _LATE_SHARE:
        return State.OVERDUE, (f"the token should have been replaced {format_duration(late)} ago",)
    return None


def _kept_up(desired: DesiredState, secret: ObservedSecret, held: SecretRecord) -> tuple[State, tuple[str, ...]] | None:
    wanted, there = set(desired.registries), set(held.registries)
    found = [f"no entry yet for {host}" for host in sorted(wanted - there)]
    found += [f"still an entry for {host}" for host in sorted(there - wanted)]
    if held.identity != desired.identity:
        found.append(f"still fetched as {held.identity}, and asked for as {desired.identity}")
    if desired.refresh_requested_at not in (None, held.refresh_requested_at):
        found.append("the `refresh` request is not answered yet")
    if not secret.intact:
        found.append("the pull Secret has been changed by somebody else, and is not put right yet")
    return (State.BEHIND, tuple(found)) if found else None


def _wish(view: ObservedNamespace, secret: ObservedSecret | None, policy: Policy | None) -> _Wish:
    allowed = policy or _anything(secret)
    try:
        return _Wish(desired=desired_state(view, allowed))
    except FailureError as error:
        return _Wish(desired=None, problems=(error.failure.message.removeprefix(f"namespace/{view.name}: "),))
    except InvalidInputError as error:
        problems = tuple(str(problem) for problem in error.problems)
        if policy is None and annotations.REGISTRIES not in view.annotations:
            # The one problem of that key is then that there is no default, which cannot be told.
            problems = tuple(each for each in problems if not each.startswith(f"{PREFIX}{annotations.REGISTRIES}:"))
        return _Wish(desired=None, problems=problems) if problems else _Wish(desired=_undefined(view, allowed))


def _anything(secret: ObservedSecret | None) -> Policy:
    """Give the policy that fits what is there: whoever has a pull Secret may be opted in by the installation."""
    ours = secret is not None and secret.managed
    return Policy(
        registries=secret.target.registries if secret and secret.target else (),
        roles=(RoleGrant(role="*"),),
        service_accounts=ANYBODY,
        opt_in=EVERY_NAMESPACE if ours else NO_NAMESPACE,
    )


def _undefined(view: ObservedNamespace, policy: Policy) -> DesiredState:
    role, account = (view.annotations.get(key, "") for key in (annotations.ROLE_ARN, annotations.SERVICE_ACCOUNT))
    return DesiredState(registries=(), identity=policy.identity(view, (), role=role, account=account))


def _registries(wish: _Wish, held: SecretRecord | None) -> tuple[str, ...]:
    wanted = wish.desired.registries if wish.desired else ()
    return tuple(host.name for host in wanted or (held.registries if held else ()))


def _identity(wish: _Wish, held: SecretRecord | None) -> str:
    if wish.desired:
        return wish.desired.identity.name
    return held.identity.name if held else ""


def _due(name: str, held: SecretRecord, rotation: Rotation) -> datetime:
    return min(rotation.refresh_at_for(name, times) for times in held.validities)


def _for_how_long(seen: NamespaceRequest, now: datetime) -> str:
    return f", asked for since {format_duration(now - seen.first_requested_at)}" if seen.first_requested_at else ""
