"""Every state of one namespace in a small scope, and what the cluster gets to from it."""

import base64
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from itertools import product
from typing import Any

from pullkeeper.domain.config.policy import Policy, RoleGrant
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.ecr.credential import TokenValidity
from pullkeeper.domain.namespace.namespace import PREFIX
from pullkeeper.domain.secret.secret_record import TOKENS, read_record
from pullkeeper.domain.secret.service_account_patch import MARK
from testsupport.boundaries.scenarios import (
    ACCOUNT,
    BLUE,
    FOREIGN,
    FRANKFURT,
    IRELAND,
    current,
    opt_in,
    served,
    without,
)
from testsupport.boundaries.world import NAMESPACE, Scenario, World
from testsupport.simulation import aws
from testsupport.simulation.record import USER, Issued, Period, SecretVersion, Status
from testsupport.simulation.store import SECRET_NAME
from testsupport.virtual_time import HOUR, MINUTE, at_second, elapsed

_THEN = MINUTE
"""Second at which the state is put, if a controller has served the namespace before."""
_RECOVERING = 10 * MINUTE
"""Seconds for which AWS issues nothing, if it does not answer at once."""
_GRACE = 20 * MINUTE
"""Seconds after which even an opt-in of which the Secret says nothing certain has been given up."""
_LIFE = 12 * HOUR
_BEFORE = -20 * HOUR


class Requested(StrEnum):
    """What the Namespace's annotations say."""

    ABSENT = "no annotations"
    ENABLED = "enabled"
    DISABLED = "disabled"
    INVALID = "invalid"
    OTHERS = "other registries"
    ROLE = "a role"


class Found(StrEnum):
    """What there is of the name of the pull Secret."""

    ABSENT = "no Secret"
    FRESH = "ours, fresh"
    DUE = "ours, due"
    EXPIRED = "ours, expired"
    EDITED = "ours, edited"
    FOREIGN = "foreign"
    IMMUTABLE = "ours, immutable"
    UNLABELLED = "ours, without its label"
    GARBLED = "ours, with a garbled record"
    FORGED = "ours, with times that cannot be"


class Attached(StrEnum):
    """The ServiceAccount that is, or was, to name it."""

    ABSENT = "no ServiceAccount"
    OURS = "ServiceAccount with our entry"
    WITHOUT = "ServiceAccount without entries"
    FOREIGN = "ServiceAccount with entries of others"


class Answers(StrEnum):
    """AWS."""

    AT_ONCE = "AWS answers"
    DENIES = "AWS denies, then answers"
    DOWN = "AWS is away, then answers"


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """One state."""

    requested: Requested
    found: Found
    attached: Attached
    answers: Answers
    remembers: bool
    """Whether the controller has served the namespace before, or is started in this state."""

    def __str__(self) -> str:
        memory = "a controller with a memory" if self.remembers else "a new controller"
        return f"{self.requested}, {self.found}, {self.attached}, {self.answers}, {memory}"


def every_state() -> Iterator[Start]:
    """Give all of them."""
    for requested, found, attached, answers, remembers in product(Requested, Found, Attached, Answers, (False, True)):
        yield Start(requested=requested, found=found, attached=attached, answers=answers, remembers=remembers)


def scenario_of(start: Start) -> Scenario:
    """Return the run from a state."""
    at = _THEN if start.remembers else 0.0
    reasons = {Answers.DENIES: "AccessDenied", Answers.DOWN: "NetworkUnreachable"}
    reason = reasons.get(start.answers)
    template = _template()  # before the run, because it takes one of its own
    put = (at, lambda world: _put(world, start, template))
    return Scenario(
        name=str(start),
        actions=[(0.0, opt_in), put] if start.remembers else [put],
        window=(at, at + _GRACE),
        goal=lambda world: _goal(world, start),
        calls=frozenset(),
        settings=Settings(service_account_attachment=True, policy=Policy(roles=(RoleGrant(role=BLUE),))),
        roles=(BLUE,),
        quiet=HOUR,
        start_at=0.0 if start.remembers else 1.0,
        aws_down=(Period(start=at, end=at + _RECOVERING, reason=reason),) if reason else (),
        is_obstructed=start.found is Found.IMMUTABLE,
    )


@cache
def _template() -> SecretVersion:
    """Return a Secret as the controller writes it."""
    scenario = Scenario(
        name="template",
        actions=[(0.0, opt_in)],
        window=(0.0, MINUTE),
        goal=lambda _: iter(()),
        calls=frozenset(),
        quiet=0.0,
    )
    world = World(scenario, {})
    world.finish()
    return world.cluster.secrets[NAMESPACE]


_REQUESTED: Mapping[Requested, tuple[Status, tuple[str, ...], Mapping[str, str]]] = {
    Requested.ABSENT: (Status.OPTED_OUT, (), {}),
    Requested.ENABLED: (Status.OPTED_IN, (IRELAND,), {"enabled": "true", "registries": IRELAND}),
    Requested.DISABLED: (Status.OPTED_OUT, (), {"enabled": "false"}),
    Requested.INVALID: (Status.INVALID, (), {"enabled": "true", "registries": "docker.io"}),
    Requested.OTHERS: (Status.OPTED_IN, (FRANKFURT,), {"enabled": "true", "registries": FRANKFURT}),
    Requested.ROLE: (Status.OPTED_IN, (IRELAND,), {"enabled": "true", "registries": IRELAND, "role_arn": BLUE}),
}


