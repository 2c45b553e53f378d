"""Draws a simulated day of the controller with rotations and an outage of AWS.

`python -m tools.picture FILE.svg`; the same code draws the same picture, byte for byte.
"""

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from testsupport.simulation.faults import Faults
from testsupport.simulation.record import CONTROLLER, Period, Record, SecretVersion
from testsupport.simulation.scenarios import IRELAND, QUIET, opted_in
from testsupport.simulation.world import Run, simulate
from testsupport.virtual_time import DAY, HOUR, MINUTE

NAMESPACES = 1000
OUTAGE = Period(start=11 * HOUR, end=13.5 * HOUR, reason="NetworkUnreachable")
STEP = 5 * MINUTE
_SLOT = 2 * MINUTE

_LEFT, _RIGHT, _WIDTH = 64.0, 936.0, 960
_STYLE = """
  .paper { fill: #ffffff } .ink { fill: #1f2328 } .soft { fill: #59636e } .grid { stroke: #d1d9e0 }
  .band { fill: #0969da; opacity: .22 } .line { stroke: #0969da } .bar { fill: #1a7f37 } .call { fill: #bc4c00 }
  .out { fill: #cf222e; opacity: .10 } .limit { stroke: #cf222e }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #0d1117 } .ink { fill: #e6edf3 } .soft { fill: #9198a1 } .grid { stroke: #3d444d }
    .band { fill: #4493f8; opacity: .28 } .line { stroke: #4493f8 } .bar { fill: #3fb950 } .call { fill: #f0883e }
    .out { fill: #f85149; opacity: .16 } .limit { stroke: #f85149 }
  }
  text { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif } .title { font-size: 17px; font-weight: 600 }
  .end { text-anchor: end } .mid { text-anchor: middle } .line, .grid, .limit { fill: none }
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    """A diagram over the hours of the day, for values from 0 to `most`, between two y coordinates."""

    top: float
    bottom: float
    most: float

    def y(self, value: float) -> float:
        """Return the y coordinate of a value."""
        return self.bottom - (self.bottom - self.top) * value / self.most

    def axes(self, marks: Sequence[float], unit: str) -> list[str]:
        """Draw grid lines and their labels."""
        drawn = [f'<text class="soft" x="{_LEFT - 52:.0f}" y="{self.top - 12:.0f}">{unit}</text>']
        for mark in marks:
            y = self.y(mark)
            drawn.append(f'<path class="grid" d="M{_LEFT:.0f} {y:.1f}H{_RIGHT:.0f}"/>')
            drawn.append(f'<text class="soft end" x="{_LEFT - 8:.0f}" y="{y + 4:.1f}">{mark:g}</text>')
        hours = [
            f'<text class="soft mid" x="{_x(hour * HOUR):.1f}" y="{self.bottom + 18:.0f}">{hour}</text>'
            for hour in range(0, 25, 2)
        ]
        return drawn + hours

    def shade(self, period: Period) -> str:
        """Shade a period."""
        x, width = _x(period.start), _x(period.end) - _x(period.start)
        height = self.bottom - self.top
        return f'<rect class="out" x="{x:.1f}" y="{self.top:.0f}" width="{width:.1f}" height="{height:.0f}"/>'


LIVES = Panel(top=108, bottom=348, most=12)
WRITES = Panel(top=420, bottom=560, most=150)


def a_day() -> Record:
    """Simulate the day."""
    actions, faults = opted_in(NAMESPACES, IRELAND), Faults(aws=[OUTAGE])
    return simulate(Run(seed=1, end=DAY, actions=actions, faults=faults, settings=QUIET))


def draw(record: Record) -> str:
    """Draw a day as SVG."""
    body = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} 612" role="img" aria-labelledby="t">',
        f'<title id="t">A day of {NAMESPACES:,} namespaces: time to live of their Secrets, and writes a minute</title>',
        f"<style>{_STYLE}</style>",
        f'<rect class="paper" width="{_WIDTH}" height="612" rx="8"/>',
        f'<text class="ink title" x="12" y="30">A day of {NAMESPACES:,} namespaces, with AWS away for 2½ hours</text>',
        f'<text class="soft" x="12" y="52">{_summary(record)}</text>',
        *_lives(record),
        *_writes(record),
        f'<text class="soft mid" x="{(_LEFT + _RIGHT) / 2:.0f}" y="602">hours since the namespaces opted in</text>',
        "</svg>",
    ]
    return "\n".join(body) + "\n"


def _lives(record: Record) -> list[str]:
    moments = [STEP * number for number in range(1, int(DAY / STEP) + 1)]
    left = [_left(record, at) for at in moments]
    upper = [f"{_x(at):.1f} {LIVES.y(max(each)):.1f}" for at, each in zip(moments, left, strict=True)]
    lower = [f"{_x(at):.1f} {LIVES.y(min(each)):.1f}" for at, each in zip(moments, left, strict=True)]
    middle = [f"{_x(at):.1f} {LIVES.y(median(each)):.1f}" for at, each in zip(moments, left, strict=True)]
    worst = min(range(len(left)), key=lambda index: min(left[index]))
    x, y = _x(moments[worst]), LIVES.y(min(left[worst]))
    away, alert = _x((OUTAGE.start + OUTAGE.end) / 2), LIVES.y(4)
    return [
        LIVES.shade(OUTAGE),
        *LIVES.axes((0, 2, 4, 6, 8, 10, 12), "time to live of the Secrets, in hours: all of them, and the median"),
        f'<path class="band" d="M{"L".join(upper)}L{"L".join(reversed(lower))}Z"/>',
        f'<path class="line" stroke-width="2" d="M{"L".join(middle)}"/>',
        f'<path class="limit" stroke-dasharray="4 4" d="M{_LEFT:.0f} {alert:.1f}H{_RIGHT:.0f}"/>',
        f'<text class="soft end" x="{_RIGHT - 4:.0f}" y="{alert + 16:.1f}">below: PullkeeperPullSecretExpiring</text>',
        f'<text class="ink mid" x="{away:.1f}" y="{LIVES.top + 18:.0f}">AWS is away</text>',
        f'<circle class="call" cx="{x:.1f}" cy="{y:.1f}" r="4"/>',
        f'<text class="ink" x="{x + 10:.1f}" y="{y - 4:.1f}">the least: {_words(min(left[worst]))}</text>',
    ]


def _writes(record: Record) -> list[str]:
    slots = Counter(int(version.at // _SLOT) for version in _written(record))
    width = _x(_SLOT) - _x(0)
    top = WRITES.most
    bars = []
    for slot, count in sorted(slots.items()):
        rate = count / (_SLOT / MINUTE)
        y = WRITES.y(min(rate, top))
        x = _x(slot * _SLOT)
        bars.append(f'<rect class="bar" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{WRITES.bottom - y:.1f}"/>')
        if rate > top:
            bars.append(
                f'<text class="ink" x="{x + width + 4:.1f}" y="{WRITES.top + 10:.0f}">{rate:.0f} a minute</text>'
            )
    calls = [
        f'<circle class="call" cx="{_x(call.at):.1f}" cy="{WRITES.top - 4:.0f}" r="3"/>'
        for call in record.aws_calls
        if call.reason is None
    ]
    words = 'writes of Secrets a minute; a dot <tspan class="call">●</tspan> is a token that AWS gave'
    return [WRITES.shade(OUTAGE), *WRITES.axes((0, 50, 100, 150), words), *bars, *calls]


def _summary(record: Record) -> str:
    given = sum(call.reason is None for call in record.aws_calls)
    least = min(min(_left(record, STEP * number)) for number in range(1, int(DAY / STEP) + 1))
    return (
        f"{given} tokens from AWS, {len(_written(record)):,} writes; tokens live for 12 hours and are due after 6; "
        f"no Secret ever had less than {_words(least)} to live"
    )


def _written(record: Record) -> list[SecretVersion]:
    return [version for versions in record.secrets.values() for version in versions if version.writer == CONTROLLER]


def _left(record: Record, at: float) -> list[float]:
    """Return the hours until the first token in each Secret expires."""
    held = [version for name in record.secrets if (version := record.secret_at(name, at))]
    return [(min(record.issued[auth].expires_at for auth in each.auths.values()) - at) / HOUR for each in held]


def _words(hours: float) -> str:
    minutes = round(hours * 60)
    return f"{minutes // 60} h {minutes % 60:02} min"


def _x(at: float) -> float:
    return _LEFT + (_RIGHT - _LEFT) * at / DAY


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(draw(a_day()))
