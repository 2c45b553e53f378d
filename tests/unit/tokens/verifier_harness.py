"""Registries whose verdicts a test chooses, and a TokenVerifier in front of them."""

import asyncio
import itertools

from pullkeeper.domain.ecr.credential import Password, Token
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.ecr.registry_probe import ProbeResult, Verdict
from pullkeeper.domain.ecr.rotation import Rotation
from pullkeeper.tokens.token_cache import TokenCache
from pullkeeper.tokens.token_verifier import TokenVerifier
from tests.unit.tokens.fake_token_source import FakeTokenSource
from testsupport.examples import token
from testsupport.fixed_random import FixedRandom
from testsupport.virtual_time import now


class FakeRegistries:
    """Accept every token after a tenth of a second, except what a test has them refuse."""

    def __init__(self) -> None:
        self.probes: list[tuple[float, RegistryHost, Password]] = []
        self.refusing: set[RegistryHost] = set()
        """These refuse everything."""
        self.refused: set[Password] = set()
        """These are refused everywhere."""
        self.unreachable: set[RegistryHost] = set()
        self.seconds = 0.1

    async def probe(self, host: RegistryHost, auth: Password) -> ProbeResult:
        self.probes.append((asyncio.get_running_loop().time(), host, auth))
        await asyncio.sleep(self.seconds)
        if host in self.unreachable:
            return ProbeResult(verdict=Verdict.UNREACHABLE, why="TimeoutError")
        refuses = host in self.refusing or auth in self.refused
        return ProbeResult(verdict=Verdict.REJECTED if refuses else Verdict.ACCEPTED, why="status 403")

    def count(self, host: RegistryHost) -> int:
        return sum(probed == host for _, probed, _ in self.probes)


class VerifierHarness:
    """A TokenVerifier between a source of numbered tokens and fake registries."""

    def __init__(self, registries: FakeRegistries | None = None) -> None:
        self.registries = registries or FakeRegistries()
        self.source = FakeTokenSource()
        self.source.outcome = self._issue
        self.issued: list[Token] = []
        self.recorded: list[str] = []
        self.cache = TokenCache(self.source, rotation=Rotation(), clock=now, rng=FixedRandom())
        self.verifier = TokenVerifier(
            self.cache, self.registries.probe, clock=now, rng=FixedRandom(), record_probe=self.recorded.append
        )
        self._numbers = itertools.count(1)

    def _issue(self) -> Token:
        self.issued.append(token(issued=now(), password=f"number-{next(self._numbers)}"))
        return self.issued[-1]
