"""Days of registries that refuse, fall silent and come back: what may never happen does not, by seed."""

import asyncio
import random
from datetime import timedelta

import pytest

from pullkeeper.domain.ecr.credential import Password
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.ecr.registry_probe import ProbeResult, RegistryCredential, Verdict
from pullkeeper.tokens.token_cache import TokenResult
from tests.unit.tokens.registries import Gate, Registries
from testsupport.examples import EU, EU_OTHER_ACCOUNT, scope
from testsupport.virtual_time import now

IRISH = (EU, EU_OTHER_ACCOUNT)
_HOUR, _ROUND = 3600.0, 900.0
_DAYS = 3


class Remembering(Registries):
    """Knows what each registry said last of each token."""

    def __init__(self) -> None:
        super().__init__()
        self.said: dict[tuple[RegistryHost, Password], Verdict] = {}

    async def probe(self, host: RegistryHost, auth: Password) -> ProbeResult:
        found = await super().probe(host, auth)
        if found.verdict is not Verdict.UNREACHABLE:
            self.said[host, auth] = found.verdict
        return found


class Days:
    """Twenty namespaces that come when they are told to, a patrol, and weather."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.registries = Remembering()
        self.gate = Gate(self.registries)
        self.published: dict[RegistryHost, tuple[RegistryCredential, Password]] = {}
        self.wild = True
        self.last: list[TokenResult] = []

    async def weather(self) -> None:
        while self.wild:
            await asyncio.sleep(self.chance.uniform(10, 3 * _HOUR))
            hosts = [host for host in IRISH if self.chance.random() < 0.5]
            self.registries.refusing = set(hosts)
            self.registries.silent = {host for host in IRISH if host not in hosts and self.chance.random() < 0.3}
            self.registries.seconds = self.chance.choice((0.1, 0.1, 3.0))
            if self.gate.issued and self.chance.random() < 0.3:
                self.registries.refused.add(self.gate.issued[-1].auth)
        self.registries.refusing, self.registries.silent, self.registries.seconds = set(), set(), 0.1

    async def namespace(self, hosts: tuple[RegistryHost, ...]) -> None:
        while True:
            answer = await self.gate.verification.get(scope(EU), hosts)
            assert answer.token is not None
            for host in set(hosts) - answer.excluded:
                said = self.registries.said.get((host, answer.token.auth))
                assert said is not Verdict.REJECTED, f"{host} got what it had refused"
                use = RegistryCredential(identity=scope(EU).identity, host=host, validity=answer.token.validity)
                self.published[host] = use, answer.token.auth
            self.last.append(answer)
            again = answer.retry_at or now() + timedelta(hours=1)
            await asyncio.sleep(max((again - now()).total_seconds(), 0.001))

    async def patrol(self) -> None:
        while True:
            await asyncio.sleep(_ROUND)
            for use, auth in list(self.published.values()):
                if await self.gate.verification.revalidate(use, auth):
                    await self.gate.verification.get(scope(EU), IRISH)


@pytest.mark.parametrize("seed", range(8))
async def test_no_registry_gets_what_it_refused_and_no_storm_breaks_out(seed: int) -> None:
    """Through three wild days; and once all is well again, within an hour everybody has a token for everything."""
    days = Days(seed)
    works = [days.weather(), days.patrol(), *(days.namespace(IRISH[: 1 + number % 2]) for number in range(20))]
    tasks = [asyncio.create_task(work) for work in works]
    await asyncio.wait(tasks, timeout=_DAYS * 24 * _HOUR, return_when=asyncio.FIRST_EXCEPTION)
    days.wild = False
    await asyncio.wait(tasks[:1])
    calls = len(days.gate.source.calls)
    await asyncio.wait(tasks[1:], timeout=_HOUR, return_when=asyncio.FIRST_EXCEPTION)
    days.last.clear()
    await asyncio.wait(tasks[1:], timeout=2 * _HOUR, return_when=asyncio.FIRST_EXCEPTION)
    for task in tasks:
        if task.done():
            task.result()
        task.cancel()
    assert len(days.last) >= 20
    assert not any(answer.excluded or answer.failure for answer in days.last)
    # A call every five minutes at the most, and one at once for each death that a round of the patrol finds.
    assert calls <= _DAYS * 24 * (12 * 1.2 + 4)
