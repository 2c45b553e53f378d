"""How a namespace stands, told from its metadata and its Secret's alone, by whoever looks at it from outside."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from controller.core import annotations
from controller.core.annotations import DesiredState, desired_state
from controller.core.asked import Asked
from controller.core.namespace import PREFIX, NamespaceView
from controller.core.observed_secret import ObservedSecret
from controller.core.policy import ANYBODY, EVERY_NAMESPACE, NO_NAMESPACE, Policy, RoleGrant
from controller.core.problem import InvalidInputError
from controller.core.pull_secret import Published
from controller.core.reasons import FailureError
from controller.core.schedule import Rotation
from controller.core.span import span
from controller.core.warning import Warned

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
class Rules:
    """What the installation has set; without a policy that is known, everything is taken to be allowed."""

    policy: Policy | None = None
    rotation: Rotation | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
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
    warned: Warned | None = None

    @property
    def puzzling(self) -> bool:
        """Whether only the controller's own words can tell what is the matter."""
        return self.wrong and self.state not in _SELF_EVIDENT


@dataclass(frozen=True, kw_only=True, slots=True)
class _Wish:
    desired: DesiredState | None
    problems: tuple[str, ...] = ()


def standing(seen: Asked, secret: ObservedSecret | None, rules: Rules, now: datetime) -> Standing | None:
    """Tell how a namespace stands; None where it asks for nothing and has nothing of ours."""
    wish = _wish(seen.view, secret, rules.policy)
    ours = secret if secret and secret.managed else None
    if wish.desired is None and not wish.problems and ours is None:
        return None
    held = ours.published if ours else None
    due = _due(seen.view.name, held, rules.rotation) if held and rules.rotation else None
    state, problems = _judge(seen, secret, wish, due, now)
    waits = state in _WAITING and seen.since is not None and now - seen.since < _PATIENCE
    return Standing(
        namespace=seen.view.name,
        state=state,
        wrong=state not in _CALM and not waits,
        registries=_registries(wish, held),
        identity=_identity(wish, held),
        issued_at=min((times.issued_at for times in held.all_times), default=None) if held else None,
        expires_at=held.expires_at if held else None,
        due_at=due,
        problems=problems,
    )


def absent(name: str) -> Standing:
    """Tell of a namespace that was named and is not there."""
    return Standing(namespace=name, state=State.ABSENT, wrong=True, problems=("there is no such namespace",))


def explained(found: Standing, last: Warned | None) -> Standing:
    """Add the controller's last warning, where it can tell more than is seen."""
    return replace(found, warned=last) if last and found.puzzling else found


def _judge(
    seen: Asked, secret: ObservedSecret | None, wish: _Wish, due: datetime | None, now: datetime
) -> tuple[State, tuple[str, ...]]:
    held = secret.published if secret and secret.managed else None
    aged = _aged(held, due, now) if held else None
    if seen.view.terminating:
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


def _aged(held: Published, due: datetime | None, now: datetime) -> tuple[State, tuple[str, ...]] | None:
    """Judge by the clock; without knowing the rule of rotation, only the end of a token's life tells."""
    times = min(held.all_times, key=lambda each: each.expires_at)
    life, left = times.expires_at - times.issued_at, times.expires_at - now
    if left <= timedelta():
        return State.EXPIRED, (f"the token is dead since {span(-left)}: pulls fail",)
    if left < life / _LAST_SHARE:
        return State.EXPIRING, (f"the token dies in {span(left)}, and has not been replaced",)
    late = now - due if due else timedelta()
    if late > life / _LATE_SHARE:
        return State.OVERDUE, (f"the token should have been replaced {span(late)} ago",)
    return None


def _kept_up(desired: DesiredState, secret: ObservedSecret, held: Published) -> tuple[State, tuple[str, ...]] | None:
    wanted, there = set(desired.registries), set(held.registries)
    found = [f"no entry yet for {host}" for host in sorted(wanted - there)]
    found += [f"still an entry for {host}" for host in sorted(there - wanted)]
    if held.identity != desired.identity:
        found.append(f"still fetched as {held.identity}, and asked for as {desired.identity}")
    if desired.refresh not in (None, held.refresh):
        found.append("the `refresh` request is not answered yet")
    if not secret.intact:
        found.append("the pull Secret has been changed by somebody else, and is not put right yet")
    return (State.BEHIND, tuple(found)) if found else None


def _wish(view: NamespaceView, secret: ObservedSecret | None, policy: Policy | None) -> _Wish:
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
        registries=secret.purpose.registries if secret and secret.purpose else (),
        roles=(RoleGrant(role="*"),),
        service_accounts=ANYBODY,
        opt_in=EVERY_NAMESPACE if ours else NO_NAMESPACE,
    )


def _undefined(view: NamespaceView, policy: Policy) -> DesiredState:
    role, account = (view.annotations.get(key, "") for key in (annotations.ROLE_ARN, annotations.SERVICE_ACCOUNT))
    return DesiredState(registries=(), identity=policy.identity(view, (), role=role, account=account))


def _registries(wish: _Wish, held: Published | None) -> tuple[str, ...]:
    wanted = wish.desired.registries if wish.desired else ()
    return tuple(host.name for host in wanted or (held.registries if held else ()))


def _identity(wish: _Wish, held: Published | None) -> str:
    if wish.desired:
        return wish.desired.identity.name
    return held.identity.name if held else ""


def _due(name: str, held: Published, rotation: Rotation) -> datetime:
    return min(rotation.due_in(name, times) for times in held.all_times)


def _for_how_long(seen: Asked, now: datetime) -> str:
    return f", asked for since {span(now - seen.since)}" if seen.since else ""
