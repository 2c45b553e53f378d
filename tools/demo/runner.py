"""The whole evening: the scenes in their order, the screen beside them, and the verdict at the end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tools.demo.environment import Stage
from tools.demo.promises import Promise, in_short, judge
from tools.demo.scenes import SCENES, Outcome, Scene
from tools.demo.screen import Screen
from tools.demo.timeline import Board

_FRAME = 0.125
"""Seconds between two pictures."""


async def perform(stage: Stage, screen: Screen, *, sabotage: bool) -> list[Promise]:
    """Play every scene and judge; gives what was promised and what came of it."""
    with screen:
        async with _showing(stage.board, screen):
            stage.board.begin("The controller starts")
            await stage.start_controller()
            promises = await _play(stage, sabotage=sabotage)
            stage.board.begin("The end: everything that was seen is judged")
            promises += await judge(stage)
    return promises


async def _play(stage: Stage, *, sabotage: bool) -> list[Promise]:
    loop, promises = asyncio.get_running_loop(), []
    opened = loop.time()
    for scene in SCENES:
        await asyncio.sleep(opened + scene.at - loop.time())
        stage.board.begin(scene.heading)
        promises.append(Promise(words=scene.promise, outcome=await _outcome(scene, stage)))
        if sabotage and scene is SCENES[0]:
            stage.board.begin("Sabotage: from now on AWS throttles every call")
            stage.aws.throttle()
    return promises


async def _outcome(scene: Scene, stage: Stage) -> Outcome:
    """Play one scene; what fails to come in time breaks its promise, and the show goes on."""
    try:
        return await scene.play(stage)
    except AssertionError as error:
        return Outcome(kept=False, figure=in_short(error))


@asynccontextmanager
async def _showing(board: Board, screen: Screen) -> AsyncIterator[None]:
    """Keep the screen up to date while the block runs, and once more at its end."""
    frames = asyncio.create_task(_draw(board, screen))
    try:
        yield
    finally:
        frames.cancel()
        with suppress(asyncio.CancelledError):
            await frames
        board.catch_up()
        screen.refresh(board)


async def _draw(board: Board, screen: Screen) -> None:
    while True:
        board.catch_up()
        screen.refresh(board)
        await asyncio.sleep(_FRAME)
