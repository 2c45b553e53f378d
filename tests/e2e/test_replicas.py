"""Two replicas: one leads, the other takes over, and never do two write."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import groupby, pairwise
from typing import Any

import pytest

from pullkeeper.domain.kube.api import CONFLICT
from pullkeeper.domain.kube.lease import LeaseTimings
from testsupport.api_server_outage import api_server_down
from testsupport.installation import FAST_ROTATION, Installation
from testsupport.replicas import Replicas, replicas
from testsupport.request_log import since
from testsupport.secret_recorder import SecretRecorder
from testsupport.waiting import until

pytestmark = pytest.mark.slow

LEASE = timedelta(seconds=6)
QUICK: dict[str, Any] = {"leaseDuration": "6s"}


@pytest.fixture
async def pair(installation: Installation) -> AsyncIterator[Replicas]:
    async with replicas(installation, **QUICK) as found:
        await found.start("one")
        await found.leader("one")
        await found.start("two")
        yield found


def now() -> datetime:
    return datetime.now(UTC)


async def _until_written(pair: Replicas, name: str, after: datetime) -> None:
    """Wait for a replica's first write of a Secret after a moment."""

    async def wrote() -> bool:
        return bool(since(pair.writes_of(name), after))

    await until(wrote, f"a write of {name}")


def _holders(leases: list[dict[str, Any]]) -> list[str]:
    """Return who held the Lease, one after the other; empty where it was given up."""
    return [holder for holder, _ in groupby(lease.get("holderIdentity", "").partition(".")[0] for lease in leases)]


async def test_one_leads_and_the_other_stands_by(installation: Installation, pair: Replicas) -> None:
    """The one that stands by is ready, knows everything, writes nothing, and tells of no namespace."""
    async with installation.recording() as recorder:
        team = await installation.create_namespace(enabled="true")
        await recorder.created(team)
    assert len(pair.writes_of("one")) == 1
    assert pair.writes_of("two") == []
    follower = pair.running["two"]
    assert (await follower.probe("/readyz"))[0] == 200
    assert (await follower.probe("/healthz"))[0] == 200
    assert await follower.metric("pullkeeper_leader") == 0
    assert await follower.metric("pullkeeper_namespaces") == 0
    assert await follower.metric("pullkeeper_heartbeat_timestamp_seconds") > 0
    assert (await pair.lease())["holderIdentity"].startswith("one.")


async def test_a_leader_that_stops_hands_over_without_waiting_for_the_lease(
    installation: Installation, pair: Replicas
) -> None:
    """It releases the Lease, and only then does the other take it and write."""
    async with pair.lease_changes() as leases:
        told = now()
        pair.running["one"].popen.terminate()
        await installation.create_namespace(enabled="true")
        await _until_written(pair, "two", told)
        assert await pair.running["one"].ended() == 0
        assert _holders(leases) == ["one", "", "two"]
    assert (await pair.lease())["leaseTransitions"] == 1


async def test_a_leader_that_is_killed_is_replaced_when_its_lease_runs_out(
    installation: Installation, pair: Replicas
) -> None:
    """Nobody releases the Lease, so the other takes it no earlier than the leader would have stopped acting."""
    async with pair.lease_changes() as leases:
        killed = now()
        pair.running["one"].kill()
        await installation.create_namespace(enabled="true")
        await _until_written(pair, "two", killed)
        assert _holders(leases) == ["one", "two"]
    last, taken = next(pair for pair in pairwise(leases) if pair[1]["holderIdentity"].startswith("two."))
    waited = datetime.fromisoformat(taken["acquireTime"]) - datetime.fromisoformat(last["renewTime"])
    assert waited.total_seconds() >= LeaseTimings(duration=LEASE).renew_deadline


async def test_everything_fresh_costs_a_new_leader_nothing(installation: Installation, pair: Replicas) -> None:
    """It looks at everything, asks AWS for nothing and writes nothing."""
    teams = [await installation.create_served_namespace() for _ in range(5)]
    calls = installation.aws.count("GetAuthorizationToken")
    await pair.running["one"].stop()
    await pair.leader("two")

    await pair.running["two"].until_metric(len(teams), "pullkeeper_namespaces", state="ready")
    assert installation.aws.count("GetAuthorizationToken") == calls
    assert pair.writes_of("two") == []


async def _settled(recorder: SecretRecorder, teams: list[str]) -> None:
    await asyncio.gather(*(recorder.created(team) for team in teams))


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
    hasty: dict[str, Any] = {**FAST_ROTATION, **QUICK, "refreshJitter": "4s"}
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
        await _until_written(pair, "two", taken)
        pair.thaw("one")

        await pair.running["one"].until_logged("it stands by")
        await _until_written(pair, "two", now())
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
        async with api_server_down(installation.server):

            async def nobody() -> bool:
                return not any([await each.leads() for each in pair.running.values()])

            await until(nobody, "the leader to give up")
        await pair.leader()
        async with installation.recording() as recorder:
            team = await installation.create_served_namespace()
            assert len(recorder.of(team)) == 1
        assert len({name for name in pair.running if pair.writes_of(name)}) == 1


async def test_without_the_right_to_the_lease_the_log_says_what_to_grant(installation: Installation) -> None:
    """It is ready and stands by, and its log names the right."""
    process = await installation.start({"leaderElection": True, "leaseNamespace": "default"})

    await process.until_logged("grant get, create and patch on leases")
    assert "lease default/pullkeeper" in process.text().lower()
