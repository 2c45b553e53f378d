"""The scenes: something is done to a namespace, and what follows is held against a promise."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from testsupport.installation import auths
from tools.demo.environment import LIFE, Stage
from tools.demo.namespaces import CAST, DELETED, LEAVING, MISCONFIGURED, Member
from tools.demo.timeline import State, milliseconds, now

_BETWEEN_OPT_INS = 0.3
_LOOK = 1.0
"""Seconds for which a restarted controller is watched for what it should not do."""
_LATEST_ROTATION = 0.85
"""The part of a token's life by which its rotation must have come; it is due at half of it."""
_BROKEN = "https://123456789012.dkr.ecr.ap-southeast-2.amazonaws.com/web"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """Whether a promise was kept, and the figure that tells."""

    kept: bool
    figure: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """What the viewer is told, what is promised, and what is done; `at` is seconds after the first opt-in."""

    heading: str
    promise: str
    at: float
    play: Callable[[Stage], Awaitable[Outcome]]


async def opt_in(stage: Stage) -> Outcome:
    """Opt in one namespace after the other; each gets a complete Secret."""
    waits = []
    for member in CAST:
        waits.append(asyncio.create_task(_first_secret(stage, member)))
        await asyncio.sleep(_BETWEEN_OPT_INS)
    times = [passed for passed in await asyncio.gather(*waits) if passed is not None]
    figure = f"{len(times)} of {len(CAST)}"
    if times:
        figure += f": median {median(times):.0f} ms, slowest {max(times)} ms"
    return Outcome(kept=len(times) == len(CAST), figure=figure)


async def _first_secret(stage: Stage, member: Member) -> int | None:
    """Return the milliseconds to the first Secret; None if it lacks an entry for one of the registries."""
    asked = stage.board.done_to(member.name, "opted in", State.WAITING)
    await stage.installation.annotate(member.name, **member.opt_in)
    version = await stage.recorder.wait(member.name, lambda version: version.kind == "ADDED")
    return milliseconds(asked, version.seen_at) if auths(version.secret).keys() == member.wanted else None


async def delete(stage: Stage) -> Outcome:
    """Delete a Secret by hand; it is back, from the token that is there already."""
    calls = stage.aws.count()
    asked = stage.board.done_to(DELETED, "somebody deletes the Secret", State.MISSING)
    (await stage.installation.api.delete(stage.installation.path(DELETED))).ok()
    passed = milliseconds(asked, await _seen(stage, DELETED, "ADDED", asked))
    more = stage.aws.count() - calls
    return Outcome(kept=not more, figure=f"back in {passed} ms, with {more} calls to AWS")


async def misconfigure(stage: Stage) -> Outcome:
    """Break an annotation; an Event says what is wrong, and the Secret stays as it is."""
    before = len(stage.recorder.of(MISCONFIGURED))
    held = stage.recorder.of(MISCONFIGURED)[-1]
    asked = stage.board.done_to(MISCONFIGURED, "gets a URL for a registry", State.MISCONFIGURED)
    await stage.installation.annotate(MISCONFIGURED, registries=_BROKEN)
    event = await stage.installation.event(MISCONFIGURED, "InvalidAnnotation")
    passed = milliseconds(asked, now())
    note = str(event["note"]).removeprefix(f"namespace/{MISCONFIGURED}: ")
    stage.board.event(MISCONFIGURED, str(event["reason"]), note)
    await asyncio.sleep(_LOOK)
    # On a machine so slow that the rotation has begun meanwhile, a younger token is no fault.
    kept = all(version.expires_at > held.expires_at for version in stage.recorder.of(MISCONFIGURED)[before:])
    return Outcome(kept=kept, figure=f"Event after {passed} ms, Secret {'untouched' if kept else 'touched'}")


async def opt_out(stage: Stage) -> Outcome:
    """Opt out; the Secret goes."""
    asked = stage.board.done_to(LEAVING, "opts out", State.LEAVING)
    await stage.installation.annotate(LEAVING, enabled="false")
    passed = milliseconds(asked, await _seen(stage, LEAVING, "DELETED", asked))
    return Outcome(kept=True, figure=f"gone in {passed} ms")


async def restart(stage: Stage) -> Outcome:
    """Kill the controller and start it anew; all that it must know stands on the Secrets."""
    due = min(token.issued_at for token in stage.aws.tokens) + LIFE / 2
    killed, writes = now(), stage.writes("secrets")
    stage.kill_controller()
    await stage.start_controller()
    passed = milliseconds(killed, now()) / 1000
    await asyncio.sleep(_LOOK)
    # On a machine so slow that the rotation has begun meanwhile, what belongs to that is no fault of the restart.
    calls = sum(killed <= call.time < due for call in stage.aws.calls)
    more = stage.writes("secrets") - writes if now() < due else 0
    figure = f"ready after {passed:.1f} s, with {calls} calls to AWS and {more} writes"
    stage.board.remark("controller", figure)
    return Outcome(kept=not calls and not more, figure=figure)


async def rotate(stage: Stage) -> Outcome:
    """Wait until every Secret has a younger token; it stays the same object."""
    staying = [member.name for member in CAST if member.name != LEAVING]
    latest = min(token.issued_at for token in stage.aws.tokens) + LIFE * _LATEST_ROTATION
    rotated = await asyncio.gather(*(_rotation(stage, name, latest) for name in staying))
    left = [each for each in rotated if each is not None]
    figure = f"{len(left)} of {len(staying)} rotated"
    if left:
        figure += f", with {min(left):.0f} to {max(left):.0f} s of {LIFE.seconds} s left"
    return Outcome(kept=len(left) == len(staying), figure=figure)


async def _rotation(stage: Stage, namespace: str, latest: datetime) -> float | None:
    """Wait for a younger token in the same Secret; return the seconds that the old one had left, None if it is late."""
    held = next(version for version in reversed(stage.recorder.of(namespace)) if version.kind == "ADDED")
    try:
        async with asyncio.timeout(max((latest - now()) / timedelta(seconds=1), 0)):
            version = await stage.recorder.wait(namespace, lambda version: version.expires_at > held.expires_at)
    except TimeoutError:
        return None
    same = version.kind == "MODIFIED" and version.uid == held.uid
    return (held.expires_at - version.seen_at).total_seconds() if same else None


async def _seen(stage: Stage, namespace: str, kind: str, since: datetime) -> datetime:
    version = await stage.recorder.wait(namespace, lambda version: version.kind == kind and version.seen_at > since)
    return version.seen_at


SCENES = (
    Scene(
        heading="Eight namespaces opt in, each with one annotation",
        promise="A namespace that opts in gets its Secret",
        at=0,
        play=opt_in,
    ),
    Scene(
        heading=f"Somebody deletes the Secret of {DELETED}",
        promise="A deleted Secret comes back, without a call to AWS",
        at=7,
        play=delete,
    ),
    Scene(
        heading=f"Somebody breaks an annotation of {MISCONFIGURED}",
        promise="A broken annotation is reported, and its Secret stays",
        at=11,
        play=misconfigure,
    ),
    Scene(
        heading=f"{LEAVING} opts out",
        promise="Opting out removes the Secret",
        at=16,
        play=opt_out,
    ),
    Scene(
        heading="The controller is killed and starts anew",
        promise="A restart asks AWS for nothing and writes nothing",
        at=20,
        play=restart,
    ),
    Scene(
        heading="The tokens come to half of their life: every Secret rotates",
        promise="Every Secret rotates in place, well before expiry",
        at=28,
        play=rotate,
    ),
)
