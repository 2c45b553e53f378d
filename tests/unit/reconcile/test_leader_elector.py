"""One of several replicas leads, never two, and a lost leader is replaced in time."""

import asyncio
import logging
import random
from dataclasses import replace
from datetime import timedelta

import pytest

from pullkeeper.domain.errors.failures import Failure, FailureError, Reason
from pullkeeper.domain.kube.lease import Lease, LeaseTimings
from pullkeeper.reconcile.leader_elector import NoElection
from tests.unit.reconcile.fake_lease import AWAY, DURATION, FakeLeaseServer, Replica, stormy

LEASE = DURATION.total_seconds()


def leaders(*replicas: Replica) -> int:
    """Count those that may write now."""
    return sum(replica.leads for replica in replicas)


async def until_led(*replicas: Replica) -> tuple[Replica, float]:
    """Wait for one to lead; return which one, and after how many seconds."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    waits = {asyncio.create_task(replica.elector.gained()): replica for replica in replicas}
    done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    return waits[done.pop()], loop.time() - started


async def test_first_replica_leads_at_once() -> None:
    """Where there is no Lease, none has to run out."""
    replica = Replica("a", FakeLeaseServer())
    _, seconds = await until_led(replica)
    assert seconds < 0.1
    assert replica.leads
    await replica.stop()


async def test_one_of_several_that_start_together_leads() -> None:
    """The others stand by and go on trying."""
    server = FakeLeaseServer()
    replicas = [Replica(name, server) for name in "abcde"]
    await asyncio.sleep(10 * LEASE)
    assert leaders(*replicas) == 1
    assert all(replica.heartbeats > 0 for replica in replicas if not replica.leads)
    assert server.lease is not None
    assert server.lease.transitions == 0
    for replica in replicas:
        await replica.kill()


@pytest.mark.parametrize("moment", [0.0, 0.3, 0.9, 1.1, 1.7, 1.99])
async def test_killed_leader_is_replaced_within_the_lease_duration(moment: float) -> None:
    """Whenever between two renewals it dies."""
    server = FakeLeaseServer()
    first, second = Replica("a", server), Replica("b", server)
    leader, _ = await until_led(first, second)
    follower = second if leader is first else first
    await asyncio.sleep(60 + moment)
    await leader.kill()
    _, seconds = await until_led(follower)
    assert seconds <= LEASE
    assert server.lease is not None
    assert server.lease.transitions == 1
    await follower.kill()


async def test_leader_that_shuts_down_is_replaced_at_once() -> None:
    """It releases the Lease, and the others try every second."""
    server = FakeLeaseServer()
    first = Replica("a", server)
    await until_led(first)
    second = Replica("b", server)
    await asyncio.sleep(20)
    await first.stop()
    assert not first.leads
    _, seconds = await until_led(second)
    assert seconds <= LeaseTimings(duration=DURATION).retry_period + 0.1
    await second.kill()


async def test_leader_that_is_cancelled_in_a_renewal_still_releases() -> None:
    """The renewal arrives although nobody waits for it; the release then names the current version."""
    server = FakeLeaseServer()
    slow = Replica("a", server, delay=0.15)
    await until_led(slow)
    renewals = len(server.writes)
    while len(server.writes) == renewals:  # noqa: ASYNC110 -- virtual time
        await asyncio.sleep(0.01)
    await slow.stop()
    assert server.lease is not None
    assert server.lease.holder == ""


async def test_replica_that_is_cancelled_while_it_acquires_releases() -> None:
    """It has the Lease although nobody waited for the answer, so it gives it up."""
    server = FakeLeaseServer()
    slow = Replica("a", server, delay=0.15)
    while server.lease is None:  # noqa: ASYNC110 -- virtual time
        await asyncio.sleep(0.01)
    assert not slow.leads
    await slow.stop()
    assert server.lease.holder == ""


async def test_leader_without_an_api_server_stops_before_another_starts() -> None:
    """It stops by its own clock; when the API server is back, one leads."""
    server = FakeLeaseServer()
    first, second = Replica("a", server), Replica("b", server)
    leader, _ = await until_led(first, second)
    await asyncio.sleep(7)
    server.up = False
    await asyncio.wait_for(leader.elector.lost(), LeaseTimings(duration=DURATION).renew_deadline + 0.1)
    assert leaders(first, second) == 0
    await asyncio.sleep(100)
    server.up = True
    await until_led(first, second)
    assert leaders(first, second) == 1
    await first.kill()
    await second.kill()


async def test_edited_lease_is_kept() -> None:
    """An edit that keeps the holder costs a read, not the leadership."""
    server = FakeLeaseServer()
    replica = Replica("a", server)
    await until_led(replica)
    for _ in range(20):
        await asyncio.sleep(0.7)
        assert server.lease is not None
        server.write(server.lease, server.lease)
        assert replica.leads
    await replica.kill()


async def test_lease_of_another_holder_is_noticed_at_the_next_renewal() -> None:
    """If somebody writes another holder into it, that counts."""
    server = FakeLeaseServer()
    replica = Replica("a", server)
    await until_led(replica)
    assert server.lease is not None
    server.write(Lease(uid="a", version="", holder="somebody", duration=DURATION), server.lease)
    await asyncio.wait_for(replica.elector.lost(), LeaseTimings(duration=DURATION).renew_interval + 0.2)
    assert not replica.leads
    await replica.kill()


async def test_deleted_lease_is_created_again() -> None:
    """The one that creates it leads; the other notices at its next renewal at the latest."""
    server = FakeLeaseServer()
    first, second = Replica("a", server), Replica("b", server)
    await until_led(first, second)
    for _ in range(10):
        server.lease = None
        await asyncio.sleep(LeaseTimings(duration=DURATION).renew_interval + 0.2)
        assert leaders(first, second) == 1
        assert server.lease is not None
    await first.kill()
    await second.kill()


async def test_duration_that_the_holder_wrote_counts() -> None:
    """During an upgrade that shortens the lease, the old leader's longer duration is respected."""
    server = FakeLeaseServer()
    server.write(Lease(uid="a", version="", holder="old", duration=timedelta(seconds=60)), None)
    replica = Replica("b", server)
    _, seconds = await until_led(replica)
    assert seconds >= 0.9 * 60
    await replica.kill()


