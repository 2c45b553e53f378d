"""One of several replicas acts, never two, and one that is gone is replaced in time."""

import asyncio
import logging
import random
from datetime import timedelta

import pytest

from pullkeeper.domain.kube.lease import Lease, LeaseTimings
from pullkeeper.reconcile.leader_elector import NoElection
from tests.unit.reconcile.fake_lease import DURATION, FakeLease, Replica, stormy

LEASE = DURATION.total_seconds()


def leaders(*replicas: Replica) -> int:
    """Count those that may write now."""
    return sum(replica.leads for replica in replicas)


async def until_led(*replicas: Replica) -> tuple[Replica, float]:
    """Wait for one to lead; tells which one, and after how many seconds."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    waits = {asyncio.create_task(replica.leadership.gained()): replica for replica in replicas}
    done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    return waits[done.pop()], loop.time() - began


async def test_the_first_replica_leads_at_once() -> None:
    """Where there is no Lease, nobody has to wait for one."""
    replica = Replica("a", FakeLease())
    _, seconds = await until_led(replica)
    assert seconds < 0.1
    assert replica.leads
    await replica.stop()


async def test_of_several_that_start_together_one_leads() -> None:
    """The others stand by, and go on looking."""
    table = FakeLease()
    replicas = [Replica(name, table) for name in "abcde"]
    await asyncio.sleep(10 * LEASE)
    assert leaders(*replicas) == 1
    assert all(replica.beats > 0 for replica in replicas if not replica.leads)
    assert table.lease is not None
    assert table.lease.transitions == 0
    for replica in replicas:
        await replica.kill()


@pytest.mark.parametrize("moment", [0.0, 0.3, 0.9, 1.1, 1.7, 1.99])
async def test_a_leader_that_is_killed_is_replaced_within_the_lease(moment: float) -> None:
    """Whenever in its rhythm it dies."""
    table = FakeLease()
    first, second = Replica("a", table), Replica("b", table)
    leader, _ = await until_led(first, second)
    follower = second if leader is first else first
    await asyncio.sleep(60 + moment)
    await leader.kill()
    _, seconds = await until_led(follower)
    assert seconds <= LEASE
    assert table.lease is not None
    assert table.lease.transitions == 1
    await follower.kill()


async def test_a_leader_that_stops_is_replaced_at_once() -> None:
    """It gives the Lease up, and whoever stands by looks every second."""
    table = FakeLease()
    first = Replica("a", table)
    await until_led(first)
    second = Replica("b", table)
    await asyncio.sleep(20)
    await first.stop()
    assert not first.leads
    _, seconds = await until_led(second)
    assert seconds <= LeaseTimings(duration=DURATION).retry_period + 0.1
    await second.kill()


async def test_a_leader_that_was_cut_off_in_a_renewal_still_gives_up() -> None:
    """The renewal arrives although nobody waited for it; the release then names what is there now."""
    table = FakeLease()
    slow = Replica("a", table, way=0.15)
    await until_led(slow)
    renewals = len(table.writes)
    while len(table.writes) == renewals:  # noqa: ASYNC110 -- virtual time
        await asyncio.sleep(0.01)
    await slow.stop()
    assert table.lease is not None
    assert table.lease.holder == ""


async def test_a_leader_without_an_api_server_stops_before_another_can_begin() -> None:
    """It gives up by its own clock; when the API server is back, one leads."""
    table = FakeLease()
    first, second = Replica("a", table), Replica("b", table)
    leader, _ = await until_led(first, second)
    await asyncio.sleep(7)
    table.up = False
    await asyncio.wait_for(leader.leadership.lost(), LeaseTimings(duration=DURATION).renew_deadline + 0.1)
    assert leaders(first, second) == 0
    await asyncio.sleep(100)
    table.up = True
    await until_led(first, second)
    assert leaders(first, second) == 1
    await first.kill()
    await second.kill()


async def test_a_lease_that_somebody_edits_is_kept() -> None:
    """An edit that leaves the holder alone costs a look, not the leadership."""
    table = FakeLease()
    replica = Replica("a", table)
    await until_led(replica)
    for _ in range(20):
        await asyncio.sleep(0.7)
        assert table.lease is not None
        table.write(table.lease, table.lease)
        assert replica.leads
    await replica.kill()


async def test_a_lease_that_is_taken_away_is_noticed_at_the_next_renewal() -> None:
    """Whoever writes another holder into it has the last word."""
    table = FakeLease()
    replica = Replica("a", table)
    await until_led(replica)
    assert table.lease is not None
    table.write(Lease(uid="a", version="", holder="somebody", duration=DURATION), table.lease)
    await asyncio.wait_for(replica.leadership.lost(), LeaseTimings(duration=DURATION).renew_interval + 0.2)
    assert not replica.leads
    await replica.kill()


async def test_a_lease_that_somebody_deletes_is_made_anew() -> None:
    """Whoever makes it leads; the other one notices at its next renewal at the latest."""
    table = FakeLease()
    first, second = Replica("a", table), Replica("b", table)
    await until_led(first, second)
    for _ in range(10):
        table.lease = None
        await asyncio.sleep(LeaseTimings(duration=DURATION).renew_interval + 0.2)
        assert leaders(first, second) == 1
        assert table.lease is not None
    await first.kill()
    await second.kill()


async def test_what_the_holder_wrote_counts_not_ones_own_setting() -> None:
    """During an upgrade that shortens the lease, the old leader's longer one is respected."""
    table = FakeLease()
    table.write(Lease(uid="a", version="", holder="old", duration=timedelta(seconds=60)), None)
    replica = Replica("b", table)
    _, seconds = await until_led(replica)
    assert seconds >= 0.9 * 60
    await replica.kill()


