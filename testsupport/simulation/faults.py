"""What goes wrong in a run: small faults with a probability, outages in periods."""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field

from testsupport.simulation.record import Period
from testsupport.virtual_time import DAY, HOUR, MINUTE

REASONS = (
    "Throttled",
    "AccessDenied",
    "NetworkUnreachable",
    "CredentialsInvalid",
    "CredentialsMissing",
    "ServiceError",
    "TokenExpired",
    "ShortLife",
)
"""Why AWS issues no token. The last two issue one: already expired, or with a short lifetime."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FaultRates:
    """The probability of each small fault."""

    answer_lost: float = 0.0
    """A write succeeds but its answer is lost."""
    event_lost: float = 0.0
    event_late: float = 0.0
    """An event arrives up to two minutes late, after newer ones."""
    event_twice: float = 0.0


NO_FAULTS = FaultRates()
FREQUENT = FaultRates(answer_lost=0.02, event_lost=0.05, event_late=0.05, event_twice=0.1)
EXTREME = FaultRates(answer_lost=0.2, event_lost=0.3, event_late=0.3, event_twice=0.3)


@dataclass(kw_only=True, slots=True)
class Faults:
    """The faults of one run."""

    rates: FaultRates = NO_FAULTS
    until: float = float("inf")
    """The second after which nothing fails."""
    life: float = 12 * HOUR
    """Lifetime of a token in seconds."""
    latency: float = 0.03
    """Mean duration of a request to the API server in seconds."""
    aws: list[Period] = field(default_factory=list)
    kube: list[Period] = field(default_factory=list)

    def at(self, now: float) -> FaultRates:
        """Return the rates at that second."""
        return self.rates if now < self.until else NO_FAULTS

    def aws_reason(self, region: str, now: float) -> str | None:
        """Return why AWS issues no token in the region at that second, if so."""
        return next((period.reason for period in _over(self.aws, now) if period.region in ("", region)), None)

    def kube_back_at(self, now: float) -> float | None:
        """Return when the current outage of the API server ends, if there is one."""
        return max((period.end for period in _over(self.kube, now)), default=None)


def _over(periods: Iterable[Period], now: float) -> list[Period]:
    return [period for period in periods if period.start <= now < period.end]


def draw_faults(rng: random.Random, *, until: float, regions: tuple[str, ...]) -> Faults:
    """Draw outages of AWS by region and of the API server, with frequent small faults all the time."""
    faults = Faults(rates=FREQUENT, until=until)
    for region in ("", *regions):
        for start in _moments(rng, until, every=5 * DAY):
            length = rng.choice((2.0, 30.0, 5 * MINUTE, HOUR, 3 * HOUR, 9 * HOUR))
            faults.aws.append(
                Period(start=start, end=min(start + length, until), reason=rng.choice(REASONS), region=region)
            )
    for start in _moments(rng, until, every=4 * DAY):
        length = rng.choice((0.5, 10.0, MINUTE, 20 * MINUTE, 2 * HOUR))
        faults.kube.append(Period(start=start, end=min(start + length, until), reason="unreachable"))
    return faults


def _moments(rng: random.Random, until: float, *, every: float) -> list[float]:
    found = []
    at = rng.expovariate(1 / every)
    while at < until:
        found.append(at)
        at += rng.expovariate(1 / every)
    return found
