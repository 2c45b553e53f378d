"""Two replicas: one acts, the other takes over in time, and never do two write."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from pullkeeper.domain.kube.api import CONFLICT
from testsupport.installation import SHORT, Installation
from testsupport.outage import away
from testsupport.recorder import SecretRecorder
from testsupport.replicas import Replicas, replicas, since
from testsupport.waiting import until

CLEAN_LIMIT = 2.0
"""Seconds from SIGTERM until another replica writes."""
LEASE = 15.0
"""Seconds: the default, and the limit after a kill."""
QUICK = {"leaseDuration": "3s"}


@pytest.fixture
async def pair(installation: Installation) -> AsyncIterator[Replicas]:
    async with replicas(installation) as found:
        await found.start("one")
        await found.leader("one")
        await found.start("two")
        yield found


def now() -> datetime:
    return datetime.now(UTC)


async def _first_write(pair: Replicas, name: str, after: datetime) -> float:
    """Wait for a replica's first write of a Secret after a moment; gives the seconds between them."""

    async def look() -> float | None:
        found = since(pair.writes_of(name), after)
        return (found[0].at - after).total_seconds() if found else None

    return await until(look, f"a write of {name}", patience=60)


async def test_one_acts_and_the_other_stands_by(installation: Installation, pair: Replicas) -> None:
    """The one that stands by is ready, knows everything, writes nothing, and tells of no namespace."""
    async with installation.recording() as recorder:
        team = await installation.create_namespace(enabled="true")
        await recorder.wait(team, lambda version: version.kind == "ADDED")
    assert len(pair.writes_of("one")) == 1
    assert pair.writes_of("two") == []
    follower = pair.running["two"]
    assert (await follower.probe("/readyz"))[0] == 200
    assert (await follower.probe("/healthz"))[0] == 200
    assert await follower.metric("pullkeeper_leader") == 0
    assert await follower.metric("pullkeeper_namespaces") == 0
    assert await follower.metric("pullkeeper_heartbeat_timestamp_seconds") > 0
    assert (await pair.lease())["holderIdentity"].startswith("one.")


async def test_a_leader_that_stops_is_replaced_within_two_seconds(installation: Installation, pair: Replicas) -> None:
    """It gives up the Lease, and the other, whose caches are warm, goes on."""
    told = now()
    pair.running["one"].popen.terminate()
    await installation.create_namespace(enabled="true")
    assert await _first_write(pair, "two", told) <= CLEAN_LIMIT
    assert await pair.running["one"].ended() == 0
    assert (await pair.lease())["leaseTransitions"] == 1


async def test_a_leader_that_is_killed_is_replaced_within_the_lease(installation: Installation, pair: Replicas) -> None:
    """Nobody gives anything up: the other waits until the lease has run out."""
    killed = now()
    pair.running["one"].kill()
    await installation.create_namespace(enabled="true")
    assert await _first_write(pair, "two", killed) <= LEASE


async def test_everything_fresh_costs_a_new_leader_nothing(installation: Installation, pair: Replicas) -> None:
    """It looks at everything, asks AWS for nothing and writes nothing."""
    teams = [await installation.create_namespace(enabled="true") for _ in range(5)]
    for team in teams:
        await installation.event(team, "PullSecretCreated")
    calls = installation.aws.count("GetAuthorizationToken")
    await pair.running["one"].stop()
    await pair.leader("two")

    async def looked() -> bool:
        return await pair.running["two"].metric("pullkeeper_namespaces", state="ready") == len(teams)

    await until(looked, "the new leader to have looked at all")
    assert installation.aws.count("GetAuthorizationToken") == calls
    assert pair.writes_of("two") == []


async def _settled(recorder: SecretRecorder, teams: list[str]) -> None:
    await asyncio.gather(*(recorder.wait(team, lambda version: version.kind == "ADDED") for team in teams))


def _check(recorder: SecretRecorder, teams: list[str]) -> None:
    """In place, never worse, never stale: whoever wrote."""
    for team in teams:
        versions = recorder.of(team)
        assert len({version.uid for version in versions}) == 1
        for held, follower in pairwise(versions):
            assert follower.expires_at >= held.expires_at
            assert follower.seen_at < held.expires_at


@pytest.mark.usefixtures("short_lived")
@pytest.mark.parametrize("seed", range(3))
async def test_a_leader_that_was_frozen_past_its_lease_writes_nothing(installation: Installation, seed: int) -> None:
    """Frozen at some moment of constant rotation, it wakes up, finds that it leads no more, and leaves all alone."""
    hasty: dict[str, Any] = {**SHORT, **QUICK, "maxTokenAge": "10s", "refreshJitter": "4s"}
    async with replicas(installation, **hasty) as pair, installation.recording() as recorder:
        await pair.start("one")
        await pair.leader("one")
        await pair.start("two")
        teams = [await installation.create_namespace(enabled="true") for _ in range(30)]
        await _settled(recorder, teams)
        # The moment is what varies from seed to seed: within a rotation, between two writes.
        await asyncio.sleep(random.Random(seed).uniform(3, 6))
        pair.freeze("one")
        await pair.leader("two")
        taken = now()
        await _first_write(pair, "two", taken)
        pair.thaw("one")

        async def noticed() -> bool:
            return "it stands by" in pair.running["one"].text()

        await until(noticed, "the frozen one to notice")
        await _first_write(pair, "two", now())
        # What the freeze caught in a handshake may still arrive, and is refused: it names what it was to replace.
        assert [each for each in since(pair.writes_of("one"), taken) if each.code != CONFLICT] == []
        assert since(pair.writes_of("one", "events"), taken) == []
        _check(recorder, teams)


async def test_a_lost_api_server_does_not_make_two_leaders(installation: Installation) -> None:
    """Both wait while it is away, none acts, and when it is back one does."""
    async with replicas(installation, **QUICK) as pair:
        await pair.start("one")
        await pair.leader("one")
        await pair.start("two")
        async with away(installation.server):

            async def nobody() -> bool:
                return not sum([await each.metric("pullkeeper_leader") for each in pair.running.values()])

            await until(nobody, "the leader to give up")
        name = await pair.leader()
        await installation.event(await installation.create_namespace(enabled="true"), "PullSecretCreated")
        other = "two" if name == "one" else "one"
        assert await pair.running[other].metric("pullkeeper_leader") == 0


async def test_without_the_right_to_the_lease_it_says_what_to_grant(installation: Installation) -> None:
    """It is ready and stands by, and its log names the right."""
    process = await installation.start({"leaderElection": True, "leaseNamespace": "default"})

    async def told() -> bool:
        return "grant get, create and patch on it" in process.text()

    await until(told, "the log to say what to grant")
    assert "lease default/pullkeeper" in process.text().lower()