async def test_an_api_server_that_does_not_answer_is_not_asked_in_a_hot_loop() -> None:
    """A try a second at the most, whatever is known of the Lease."""
    table = FakeLease()
    replica = Replica("b", table)
    await until_led(replica)
    table.up = False
    await asyncio.sleep(20)
    before = replica.door.reads
    await asyncio.sleep(60)
    assert replica.door.reads - before <= 61
    await replica.kill()


async def test_trouble_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """An outage of an hour is one line, and its end another."""
    table = FakeLease(up=False)
    replica = Replica("a", table)
    with caplog.at_level(logging.INFO, "pullkeeper.reconcile.leader_elector"):
        await asyncio.sleep(3600)
        table.up = True
        await until_led(replica)
    told = [record.getMessage() for record in caplog.records]
    assert told == [
        "leadership: the API server is away (KubernetesUnavailable)",
        "leadership: the Lease can be reached again",
        "this replica leads, as a",
    ]
    await replica.kill()


async def _most_leaders(seed: int) -> int:
    """Let three replicas live through an hour of bad weather; tells the most that led at one moment."""
    chance = random.Random(seed)
    table = FakeLease()
    names = iter(f"replica-{number}" for number in range(10_000))
    replicas = [Replica(next(names), table, way=stormy(chance)) for _ in range(3)]
    most = led = 0
    for step in range(36_000):
        await asyncio.sleep(0.1)
        leading = leaders(*replicas)
        most, led = max(most, leading), led + leading
        if step % 600 == 599:
            table.up = chance.random() > 0.2
            victim = chance.randrange(3)
            await (replicas[victim].kill() if chance.random() < 0.5 else replicas[victim].stop())
            replicas[victim] = Replica(next(names), table, way=stormy(chance))
            replicas[chance.randrange(3)].door.cut_until = asyncio.get_running_loop().time() + chance.uniform(0, 50)
    for replica in replicas:
        await replica.kill()
    assert led > 18_000, "in half of the time at least somebody led"
    return most


@pytest.mark.parametrize("seed", range(5))
async def test_there_are_never_two_leaders(seed: int) -> None:
    """Through lost answers, late arrivals, kills, stops, outages, and networks that cut one of them off."""
    assert await _most_leaders(seed) == 1


async def test_the_search_for_two_leaders_would_find_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A leader that acts for longer than others wait is noticed."""
    monkeypatch.setattr("pullkeeper.domain.kube.lease._RENEW_DEADLINE_SHARE", 3.0)
    assert await _most_leaders(0) > 1


async def test_the_only_replica_always_leads() -> None:
    """Without leader election nothing is waited for, and nothing is ever lost."""
    alone = NoElection()
    await alone.gained()
    await alone.release()
    assert alone.is_leader()
    for endless in (alone.lost(), alone.run()):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(endless, 1e6)
