"""Whether tokens are tried at their registries: `verify` in the settings, wired."""

import asyncio
import random
from collections.abc import Callable
from datetime import datetime

from pullkeeper.adapters.kubernetes.pull_secrets import PullSecretClient
from pullkeeper.adapters.prometheus import Metrics
from pullkeeper.adapters.registry import RegistryProbe
from pullkeeper.domain.config.settings import Settings
from pullkeeper.tokens.token_cache import TokenCache, TokenSource
from pullkeeper.tokens.token_revalidator import Secrets, TokenRevalidator
from pullkeeper.tokens.token_verifier import TokenVerifier, UnverifiedTokens


class Verifying:
    """Hands out tokens as the settings want them verified, and goes round the published ones."""

    def __init__(
        self,
        settings: Settings,
        source: TokenSource,
        secrets: Secrets,
        cluster: PullSecretClient,
        *,
        wake: Callable[[str], None],
        clock: Callable[[], datetime],
        chance: random.Random,
        metrics: Metrics,
    ) -> None:
        """Raise OSError where `registryCaFile` cannot be used."""
        tokens = TokenCache(source, rotation=settings.rotation, clock=clock, chance=chance)
        self.shelf: UnverifiedTokens | TokenVerifier = UnverifiedTokens(tokens)
        self._patrol: TokenRevalidator | None = None
        if settings.verify == "off":
            return
        probe = RegistryProbe(ca_file=settings.registry_ca_file)
        self.shelf = TokenVerifier(tokens, probe.probe, clock=clock, chance=chance, meter=metrics.record_registry_probe)
        if settings.verify == "continuous":
            every = settings.verify_interval
            self._patrol = TokenRevalidator(
                self.shelf, secrets=secrets, cluster=cluster, in_memory=tokens.peek, wake=wake, every=every
            )

    async def patrol(self) -> None:
        """Go round, if that is wanted, until cancelled."""
        await (self._patrol.run() if self._patrol else asyncio.Event().wait())