async def test_unavailable_api_server_is_not_tried_in_a_hot_loop() -> None:
    """One attempt a second at most, whatever is known of the Lease."""
    server = FakeLeaseServer()
    replica = Replica("b", server)
    await until_led(replica)
    server.up = False
    await asyncio.sleep(20)
    before = replica.client.reads
    await asyncio.sleep(60)
    assert replica.client.reads - before <= 61
    await replica.kill()


async def test_outage_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """An hour without the API server is one line, and its end another."""
    server = FakeLeaseServer(up=False)
    replica = Replica("a", server)
    with caplog.at_level(logging.INFO, "pullkeeper.reconcile.leader_elector"):
        await asyncio.sleep(3600)
        server.up = True
        await until_led(replica)
    logged = [record.getMessage() for record in caplog.records]
    assert logged == [
        "leadership: the API server is away (KubernetesUnavailable)",
        "leadership: the Lease can be reached again",
        "this replica leads, as a",
    ]
    await replica.kill()


async def _most_leaders(seed: int) -> int:
    """Run three replicas through an hour of faults; return the most that led at one moment."""
    rng = random.Random(seed)
    server = FakeLeaseServer()
    names = iter(f"replica-{number}" for number in range(10_000))
    replicas = [Replica(next(names), server, delay=stormy(rng)) for _ in range(3)]
    most = led = 0
    for step in range(36_000):
        await asyncio.sleep(0.1)
        leading = leaders(*replicas)
        most, led = max(most, leading), led + leading
        if step % 600 == 599:
            server.up = rng.random() > 0.2
            victim = rng.randrange(3)
            await (replicas[victim].kill() if rng.random() < 0.5 else replicas[victim].stop())
            replicas[victim] = Replica(next(names), server, delay=stormy(rng))
            replicas[rng.randrange(3)].client.cut_until = asyncio.get_running_loop().time() + rng.uniform(0, 50)
    for replica in replicas:
        await replica.kill()
    assert led > 18_000, "no replica led for half of the time"
    return most


@pytest.mark.parametrize("seed", range(5))
async def test_never_two_lead(seed: int) -> None:
    """Through lost responses, late requests, kills, shutdowns, outages, and networks that cut one of them off."""
    assert await _most_leaders(seed) == 1


async def test_search_for_two_leaders_would_find_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A leader that acts for longer than others wait is found."""
    monkeypatch.setattr("pullkeeper.domain.kube.lease._RENEW_DEADLINE_SHARE", 3.0)
    assert await _most_leaders(0) > 1


async def test_only_replica_always_leads() -> None:
    """Without leader election it waits for nothing, and never loses anything."""
    alone = NoElection()
    await alone.gained()
    await alone.release()
    assert alone.is_leader()
    for endless in (alone.lost(), alone.run()):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(endless, 1e6)


@pytest.mark.parametrize("gone", [False, True])
async def test_lease_of_an_older_version_is_reported_once(*, gone: bool) -> None:
    """By whoever holds it and by whoever stands by: it shows that etcd was restored, from a time without it perhaps."""
    server = FakeLeaseServer()
    replicas = [Replica(name, server) for name in "ab"]
    await until_led(*replicas)
    await asyncio.sleep(10 * LEASE)
    assert [replica.went_back for replica in replicas] == [[], []]
    assert server.lease is not None
    server.writes.clear()
    server.lease = None if gone else replace(server.lease, version="1")
    await asyncio.sleep(2 * LEASE)
    assert [len(replica.went_back) for replica in replicas] == [1, 1]
    assert leaders(*replicas) == 1
    for replica in replicas:
        await replica.kill()


async def test_version_of_before_is_forgotten_on_request() -> None:
    """Somebody else has noticed first."""
    server = FakeLeaseServer()
    replica = Replica("a", server)
    await until_led(replica)
    await asyncio.sleep(10 * LEASE)
    server.writes.clear()
    server.lease = None
    replica.elector.forget_version()
    await asyncio.sleep(2 * LEASE)
    assert (replica.went_back, replica.leads) == ([], True)
    await replica.stop()
    NoElection().forget_version()


@pytest.mark.parametrize(("reason", "denied"), [(Reason.KUBERNETES_DENIED, True), (AWAY.failure.reason, False)])
async def test_a_missing_right_to_the_lease_is_told(reason: Reason, denied: bool) -> None:  # noqa: FBT001 -- a parameter of the table
    """After a few tries, until it is granted; an API server that is away is not a missing right."""
    failure = FailureError(Failure(reason=reason, message="no"))
    server = FakeLeaseServer(up=False, failure=failure)
    replica = Replica("a", server)
    await asyncio.sleep(LEASE)
    assert replica.elector.is_denied() is denied
    server.up = True
    await until_led(replica)
    assert not replica.elector.is_denied()
    assert not NoElection().is_denied()
    await replica.stop()
