"""Whether tokens are tried at their registries: `verify` in the settings, wired."""

import asyncio
import random
from collections.abc import Callable
from datetime import datetime

from controller.core.settings import Settings
from controller.doors.cluster import Cluster
from controller.doors.metrics import Metrics
from controller.doors.registry_probe import RegistryProbe
from controller.patrol import Patrol, Secrets
from controller.tokens import Tokens, TokenSource
from controller.verification import Unverified, Verification


class Verifying:
    """Hands out tokens as the settings want them verified, and goes round the published ones."""

    def __init__(
        self,
        settings: Settings,
        source: TokenSource,
        secrets: Secrets,
        cluster: Cluster,
        *,
        wake: Callable[[str], None],
        clock: Callable[[], datetime],
        chance: random.Random,
        metrics: Metrics,
    ) -> None:
        """Raise OSError where `registryCaFile` cannot be used."""
        tokens = Tokens(source, rotation=settings.rotation, clock=clock, chance=chance)
        self.shelf: Unverified | Verification = Unverified(tokens)
        self._patrol: Patrol | None = None
        if settings.verify == "off":
            return
        probe = RegistryProbe(ca_file=settings.registry_ca_file)
        self.shelf = Verification(tokens, probe.probe, clock=clock, chance=chance, meter=metrics.registry_probe)
        if settings.verify == "continuous":
            every = settings.verify_interval
            self._patrol = Patrol(
                self.shelf, secrets=secrets, cluster=cluster, in_memory=tokens.held, wake=wake, every=every
            )

    async def patrol(self) -> None:
        """Go round, if that is wanted, until cancelled."""
        await (self._patrol.run() if self._patrol else asyncio.Event().wait())
