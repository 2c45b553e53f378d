"""Published tokens are probed at intervals, and a revoked one is replaced in every namespace that holds it."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from pullkeeper.domain.ecr.credential import Password, Token
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.errors.failures import NamespaceGoneError
from pullkeeper.domain.iam.identity import CONTROLLER
from pullkeeper.domain.secret.secret_record import SecretRecord
from pullkeeper.tokens.token_revalidator import PublishedToken, TokenRevalidator
from tests.unit.tokens.fake_token_source import TEAM_A
from tests.unit.tokens.verifier_harness import VerifierHarness
from testsupport.examples import EU, EU_OTHER_ACCOUNT, US, auth, record_of, scope

INTERVAL = timedelta(minutes=15)


class RevalidatorHarness:
    """A TokenRevalidator over Secrets that a test publishes."""

    def __init__(self) -> None:
        self.harness = VerifierHarness()
        self.records: dict[str, SecretRecord] = {}
        self.auths: dict[str, Mapping[RegistryHost, Password]] = {}
        self.reads: list[str] = []
        self.enqueued: list[str] = []
        self.at_hand: list[Token | None] = []
        """The cached token at the moment a namespace was enqueued."""
        self.revalidator = TokenRevalidator(
            self.harness.verifier,
            published=self.published,
            reader=self,
            peek=self.harness.cache.peek,
            enqueue=self.enqueue,
            interval=INTERVAL,
        )

    def published(self) -> Iterable[PublishedToken]:
        for namespace, record in self.records.items():
            revoked = self.harness.verifier.revoked(namespace, dict.fromkeys(record.registries, CONTROLLER), record)
            for host in set(record.registries) - revoked:
                validity = record.held[host]
                yield PublishedToken(namespace=namespace, scope=scope(host), host=host, validity=validity)

    def enqueue(self, namespace: str) -> None:
        self.enqueued.append(namespace)
        self.at_hand.append(self.harness.cache.peek(scope(EU)))

    async def read_auths(self, namespace: str) -> Mapping[RegistryHost, Password]:
        self.reads.append(namespace)
        if namespace not in self.auths:
            raise NamespaceGoneError(namespace)
        return self.auths[namespace]

    def publish(self, namespace: str, held: Mapping[RegistryHost, Token]) -> None:
        times = {host: token.validity for host, token in held.items()}
        self.records[namespace] = record_of(times)
        self.auths[namespace] = {host: token.auth for host, token in held.items()}

    async def verified_token(self, *hosts: RegistryHost) -> Token:
        token = (await self.harness.verifier.get(scope(hosts[0]), hosts, TEAM_A)).token
        assert token is not None
        return token

    def restart(self) -> None:
        """Forget everything except what is in the cluster."""
        issued = self.harness.issued
        registries, self.harness = self.harness.registries, VerifierHarness()
        registries.probes.clear()
        self.harness.registries = registries
        self.harness.issued = issued
        self.harness.verifier._probe = registries.probe  # noqa: SLF001 -- the same registries for the new process
        self.revalidator = TokenRevalidator(
            self.harness.verifier,
            published=self.published,
            reader=self,
            peek=self.harness.cache.peek,
            enqueue=self.enqueue,
            interval=INTERVAL,
        )


@pytest.fixture
def harness() -> RevalidatorHarness:
    return RevalidatorHarness()


@asynccontextmanager
async def running(harness: RevalidatorHarness) -> AsyncIterator[None]:
    task = asyncio.create_task(harness.revalidator.run())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_each_token_is_probed_once_per_registry(harness: RevalidatorHarness) -> None:
    """A thousand namespaces of one identity cause one probe per round and registry, and no read."""
    token = await harness.verified_token(EU, EU_OTHER_ACCOUNT)
    for number in range(1000):
        harness.publish(f"team-{number}", {EU: token, EU_OTHER_ACCOUNT: token})
    harness.harness.registries.probes.clear()
    async with running(harness):
        await asyncio.sleep(4 * INTERVAL.total_seconds())
    assert harness.harness.registries.count(EU) == harness.harness.registries.count(EU_OTHER_ACCOUNT) == 4
    assert harness.reads == harness.enqueued == []


async def test_revoked_token_is_replaced_within_an_interval(harness: RevalidatorHarness) -> None:
    """Once a verified replacement is cached, exactly the namespaces that hold the revoked token are enqueued."""
    token = await harness.verified_token(EU, EU_OTHER_ACCOUNT)
    other = await harness.verified_token(US)
    harness.publish("both", {EU: token, EU_OTHER_ACCOUNT: token})
    harness.publish("one", {EU: token})
    harness.publish("elsewhere", {US: other})
    async with running(harness):
        await asyncio.sleep(INTERVAL.total_seconds())
        harness.harness.registries.refused = {token.auth}
        await asyncio.sleep(INTERVAL.total_seconds())
        assert harness.enqueued == ["both", "one"]
        assert harness.at_hand == [harness.harness.issued[-1]] * 2
        assert await harness.verified_token(EU) is harness.harness.issued[-1] is not token
        calls = len(harness.harness.source.calls)
        await asyncio.sleep(10 * INTERVAL.total_seconds())
    assert harness.enqueued == ["both", "one"]
    assert len(harness.harness.source.calls) == calls == 3


async def test_token_of_an_earlier_process_is_read_from_each_secret(harness: RevalidatorHarness) -> None:
    """Its text is probed once per registry, and the verdict counts for each namespace whose Secret held that text."""
    token = await harness.verified_token(EU, EU_OTHER_ACCOUNT)
    for number in range(50):
        harness.publish(f"team-{number}", {EU: token, EU_OTHER_ACCOUNT: token})
    harness.restart()
    await harness.revalidator.revalidate_all()
    assert len(harness.reads) == 50
    assert harness.harness.registries.count(EU) == harness.harness.registries.count(EU_OTHER_ACCOUNT) == 1
    assert harness.harness.source.calls == []
    harness.harness.registries.refused = {token.auth}
    await harness.revalidator.revalidate_all()
    assert len(harness.enqueued) == 50
    identities = dict.fromkeys((EU, EU_OTHER_ACCOUNT), CONTROLLER)
    assert all(
        harness.harness.verifier.revoked(name, identities, record) == {EU, EU_OTHER_ACCOUNT}
        for name, record in harness.records.items()
    )


async def test_text_of_a_secret_decides_nothing_for_other_namespaces(harness: RevalidatorHarness) -> None:
    """A tenant may write any text into its Secret, with times that it has read from the metrics."""
    token = await harness.verified_token(EU)
    harness.publish("honest", {EU: token})
    harness.restart()
    harness.publish("forged", {EU: token})
    harness.auths["forged"] = {EU: auth("forged")}
    harness.harness.registries.refused = {auth("forged")}
    await harness.revalidator.revalidate_all()
    assert harness.enqueued == ["forged"]
    assert harness.harness.source.calls == []
    identities = dict.fromkeys(harness.records["honest"].registries, CONTROLLER)
    assert harness.harness.verifier.revoked("honest", identities, harness.records["honest"]) == set()
    assert await harness.verified_token(EU) is harness.harness.issued[-1]


async def test_secret_that_cannot_be_read_is_skipped(harness: RevalidatorHarness) -> None:
    """The next round tries it again."""
    token = await harness.verified_token(EU)
    for name in ("a", "b"):
        harness.publish(name, {EU: token})
    harness.restart()
    del harness.auths["a"]
    await harness.revalidator.revalidate_all()
    assert (harness.reads, harness.harness.registries.count(EU)) == (["a", "b"], 1)
    harness.auths.clear()
    await harness.revalidator.revalidate_all()
    assert (harness.reads[2:], harness.harness.registries.count(EU)) == (["a", "b"], 1)


async def test_tokens_of_both_generations_are_probed(harness: RevalidatorHarness) -> None:
    """During a rotation some namespaces still hold the older token, which may be the revoked one."""
    older = await harness.verified_token(EU)
    harness.publish("late", {EU: older})
    await asyncio.sleep(6 * 3600)
    younger = await harness.verified_token(EU)
    harness.publish("early", {EU: younger})
    harness.harness.registries.refused = {older.auth}
    await harness.revalidator.revalidate_all()
    assert harness.enqueued == ["late"]
    assert harness.reads == ["late"]
