"""The course of the demo: every scene in order, the screen beside them, and the promises at the end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tools.demo.environment import Environment
from tools.demo.promises import Promise, in_short, judge
from tools.demo.scenes import SCENES, Outcome, Scene
from tools.demo.screen import Screen
from tools.demo.timeline import Timeline

_FRAME = 0.125
"""Seconds between two pictures."""


async def run_scenes(environment: Environment, screen: Screen, *, sabotage: bool) -> list[Promise]:
    """Run every scene, check every promise, and return them with their outcomes."""
    with screen:
        async with _refreshing(environment.timeline, screen):
            environment.timeline.start_scene("The controller starts")
            await environment.start_controller()
            promises = await _run_all(environment, sabotage=sabotage)
            environment.timeline.start_scene("The end: everything that was seen is checked")
            promises += await judge(environment)
    return promises


async def _run_all(environment: Environment, *, sabotage: bool) -> list[Promise]:
    loop, promises = asyncio.get_running_loop(), []
    opened = loop.time()
    for scene in SCENES:
        await asyncio.sleep(opened + scene.at - loop.time())
        environment.timeline.start_scene(scene.heading)
        promises.append(Promise(words=scene.promise, outcome=await _outcome(scene, environment)))
        if sabotage and scene is SCENES[0]:
            environment.timeline.start_scene("Sabotage: from now on AWS throttles every request for a token")
            environment.aws.throttle(operation="GetAuthorizationToken")
    return promises


async def _outcome(scene: Scene, environment: Environment) -> Outcome:
    """Run one scene; what never comes breaks its promise, and the demo goes on."""
    try:
        return await scene.run(environment)
    except AssertionError as error:
        return Outcome(kept=False, figure=in_short(error))


@asynccontextmanager
async def _refreshing(timeline: Timeline, screen: Screen) -> AsyncIterator[None]:
    """Keep the screen up to date while the block runs, and once more at its end."""
    frames = asyncio.create_task(_draw(timeline, screen))
    try:
        yield
    finally:
        frames.cancel()
        with suppress(asyncio.CancelledError):
            await frames
        timeline.update()
        screen.refresh(timeline)


async def _draw(timeline: Timeline, screen: Screen) -> None:
    while True:
        timeline.update()
        screen.refresh(timeline)
        await asyncio.sleep(_FRAME)
