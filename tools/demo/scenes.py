"""The scenes: each does something to a namespace and checks one promise by counts and order; times are only shown."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from testsupport.fake_aws import ACCOUNT
from testsupport.installation import auths
from tools.demo.environment import LIFE, Environment
from tools.demo.namespaces import (
    DELETED,
    HOSTILE,
    MISCONFIGURED,
    NAMESPACES,
    OPTING_OUT,
    REFUSED,
    REFUSED_REGION,
    DemoNamespace,
)
from tools.demo.timeline import State, milliseconds, now

_BETWEEN_OPT_INS = 0.3
_LOOK = 1.0
"""Seconds to wait for something that must not happen."""
_LATEST_ROTATION = 0.85
"""The part of a token's life by which its rotation must have come; it is due at half of it."""
_EDITS = 300
"""How often the hostile namespace is edited, as fast as the API server takes it."""
_FOREIGN_ROLE = f"arn:aws:iam::{ACCOUNT}:role/payments"
_BROKEN = "https://123456789012.dkr.ecr.ap-southeast-2.amazonaws.com/web"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """Whether a promise was kept, and the figures that show it."""

    kept: bool
    figure: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """A heading, a promise, and what is done to check it, `at` so many seconds after the first opt-in."""

    heading: str
    promise: str
    at: float
    run: Callable[[Environment], Awaitable[Outcome]]


async def opt_in(environment: Environment) -> Outcome:
    """Opt in one namespace after the other; each gets a complete Secret."""
    waits = []
    for namespace in NAMESPACES:
        waits.append(asyncio.create_task(_first_secret(environment, namespace)))
        await asyncio.sleep(_BETWEEN_OPT_INS)
    times = [passed for passed in await asyncio.gather(*waits) if passed is not None]
    figure = f"{len(times)} of {len(NAMESPACES)}"
    if times:
        figure += f": median {median(times):.0f} ms, slowest {max(times)} ms"
    return Outcome(kept=len(times) == len(NAMESPACES), figure=figure)


async def _first_secret(environment: Environment, namespace: DemoNamespace) -> int | None:
    """Return the milliseconds to the first Secret; None if it lacks an entry for one of the registries."""
    asked = environment.timeline.record_action(namespace.name, "opted in", State.WAITING)
    await environment.installation.annotate(namespace.name, **namespace.opt_in)
    version = await environment.recorder.created(namespace.name)
    return milliseconds(asked, version.seen_at) if auths(version.secret).keys() == namespace.expected_hosts else None


async def delete(environment: Environment) -> Outcome:
    """Delete a Secret by hand; it is restored from the token that is already there."""
    calls = environment.aws.count()
    asked = environment.timeline.record_action(DELETED, "somebody deletes the pull Secret", State.MISSING)
    (await environment.installation.api.delete(environment.installation.path(DELETED))).ok()
    passed = milliseconds(asked, await _seen(environment, DELETED, "ADDED", asked))
    more = environment.aws.count() - calls
    return Outcome(kept=not more, figure=f"back in {passed} ms, with {more} calls to AWS")


async def misconfigure(environment: Environment) -> Outcome:
    """Break an annotation; an Event reports what is wrong, and the Secret stays as it is."""
    before = len(environment.recorder.of(MISCONFIGURED))
    held = environment.recorder.of(MISCONFIGURED)[-1]
    asked = environment.timeline.record_action(MISCONFIGURED, "registries annotation set to a URL", State.MISCONFIGURED)
    await environment.installation.annotate(MISCONFIGURED, registries=_BROKEN)
    event = await environment.installation.event(MISCONFIGURED, "InvalidAnnotation")
    passed = milliseconds(asked, now())
    _show(environment, MISCONFIGURED, event)
    await asyncio.sleep(_LOOK)
    # On a machine so slow that the rotation has begun meanwhile, a younger token is no fault.
    kept = all(version.expires_at > held.expires_at for version in environment.recorder.of(MISCONFIGURED)[before:])
    return Outcome(kept=kept, figure=f"Event after {passed} ms, Secret {'untouched' if kept else 'touched'}")


async def opt_out(environment: Environment) -> Outcome:
    """Opt out; the Secret is deleted."""
    asked = environment.timeline.record_action(OPTING_OUT, "opts out", State.OPTING_OUT)
    await environment.installation.annotate(OPTING_OUT, enabled="false")
    passed = milliseconds(asked, await _seen(environment, OPTING_OUT, "DELETED", asked))
    return Outcome(kept=True, figure=f"gone in {passed} ms")


async def attack(environment: Environment) -> Outcome:
    """Let a tenant ask for another's role and edit its namespace without end; nobody else notices."""
    began, due = now(), _rotation_due(environment)
    writes = environment.writes("secrets")
    environment.timeline.note(HOSTILE, f"asks for {_FOREIGN_ROLE}, then rewrites its annotations {_EDITS} times")
    await environment.installation.annotate(HOSTILE, enabled="true", role_arn=_FOREIGN_ROLE)
    _show(environment, HOSTILE, await environment.installation.event(HOSTILE, "RoleNotAllowed"))
    for number in range(_EDITS):
        await environment.installation.annotate(HOSTILE, registries=f"\x1b[2J{number}")
    await asyncio.sleep(_LOOK)
    events = len(await environment.installation.events(HOSTILE))
    # On a machine so slow that the rotation has begun meanwhile, what belongs to that is no fault.
    calls = sum(began <= call.time < due for call in environment.aws.calls)
    more = environment.writes("secrets") - writes if now() < due else 0
    figure = f"{_EDITS} edits: {calls} calls to AWS, {more} writes, {events} Events"
    environment.timeline.note(HOSTILE, figure)
    return Outcome(kept=not calls and not more and events < _EDITS / 10, figure=figure)


