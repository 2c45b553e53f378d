"""Published tokens are tried again at intervals, and one that dies early is replaced wherever it is held."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from pullkeeper.domain.ecr.credential import Password, Token
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.errors.failures import NamespaceGoneError
from pullkeeper.domain.iam.identity import CONTROLLER
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.pull_secret import SecretRecord
from pullkeeper.tokens.token_revalidator import TokenRevalidator
from tests.unit.tokens.registries import Gate
from testsupport.examples import EU, EU_OTHER_ACCOUNT, FOREIGN, US, managed, scope

EVERY = timedelta(minutes=15)


class Beat:
    """A patrol over Secrets that a test puts there."""

    def __init__(self) -> None:
        self.gate = Gate()
        self.secrets: dict[str, ObservedSecret] = {}
        self.auths: dict[str, Mapping[RegistryHost, Password]] = {}
        self.reads: list[str] = []
        self.woken: list[str] = []
        self.there: list[Token | None] = []
        """The token that was at hand when a namespace was woken."""
        self.patrol = TokenRevalidator(
            self.gate.verification,
            secrets=self,
            cluster=self,
            in_memory=self.gate.tokens.peek,
            wake=self.wake,
            every=EVERY,
        )

    def all(self) -> Mapping[str, ObservedSecret]:
        return dict(self.secrets)

    def wake(self, namespace: str) -> None:
        self.woken.append(namespace)
        self.there.append(self.gate.tokens.peek(scope(EU)))

    async def read_auths(self, namespace: str) -> Mapping[RegistryHost, Password]:
        self.reads.append(namespace)
        if namespace not in self.auths:
            raise NamespaceGoneError(namespace)
        return self.auths[namespace]

    def publish(self, namespace: str, held: Mapping[RegistryHost, Token]) -> None:
        times = {host: token.validity for host, token in held.items()}
        self.secrets[namespace] = managed(SecretRecord.of(times, CONTROLLER))
        self.auths[namespace] = {host: token.auth for host, token in held.items()}

    async def fetched(self, *hosts: RegistryHost) -> Token:
        token = (await self.gate.verification.get(scope(hosts[0]), hosts)).token
        assert token is not None
        return token

    def restarted(self) -> None:
        """Forget everything but what is in the cluster."""
        issued = self.gate.issued
        registries, self.gate = self.gate.registries, Gate()
        registries.probes.clear()
        self.gate.registries = registries
        self.gate.issued = issued
        self.gate.verification._probe = registries.probe  # noqa: SLF001 -- the same registries for the new process
        self.patrol = TokenRevalidator(
            self.gate.verification,
            secrets=self,
            cluster=self,
            in_memory=self.gate.tokens.peek,
            wake=self.wake,
            every=EVERY,
        )


@pytest.fixture
def beat() -> Beat:
    return Beat()


@asynccontextmanager
async def patrolling(beat: Beat) -> AsyncIterator[None]:
    task = asyncio.create_task(beat.patrol.run())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_one_probe_for_each_token_and_registry_however_many_hold_it(beat: Beat) -> None:
    """A thousand namespaces of one identity are one probe a round and registry, and no read."""
    token = await beat.fetched(EU, EU_OTHER_ACCOUNT)
    for number in range(1000):
        beat.publish(f"team-{number}", {EU: token, EU_OTHER_ACCOUNT: token})
    beat.gate.registries.probes.clear()
    async with patrolling(beat):
        await asyncio.sleep(4 * EVERY.total_seconds())
    assert beat.gate.registries.count(EU) == beat.gate.registries.count(EU_OTHER_ACCOUNT) == 4
    assert beat.reads == beat.woken == []


async def test_a_token_that_dies_is_replaced_within_an_interval_where_it_is_held(beat: Beat) -> None:
    """First there is a fresh one that has been tried, then whoever holds the dead one is woken, and nobody else."""
    token = await beat.fetched(EU, EU_OTHER_ACCOUNT)
    other = await beat.fetched(US)
    beat.publish("both", {EU: token, EU_OTHER_ACCOUNT: token})
    beat.publish("one", {EU: token})
    beat.publish("elsewhere", {US: other})
    async with patrolling(beat):
        await asyncio.sleep(EVERY.total_seconds())
        beat.gate.registries.refused = {token.auth}
        await asyncio.sleep(EVERY.total_seconds())
        assert beat.woken == ["both", "one"]
        assert beat.there == [beat.gate.issued[-1]] * 2
        assert await beat.fetched(EU) is beat.gate.issued[-1] is not token
        calls = len(beat.gate.source.calls)
        await asyncio.sleep(10 * EVERY.total_seconds())
    assert beat.woken == ["both", "one"]
    assert len(beat.gate.source.calls) == calls == 3


async def test_after_a_restart_the_token_is_read_from_one_holder(beat: Beat) -> None:
    """It is not in memory any more, so one Secret of those that hold it is read in each round."""
    token = await beat.fetched(EU, EU_OTHER_ACCOUNT)
    for number in range(50):
        beat.publish(f"team-{number}", {EU: token, EU_OTHER_ACCOUNT: token})
    beat.restarted()
    await beat.patrol.go_round()
    assert beat.reads == ["team-0"]
    assert beat.gate.registries.count(EU) == beat.gate.registries.count(EU_OTHER_ACCOUNT) == 1
    assert beat.gate.source.calls == []
    beat.gate.registries.refused = {token.auth}
    await beat.patrol.go_round()
    assert len(beat.woken) == 50
    assert all(
        beat.gate.verification.revoked(held) == {EU, EU_OTHER_ACCOUNT}
        for each in beat.secrets.values()
        if (held := each.record)
    )


async def test_a_holder_that_is_gone_is_passed_over(beat: Beat) -> None:
    """The next one will do; where none can be read, the next round comes."""
    token = await beat.fetched(EU)
    for name in ("a", "b", "c", "d"):
        beat.publish(name, {EU: token})
    beat.restarted()
    del beat.auths["a"]
    await beat.patrol.go_round()
    assert (beat.reads, beat.gate.registries.count(EU)) == (["a", "b"], 1)
    beat.auths.clear()
    await beat.patrol.go_round()
    assert (beat.reads[2:], beat.gate.registries.count(EU)) == (["a", "b", "c"], 1)


async def test_what_somebody_has_changed_tells_nothing(beat: Beat) -> None:
    """A stranger's Secret and an edited one may hold anything, so no token is judged by them."""
    token = await beat.fetched(EU)
    beat.publish("edited", {EU: token})
    beat.secrets["edited"] = replace(beat.secrets["edited"], intact=False)
    beat.secrets |= {"foreign": FOREIGN, "unreadable": managed(None, intact=False)}
    beat.restarted()
    await beat.patrol.go_round()
    assert beat.reads == []
    assert beat.gate.registries.probes == []


async def test_two_generations_are_both_tried(beat: Beat) -> None:
    """In the middle of a rotation some still hold the older one, and that one may be the dead one."""
    older = await beat.fetched(EU)
    beat.publish("late", {EU: older})
    await asyncio.sleep(6 * 3600)
    younger = await beat.fetched(EU)
    beat.publish("early", {EU: younger})
    beat.gate.registries.refused = {older.auth}
    await beat.patrol.go_round()
    assert beat.woken == ["late"]
    assert beat.reads == ["late"]
