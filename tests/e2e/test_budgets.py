"""A namespace that is changed as fast as the API server takes it, with annotations of any size."""

import pytest

from pullkeeper.domain.reporting.rate_limiter import EVENTS, LOG_LINES, RECONCILES
from testsupport.installation import IRELAND, Installation

pytestmark = pytest.mark.slow

EDITS = 400
_ALLOWANCE = 12
"""More than any test of this length gets at intervals, on a loaded machine too: two minutes of it."""


async def test_namespace_that_changes_all_the_time_costs_its_budget_and_gets_its_secret(
    installation: Installation,
) -> None:
    """Its neighbour is served meanwhile, and its last state is the one that counts."""
    process = await installation.start()
    hostile = await installation.create_namespace(enabled="true", registries="x" * 30_000)
    await installation.event(hostile, "InvalidAnnotation")
    before = await process.metric("pullkeeper_reconcile_total")
    for number in range(EDITS):
        await installation.annotate(hostile, registries=",".join([f"x{number}", *["a"] * 10_000]))
    assert await installation.create_served_namespace()
    await installation.annotate(hostile, registries=IRELAND)
    await installation.event(hostile, "PullSecretCreated")
    assert await installation.secret(hostile)
    reconciles = await process.metric("pullkeeper_reconcile_total") - before
    assert reconciles <= RECONCILES.burst + _ALLOWANCE
    lines = [line for line in process.lines() if line.get("namespace") == hostile]
    assert len(lines) <= LOG_LINES.burst + _ALLOWANCE
    assert max(len(line["message"]) for line in lines) < 4_100
    assert len(await installation.events(hostile)) <= EVENTS.burst + _ALLOWANCE
