"""Random days of registries that refuse tokens, become unreachable and recover, by seed."""

import asyncio
import random
from datetime import timedelta

import pytest

from pullkeeper.domain.ecr.credential import Password
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.ecr.registry_probe import ProbeResult, RegistryCredential, Verdict
from pullkeeper.tokens.token_cache import TokenResult
from tests.unit.tokens.fake_token_source import TEAM_A
from tests.unit.tokens.verifier_harness import FakeRegistries, VerifierHarness
from testsupport.examples import EU, EU_OTHER_ACCOUNT, scope
from testsupport.virtual_time import now

EU_HOSTS = (EU, EU_OTHER_ACCOUNT)
_HOUR, _ROUND = 3600.0, 900.0
_DAYS = 3


class RecordingRegistries(FakeRegistries):
    """Remember the last verdict of each registry on each token."""

    def __init__(self) -> None:
        super().__init__()
        self.verdicts: dict[tuple[RegistryHost, Password], Verdict] = {}

    async def probe(self, host: RegistryHost, auth: Password) -> ProbeResult:
        found = await super().probe(host, auth)
        if found.verdict is not Verdict.UNREACHABLE:
            self.verdicts[host, auth] = found.verdict
        return found


class RandomDays:
    """Twenty namespaces that retry when told to, a revalidator, and registries that change their minds."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.registries = RecordingRegistries()
        self.harness = VerifierHarness(self.registries)
        self.published: dict[RegistryHost, tuple[RegistryCredential, Password]] = {}
        self.changing = True
        self.last: list[TokenResult] = []

    async def change_registries(self) -> None:
        while self.changing:
            await asyncio.sleep(self.rng.uniform(10, 3 * _HOUR))
            hosts = [host for host in EU_HOSTS if self.rng.random() < 0.5]
            self.registries.refusing = set(hosts)
            self.registries.unreachable = {host for host in EU_HOSTS if host not in hosts and self.rng.random() < 0.3}
            self.registries.seconds = self.rng.choice((0.1, 0.1, 3.0))
            if self.harness.issued and self.rng.random() < 0.3:
                self.registries.refused.add(self.harness.issued[-1].auth)
        self.registries.refusing, self.registries.unreachable, self.registries.seconds = set(), set(), 0.1

    async def namespace(self, hosts: tuple[RegistryHost, ...]) -> None:
        while True:
            result = await self.harness.verifier.get(scope(EU), hosts, TEAM_A)
            assert result.token is not None
            for host in set(hosts) - result.excluded:
                verdict = self.registries.verdicts.get((host, result.token.auth))
                assert verdict is not Verdict.REJECTED, f"{host} got a token that it refused"
                credential = RegistryCredential(scope=scope(EU), host=host, validity=result.token.validity)
                self.published[host] = credential, result.token.auth
            self.last.append(result)
            retry_at = result.retry_at or now() + timedelta(hours=1)
            await asyncio.sleep(max((retry_at - now()).total_seconds(), 0.001))

    async def revalidator(self) -> None:
        while True:
            await asyncio.sleep(_ROUND)
            for credential, auth in list(self.published.values()):
                if await self.harness.verifier.revalidate([credential], auth):
                    await self.harness.verifier.get(scope(EU), EU_HOSTS, TEAM_A)


@pytest.mark.parametrize("seed", range(8))
async def test_no_registry_gets_a_token_that_it_refused_and_calls_stay_bounded(seed: int) -> None:
    """An hour after three random days, every namespace has a token for every registry again."""
    days = RandomDays(seed)
    coroutines = [
        days.change_registries(),
        days.revalidator(),
        *(days.namespace(EU_HOSTS[: 1 + number % 2]) for number in range(20)),
    ]
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    await asyncio.wait(tasks, timeout=_DAYS * 24 * _HOUR, return_when=asyncio.FIRST_EXCEPTION)
    days.changing = False
    await asyncio.wait(tasks[:1])
    calls = len(days.harness.source.calls)
    await asyncio.wait(tasks[1:], timeout=_HOUR, return_when=asyncio.FIRST_EXCEPTION)
    days.last.clear()
    await asyncio.wait(tasks[1:], timeout=2 * _HOUR, return_when=asyncio.FIRST_EXCEPTION)
    for task in tasks:
        if task.done():
            task.result()
        task.cancel()
    assert len(days.last) >= 20
    assert not any(result.excluded or result.failure for result in days.last)
    # At most a call per five minutes, and one for each revoked token that a round finds.
    assert calls <= _DAYS * 24 * (12 * 1.2 + 4)