def _put(world: World, start: Start, template: SecretVersion) -> None:
    """Make the cluster what the state says."""
    # Nobody could replace before what is only put now.
    (world.record.obstacles if start.remembers else world.record.controller_down).append(
        Period(start=_BEFORE, end=elapsed())
    )
    status, hosts, annotations = _REQUESTED[start.requested]
    attaching = {"attach_to_service_accounts": ACCOUNT} if status is Status.OPTED_IN else {}
    world.annotate(status, hosts, **annotations, **attaching)
    world.cluster.drop_secret(NAMESPACE, USER)
    if start.found is not Found.ABSENT:
        world.cluster.put_secret(NAMESPACE, **_secret(world, start.found, template))
    _put_account(world, start.attached)


def _put_account(world: World, attached: Attached) -> None:
    entries = {Attached.OURS: (SECRET_NAME,), Attached.WITHOUT: (), Attached.FOREIGN: ("other", SECRET_NAME)}
    if attached in entries:
        mark = {MARK: SECRET_NAME} if attached is Attached.OURS else {}
        world.cluster.put_service_account(NAMESPACE, ACCOUNT, mark, entries[attached])


def _secret(world: World, found: Found, template: SecretVersion) -> dict[str, Any]:
    """Return the fields of a Secret."""
    ages = {Found.DUE: 7 * HOUR, Found.EXPIRED: 13 * HOUR, Found.FORGED: HOUR}
    ours = _aged(world, ages.get(found, 0.0), template)
    annotations, owned = ours["annotations"], ours["owned"]
    forged = annotations[TOKENS].replace("2026-", "9999-")
    changes: dict[Found, dict[str, Any]] = {
        Found.EDITED: {"auths": dict(FOREIGN), "owned": owned - {"data"}},
        Found.FOREIGN: {"auths": dict(FOREIGN), "managed": False, "annotations": {}, "owned": frozenset()},
        Found.IMMUTABLE: {"immutable": True},
        Found.UNLABELLED: {"managed": False, "owned": owned - {"label"}},
        Found.GARBLED: {"annotations": {**annotations, TOKENS: "{}"}, "owned": owned - {TOKENS}},
        Found.FORGED: {"annotations": {**annotations, TOKENS: forged}},
    }
    return ours | changes.get(found, {})


def _aged(world: World, age: float, template: SecretVersion) -> dict[str, Any]:
    """Return the fields of a Secret that the controller wrote so many seconds ago."""
    issued_at = elapsed() - age
    validity = TokenValidity(issued_at=at_second(issued_at), expires_at=at_second(issued_at + _LIFE))
    record = read_record(template.annotations)
    if record is None:
        raise TypeError("the controller wrote a record that it cannot read")
    auth = base64.b64encode(f"AWS:{aws.MARK}-aged".encode()).decode()
    world.record.issued[auth] = Issued(
        at=issued_at,
        scope="eu-west-1",
        key=f"ecr eu-west-1 {aws.CONTROLLER_KEY}",
        issued_at=issued_at,
        expires_at=issued_at + _LIFE,
    )
    annotations = {**template.annotations, **replace(record, held=dict.fromkeys(record.held, validity)).annotations()}
    return {"managed": True, "annotations": annotations, "auths": {IRELAND: auth}, "owned": template.owned}


def _goal(world: World, start: Start) -> Iterator[str]:
    yield from _secret_goal(world, start)
    yield from _account_goal(world, start)


def _secret_goal(world: World, start: Start) -> Iterator[str]:
    """Report unless the Secret is what was asked for, or was left alone where it had to be."""
    secret, is_foreign = current(world), start.found in {Found.FOREIGN, Found.UNLABELLED}
    if is_foreign or (start.found is Found.IMMUTABLE and start.requested not in {Requested.ABSENT, Requested.DISABLED}):
        if secret is None or secret.writer != USER:
            yield f"ended with {secret} in place of the one that could not be written"
    elif start.requested is Requested.INVALID:
        if (secret is None) != (start.found is Found.ABSENT):
            yield f"ended with {secret} on invalid annotations"
        elif start.found in {Found.FRESH, Found.DUE, Found.EXPIRED}:
            yield from served(world, IRELAND)
    else:
        yield from _GOALS[start.requested](world)


_GOALS: Mapping[Requested, Callable[[World], Iterator[str]]] = {
    Requested.ABSENT: without,
    Requested.DISABLED: without,
    Requested.ENABLED: lambda world: served(world, IRELAND),
    Requested.OTHERS: lambda world: served(world, FRANKFURT),
    Requested.ROLE: lambda world: served(world, IRELAND, role=BLUE),
}


def _account_goal(world: World, start: Start) -> Iterator[str]:
    account = world.cluster.accounts.get((NAMESPACE, ACCOUNT))
    expected = _entries(world, start)
    found = None if account is None else account.pull_secrets
    if found != expected:
        yield f"ended with imagePullSecrets {found} instead of {expected}"
    marks = account is not None and account.annotations.get(f"{PREFIX}attached-secret") == SECRET_NAME
    if marks != (expected == (SECRET_NAME,)):
        yield f"ended with the mark {'set' if marks else 'not set'}"


def _entries(world: World, start: Start) -> tuple[str, ...] | None:
    """Return the names that the ServiceAccount should end with."""
    secret, status = current(world), _REQUESTED[start.requested][0]
    exists = secret is not None and secret.managed
    match start.attached:
        case Attached.ABSENT:
            return None
        case Attached.OURS:
            return () if status is Status.OPTED_OUT else (SECRET_NAME,)
        case Attached.WITHOUT:
            return (SECRET_NAME,) if status is Status.OPTED_IN and exists else ()
        case Attached.FOREIGN:
            return ("other", SECRET_NAME)