async def ask_in_vain(environment: Environment) -> Outcome:
    """Ask for a registry whose region AWS refuses; the Event says to whom what has to be granted."""
    host = f"{ACCOUNT}.dkr.ecr.{REFUSED_REGION}.amazonaws.com"
    asked = now()
    environment.timeline.note(REFUSED, f"opts in, for {host}")
    await environment.installation.annotate(REFUSED, enabled="true", registries=host)
    event = await environment.installation.event(REFUSED, "AccessDenied")
    passed = milliseconds(asked, now())
    _show(environment, REFUSED, event)
    kept = all(text in event["note"] for text in (REFUSED_REGION, "role/pullkeeper", "allow ecr:GetAuthorizationToken"))
    return Outcome(kept=kept, figure=f"Event after {passed} ms")


def _show(environment: Environment, namespace: str, event: Mapping[str, Any]) -> None:
    note = str(event["note"]).removeprefix(f"namespace/{namespace}: ")
    environment.timeline.event(namespace, str(event["reason"]), note)


async def restart(environment: Environment) -> Outcome:
    """Kill the controller and restart it; everything it needs to know is in the Secrets."""
    due = _rotation_due(environment)
    killed, writes = now(), environment.writes("secrets")
    environment.kill_controller()
    await environment.start_controller()
    passed = milliseconds(killed, now()) / 1000
    await asyncio.sleep(_LOOK)
    # On a machine so slow that the rotation has begun meanwhile, what belongs to that is no fault of the restart.
    calls = sum(killed <= call.time < due for call in environment.aws.calls)
    more = environment.writes("secrets") - writes if now() < due else 0
    figure = f"ready after {passed:.1f} s, with {calls} calls to AWS and {more} writes"
    environment.timeline.note("controller", figure)
    return Outcome(kept=not calls and not more, figure=figure)


def _rotation_due(environment: Environment) -> datetime:
    return min(token.issued_at for token in environment.aws.tokens) + LIFE / 2


async def rotate(environment: Environment) -> Outcome:
    """Wait until every Secret has a younger token; it stays the same object."""
    staying = [namespace.name for namespace in NAMESPACES if namespace.name != OPTING_OUT]
    latest = min(token.issued_at for token in environment.aws.tokens) + LIFE * _LATEST_ROTATION
    rotated = await asyncio.gather(*(_rotation(environment, name, latest) for name in staying))
    left = [each for each in rotated if each is not None]
    figure = f"{len(left)} of {len(staying)} rotated"
    if left:
        figure += f", with {min(left):.0f} to {max(left):.0f} s of {LIFE.seconds} s left"
    return Outcome(kept=len(left) == len(staying), figure=figure)


async def _rotation(environment: Environment, namespace: str, latest: datetime) -> float | None:
    """Wait for a younger token in the same Secret; return the seconds that the old one had left, None if it is late."""
    held = next(version for version in reversed(environment.recorder.of(namespace)) if version.kind == "ADDED")
    try:
        async with asyncio.timeout(max((latest - now()) / timedelta(seconds=1), 0)):
            version = await environment.recorder.wait(namespace, lambda version: version.expires_at > held.expires_at)
    except TimeoutError:
        return None
    same = version.kind == "MODIFIED" and version.uid == held.uid
    return (held.expires_at - version.seen_at).total_seconds() if same else None


async def _seen(environment: Environment, namespace: str, kind: str, since: datetime) -> datetime:
    version = await environment.recorder.wait(
        namespace, lambda version: version.kind == kind and version.seen_at > since
    )
    return version.seen_at


SCENES = (
    Scene(
        heading="Eight namespaces opt in, each with one annotation",
        promise="A namespace that opts in gets its Secret",
        at=0,
        run=opt_in,
    ),
    Scene(
        heading=f"Somebody deletes the Secret of {DELETED}",
        promise="A deleted Secret is restored without a call to AWS",
        at=7,
        run=delete,
    ),
    Scene(
        heading=f"Somebody breaks an annotation of {MISCONFIGURED}",
        promise="A broken annotation is reported, and the Secret stays",
        at=11,
        run=misconfigure,
    ),
    Scene(
        heading=f"{OPTING_OUT} opts out",
        promise="Opting out deletes the Secret",
        at=15,
        run=opt_out,
    ),
    Scene(
        heading=f"{HOSTILE} asks for somebody else's role, and does not stop",
        promise="A hostile namespace costs nobody else anything",
        at=17,
        run=attack,
    ),
    Scene(
        heading="The controller is killed and restarted",
        promise="A restart makes no AWS call and no write",
        at=21,
        run=restart,
    ),
    Scene(
        heading=f"{REFUSED} asks for a registry for which AWS gives no token",
        promise="What AWS refuses is an Event that names the fix",
        at=25,
        run=ask_in_vain,
    ),
    Scene(
        heading="The tokens reach half of their life: every Secret rotates",
        promise="Every Secret rotates in place, well before expiry",
        at=28,
        run=rotate,
    ),
)
