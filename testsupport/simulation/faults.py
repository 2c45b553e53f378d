"""What goes wrong in a run: small faults with a probability, outages in periods."""

import random
from collections.abc import Iterable, Sequence
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
ALL_REASONS = (*REASONS, "WrongClock")
"""Those, and tokens with an expiry that cannot be true."""


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
    """Those of all days."""
    stormy: FaultRates = NO_FAULTS
    """Those in a storm."""
    storms: list[Period] = field(default_factory=list)
    until: float = float("inf")
    """The second after which nothing fails."""
    life: float = 12 * HOUR
    """Lifetime of a token in seconds."""
    latency: float = 0.03
    """Mean duration of a request to the API server in seconds."""
    watch_seconds: float | None = None
    """How long the API server keeps a watch open; as long as the client has asked for if None."""
    aws: list[Period] = field(default_factory=list)
    kube: list[Period] = field(default_factory=list)
    refusing: list[Period] = field(default_factory=list)
    """When the API server refuses writes of Secrets, and why: see `resources.REFUSALS`."""
    refused_name: str = ""
    """Only writes of this Secret are refused; any if ""."""
    unauthorized: list[Period] = field(default_factory=list)
    """When it accepts no credentials, as while its keys or the process's own token are replaced."""
    slow_lists: list[Period] = field(default_factory=list)
    """When lists take long; the reason is how many seconds at most."""
    unwatchable: list[Period] = field(default_factory=list)
    """When RBAC allows no list and no watch of ServiceAccounts; a watch that is open goes on."""
    undoing: list[Period] = field(default_factory=list)
    """When another tool undoes each write in a namespace, and how: `delete`, `revert` or `detach`."""
    registries: list[Period] = field(default_factory=list)
    """When the registries of a region refuse each token that was issued before, or do not answer at all."""

    def at(self, now: float) -> FaultRates:
        """Return the rates at that second."""
        if during(self.storms, now):
            return self.stormy
        return self.rates if now < self.until else NO_FAULTS

    def aws_reason(self, region: str, now: float) -> str | None:
        """Return why AWS issues no token in the region at that second, if so."""
        return next((period.reason for period in _over(self.aws, now) if period.region in ("", region)), None)

    def kube_back_at(self, now: float) -> float | None:
        """Return when the current outage of the API server ends, if there is one."""
        return max((period.end for period in _over(self.kube, now)), default=None)


def during(periods: Sequence[Period], now: float, namespace: str = "") -> Period | None:
    """Return the period that it is now, in this namespace or in all of them."""
    return next((each for each in periods if each.start <= now < each.end and each.namespace in ("", namespace)), None)


def _over(periods: Iterable[Period], now: float) -> list[Period]:
    return [period for period in periods if period.start <= now < period.end]


def draw_faults(
    rng: random.Random,
    *,
    until: float,
    regions: tuple[str, ...],
    every: float = 5 * DAY,
    reasons: Sequence[str] = REASONS,
) -> Faults:
    """Draw outages of AWS by region and of the API server, with frequent small faults all the time.

    There is one in `every` seconds in each region, and a little more often at the API server.
    """
    faults = Faults(rates=FREQUENT, until=until)
    for region in ("", *regions):
        for start in moments(rng, until, every=every):
            length = rng.choice((2.0, 30.0, 5 * MINUTE, HOUR, 3 * HOUR, 9 * HOUR))
            faults.aws.append(
                Period(start=start, end=min(start + length, until), reason=rng.choice(reasons), region=region)
            )
    for start in moments(rng, until, every=0.8 * every):
        length = rng.choice((0.5, 10.0, MINUTE, 20 * MINUTE, 2 * HOUR))
        faults.kube.append(Period(start=start, end=min(start + length, until), reason="unreachable"))
    return faults


def moments(rng: random.Random, until: float, *, every: float) -> list[float]:
    """Draw moments, `every` seconds apart on average."""
    found = []
    at = rng.expovariate(1 / every)
    while at < until:
        found.append(at)
        at += rng.expovariate(1 / every)
    return found
