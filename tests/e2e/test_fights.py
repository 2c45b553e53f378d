"""Somebody keeps undoing what is written to the pull Secret."""

import asyncio

import pytest

from testsupport.installation import Installation

pytestmark = pytest.mark.slow

EMPTIED = {"data": {".dockerconfigjson": "eyJhdXRocyI6IHt9fQ=="}}


async def _keep_emptying(installation: Installation, team: str) -> None:
    while True:
        await installation.api.merge(installation.path(team), EMPTIED, fieldManager="argocd-controller")
        await asyncio.sleep(0.2)


async def test_tool_that_reverts_each_write_is_named(installation: Installation) -> None:
    """One Warning with the name of its field manager; the namespace counts as contested."""
    process = await installation.start()
    team = await installation.create_served_namespace()
    tool = asyncio.create_task(_keep_emptying(installation, team))
    try:
        event = await installation.event(team, "WritesReverted")
        await process.until_metric(1, "pullkeeper_namespaces", state="contested")
    finally:
        tool.cancel()
    assert "last changed by the field manager argocd-controller" in event["note"]
    assert process.text().count("(WritesReverted)") == 1
