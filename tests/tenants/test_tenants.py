"""Hostile tenants beside an honest population: the honest one notices nothing, and the process pays a stated price."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from tests.tenants.costs import Costs
from testsupport.honest_population import HonestPopulation, grants, role_of
from testsupport.hostile_tenant import NOT_ENABLED, ROLE, SILENT, HostileTenant
from testsupport.installation import ROLE as CONTROLLER_ROLE
from testsupport.installation import Installation
from testsupport.secret_recorder import SecretRecorder
from testsupport.waiting import until

TENANTS, REQUESTS = 3, 1500
"""Hostile tenants, with two namespaces each, and the requests that each makes."""
HONEST, NEWCOMERS = 12, 8
"""Honest namespaces at the start, and those that come while the tenants are at work."""
ROTATIONS = 3
"""Rotations of each honest Secret that are waited for."""
PATIENCE = 600
"""Requests of all tenants together that may be answered until a newcomer has its first Secret.

One API server answers the tenants and the controller, so this is a matter of order and not of the machine's speed.
"""
LIFE = timedelta(minutes=2)
SETTINGS: Mapping[str, Any] = {
    # A rotation every 12 s, which leaves a loaded machine 108 s for each.
    "refreshFraction": 0.1,
    "refreshJitter": "0s",
    "logLevel": "info",
    "clusterName": "test",
    "serviceAccountIdentity": {"namespaces": ["*"]},
    "roles": [*grants(HONEST + NEWCOMERS), {"role": f"{ROLE}*", "namespaces": ["hostile-*"]}],
}


async def test_hostile_tenants_cost_only_themselves(installation: Installation) -> None:
    """Every honest namespace has its own tokens in time, and what the tenants cost is within the budget.

    Nothing is judged by the clock: the tenants' requests are counted, and tokens by their own times. The teardown
    searches for leaked tokens.
    """
    _prepare_aws(installation)
    population = HonestPopulation(installation=installation)
    await installation.allow_service_accounts("puller", "own")
    async with installation.recording() as recorder:
        process = await installation.start(SETTINGS)
        for name in [await population.add() for _ in range(HONEST)]:
            await recorder.created(name)
        tenants = [await _tenant(installation, number) for number in range(TENANTS)]
        costs = Costs(installation, process, [name for tenant in tenants for name in tenant.namespaces])
        series = await costs.series()
        async with asyncio.TaskGroup() as group:
            for tenant in tenants:
                group.create_task(tenant.hammer(REQUESTS))
            waited = [await _newcomer(number, population, recorder, tenants) for number in range(NEWCOMERS)]
        for name in population.expected:
            await _rotated(recorder, name)
        assert process.popen.poll() is None
        assert await population.faults() == []
        assert list(population.interrupted(recorder)) == []
        assert max(waited) <= PATIENCE
        assert list(await costs.over(series)) == []


def _prepare_aws(installation: Installation) -> None:
    aws = installation.aws
    aws.lifetime = LIFE
    aws.disable_region(NOT_ENABLED)
    aws.network.swallow(f"*{SILENT}*")
    aws.allow_role(ROLE, trusted_principals=CONTROLLER_ROLE)


async def _tenant(installation: Installation, number: int) -> HostileTenant:
    suffix = installation.secret_name.rpartition("-")[2]
    tenant = await HostileTenant.create(
        installation.api,
        name=f"hostile-{number}-{suffix}",
        secret_name=installation.secret_name,
        others=tuple(map(role_of, range(3))),
        rng=random.Random(number),
    )
    installation.namespaces += tenant.namespaces
    return tenant


async def _newcomer(
    number: int, population: HonestPopulation, recorder: SecretRecorder, tenants: Sequence[HostileTenant]
) -> int:
    """Let an honest namespace come while the tenants are at work.

    Return how many of their requests were answered between the last annotation and its first Secret.
    """
    share = number * TENANTS * REQUESTS // (NEWCOMERS + 1)

    async def at_work() -> bool:
        return _requests(tenants) >= share

    await until(at_work, "the tenants' requests")
    name = await population.add()
    started = _requests(tenants)
    await recorder.created(name)
    return _requests(tenants) - started


def _requests(tenants: Sequence[HostileTenant]) -> int:
    return sum(tenant.requests for tenant in tenants)


async def _rotated(recorder: SecretRecorder, name: str) -> None:
    async def often_enough() -> bool:
        return len(recorder.of(name)) > ROTATIONS

    await until(often_enough, f"{ROTATIONS} rotations in {name}")
