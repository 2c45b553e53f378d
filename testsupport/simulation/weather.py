"""What goes wrong in a run, and when: chance for the small things, spans of time for the large ones."""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field

from testsupport.simulation.record import Span
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
"""Why AWS gives no token; the last two: it gives one that is dead on arrival, or that lives for a short while only."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chances:
    """How likely each small mishap is."""

    answer_lost: float = 0.0
    """A write lands, and the answer to it does not come."""
    event_lost: float = 0.0
    event_late: float = 0.0
    """It comes up to two minutes late, after younger ones."""
    event_twice: float = 0.0


FAIR = Chances()
STORMY = Chances(answer_lost=0.02, event_lost=0.05, event_late=0.05, event_twice=0.1)
WILD = Chances(answer_lost=0.2, event_lost=0.3, event_late=0.3, event_twice=0.3)


@dataclass(kw_only=True, slots=True)
class Weather:
    """The faults of one run."""

    chances: Chances = FAIR
    until: float = float("inf")
    """From then on (seconds) all is well."""
    life: float = 12 * HOUR
    """Seconds that a token lives."""
    latency: float = 0.03
    """Seconds that one request to the API server takes in the mean."""
    aws: list[Span] = field(default_factory=list)
    kube: list[Span] = field(default_factory=list)

    def at(self, now: float) -> Chances:
        """Tell the chances that hold now."""
        return self.chances if now < self.until else FAIR

    def aws_reason(self, region: str, now: float) -> str | None:
        """Tell why AWS gives no token there now."""
        return next((span.reason for span in _over(self.aws, now) if span.region in ("", region)), None)

    def kube_back_at(self, now: float) -> float | None:
        """Tell when the API server can be reached again, if it cannot now."""
        return max((span.end for span in _over(self.kube, now)), default=None)


def _over(spans: Iterable[Span], now: float) -> list[Span]:
    return [span for span in spans if span.start <= now < span.end]


def storm(chance: random.Random, *, until: float, regions: tuple[str, ...]) -> Weather:
    """Draw the faults of a run: outages of AWS by region, of the API server, and small mishaps all the time."""
    weather = Weather(chances=STORMY, until=until)
    for region in ("", *regions):
        for start in _moments(chance, until, every=5 * DAY):
            length = chance.choice((2.0, 30.0, 5 * MINUTE, HOUR, 3 * HOUR, 9 * HOUR))
            weather.aws.append(
                Span(start=start, end=min(start + length, until), reason=chance.choice(REASONS), region=region)
            )
    for start in _moments(chance, until, every=4 * DAY):
        length = chance.choice((0.5, 10.0, MINUTE, 20 * MINUTE, 2 * HOUR))
        weather.kube.append(Span(start=start, end=min(start + length, until), reason="unreachable"))
    return weather


def _moments(chance: random.Random, until: float, *, every: float) -> list[float]:
    found = []
    at = chance.expovariate(1 / every)
    while at < until:
        found.append(at)
        at += chance.expovariate(1 / every)
    return found
