"""Registries that do as they are told, and a verification in front of them."""

import asyncio
import itertools

from pullkeeper.domain.ecr.credential import Password, Token
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.ecr.registry_probe import ProbeResult, Verdict
from pullkeeper.domain.ecr.rotation import Rotation
from pullkeeper.tokens.token_cache import TokenCache
from pullkeeper.tokens.token_verifier import TokenVerifier
from tests.unit.tokens.token_source import Source
from testsupport.examples import token
from testsupport.fixed_random import FixedRandom
from testsupport.virtual_time import now


class Registries:
    """Accept every token after a tenth of a second, but for what they are told to refuse."""

    def __init__(self) -> None:
        self.probes: list[tuple[float, RegistryHost, Password]] = []
        self.refusing: set[RegistryHost] = set()
        """These refuse everything."""
        self.refused: set[Password] = set()
        """These are refused everywhere."""
        self.silent: set[RegistryHost] = set()
        self.seconds = 0.1

    async def probe(self, host: RegistryHost, auth: Password) -> ProbeResult:
        self.probes.append((asyncio.get_running_loop().time(), host, auth))
        await asyncio.sleep(self.seconds)
        if host in self.silent:
            return ProbeResult(verdict=Verdict.UNREACHABLE, why="TimeoutError")
        refuses = host in self.refusing or auth in self.refused
        return ProbeResult(verdict=Verdict.REJECTED if refuses else Verdict.ACCEPTED, why="status 403")

    def count(self, host: RegistryHost) -> int:
        return sum(probed == host for _, probed, _ in self.probes)


class Gate:
    """Tokens that are numbered, registries, and the verification between them."""

    def __init__(self, registries: Registries | None = None) -> None:
        self.registries = registries or Registries()
        self.source = Source()
        self.source.outcome = self._issue
        self.issued: list[Token] = []
        self.counted: list[str] = []
        self.tokens = TokenCache(self.source, rotation=Rotation(), clock=now, chance=FixedRandom())
        self.verification = TokenVerifier(
            self.tokens, self.registries.probe, clock=now, chance=FixedRandom(), meter=self.counted.append
        )
        self._numbers = itertools.count(1)

    def _issue(self) -> Token:
        self.issued.append(token(issued=now(), password=f"number-{next(self._numbers)}"))
        return self.issued[-1]
