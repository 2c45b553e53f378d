"""The registries of a run, as a token is tried there."""

from pullkeeper.domain.ecr.credential import Password
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.ecr.registry_probe import ProbeResult, Verdict
from testsupport.simulation.faults import Faults
from testsupport.simulation.record import Record
from testsupport.virtual_time import elapsed


class Registries:
    """Accept tokens that are valid and not revoked; some do not answer for a while."""

    def __init__(self, record: Record, faults: Faults) -> None:
        self._record = record
        self._faults = faults

    def revoke(self, region: str) -> None:
        """Refuse every token of a region that was issued before now."""
        self._record.revoked[region].append(elapsed())

    async def probe(self, host: RegistryHost, auth: Password) -> ProbeResult:
        """Try a token."""
        now, token = elapsed(), self._record.issued.get(auth.reveal())
        if any(each.start <= now < each.end and each.region == host.region for each in self._faults.registries):
            self._record.happened["registry away"] += 1
            return ProbeResult(verdict=Verdict.UNREACHABLE, why="status 503")
        if token is None or token.expires_at <= now or self._record.is_revoked(token, now):
            self._record.happened["token refused by its registry"] += 1
            return ProbeResult(verdict=Verdict.REJECTED, why="status 403")
        return ProbeResult(verdict=Verdict.ACCEPTED, why="status 200")
