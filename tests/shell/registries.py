"""Registries that do as they are told, and a verification in front of them."""

import asyncio
import itertools

from controller.core.credential import Password, Token
from controller.core.registry_host import RegistryHost
from controller.core.schedule import Rotation
from controller.core.verification import Outcome, Verdict
from controller.tokens import Tokens
from controller.verification import Verification
from tests.core.examples import token
from tests.shell.draws import Draw
from tests.shell.mint import Source
from tests.shell.virtual_time import now


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

    async def probe(self, host: RegistryHost, auth: Password) -> Outcome:
        self.probes.append((asyncio.get_running_loop().time(), host, auth))
        await asyncio.sleep(self.seconds)
        if host in self.silent:
            return Outcome(verdict=Verdict.UNREACHABLE, why="TimeoutError")
        refuses = host in self.refusing or auth in self.refused
        return Outcome(verdict=Verdict.REJECTED if refuses else Verdict.ACCEPTED, why="status 403")

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
        self.tokens = Tokens(self.source, rotation=Rotation(), clock=now, chance=Draw())
        self.verification = Verification(
            self.tokens, self.registries.probe, clock=now, chance=Draw(), meter=self.counted.append
        )
        self._numbers = itertools.count(1)

    def _issue(self) -> Token:
        self.issued.append(token(issued=now(), password=f"number-{next(self._numbers)}"))
        return self.issued[-1]
