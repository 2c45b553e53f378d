"""What docs/benchmarks.md shows of a run: its table, and how each figure grows; both from docs/bench/bench.json."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from tools.bench.sizes import MANY, exponent

DATA, PAGE, COMPARISON = Path("docs/bench/bench.json"), Path("docs/benchmarks.md"), Path("docs/comparison.md")
BEGIN, END = "<!-- begin: python -m tools.bench.curves -->", "<!-- end -->"

_PEERS_HAD = 1000
"""Namespaces."""

Run = Mapping[str, Any]
"""What `make bench JSON=…` writes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One figure of each size."""

    name: str
    path: str
    """Where it is in the JSON of a size."""
    unit: str
    scale: float = 1
    """From the unit of the JSON."""
    bare: str = ""
    """Where that is which it is compared with: a bare program's, or the same at rest."""
    against: str = "bare"
    goal: float | None = None
    """Of the ratio, or of the figure itself where it is compared with nothing."""
    least: int = 0
    """Namespaces from which on its growth is judged."""
    floor: float = 0
    """Less than that is not told apart."""

    def value(self, size: Run) -> float:
        """Return the figure."""
        return _at(size, self.path) * self.scale

    def judged(self, size: Run) -> float:
        """Return what the goal is about."""
        return _at(size, self.path) / _at(size, self.bare) if self.bare else self.value(size)


_TICKS = 0.1
"""Percent: the kernel counts hundredths of a second, and a measurement of half a minute sees three of those."""
_LASTING = 1000
"""With fewer namespaces a rotation is over before the controller has settled into it."""


_AT_REST = "at rest"


def _milliseconds(
    name: str, path: str, *, bare: str = "", against: str = "a bare program", goal: float | None = None, least: int = 0
) -> Figure:
    """Return a figure that is seconds in the JSON, where the same of a bare program stands beside it."""
    return Figure(
        name=name,
        path=path,
        unit="ms",
        scale=1000,
        bare=bare or f"bare_{path}",
        against=against,
        goal=goal,
        least=least,
    )


def _slow_over_rest(name: str, path: str, goal: float) -> Figure:
    return _milliseconds(f"{name}, p99", f"{path}.slow", bare="rest.slow", against=_AT_REST, goal=goal)


FIGURES = (
    _milliseconds("opt-in at rest, median", "rest.median", goal=1.3),
    _milliseconds("opt-in at rest, p99", "rest.slow", goal=2),
    _milliseconds("opt-in while all rotate, median", "busy.median", least=_LASTING),
    _milliseconds("opt-in while all rotate, p99", "busy.slow", least=_LASTING),
    _slow_over_rest("opt-in while all rotate", "busy", 3),
    _milliseconds("opt-in beside hostile tenants, median", "hostile.median"),
    _milliseconds("opt-in beside hostile tenants, p99", "hostile.slow"),
    _slow_over_rest("opt-in beside hostile tenants", "hostile", 2),
    _milliseconds("processor time for each request of a hostile tenant", "hostility.cpu"),
    _milliseconds("opt-in with a token of its own, median", "first.median", goal=1.5),
    _milliseconds("rotation, time for each Secret", "rotation.seconds", goal=round(1 / 0.85, 2)),
    _milliseconds("rotation, processor time for each Secret", "rotation.cpu", goal=2),
    Figure(
        name="ready after a restart",
        path="ready",
        unit="s",
        bare="kopf",
        against="kopf with an empty handler",
        goal=1.1,
    ),
    Figure(name="served after that, opted in meanwhile", path="meanwhile", unit="s", goal=2),
    Figure(name="processor at rest", path="idle_cpu", unit="%", goal=0.5, floor=_TICKS),
    Figure(name="resident memory after a rotation", path="resident", unit="MiB"),
)
GROWING = tuple(each for each in FIGURES if each.against != _AT_REST and each.path != "meanwhile")
"""Those whose growth says something: each once, and none that is 0 where all is well."""


def load() -> tuple[Run, str]:
    """Return the committed run, and what tells it from others."""
    text = DATA.read_text()
    return json.loads(text), hashlib.sha256(text.encode()).hexdigest()


def exponents(run: Run, figure: Figure) -> list[float]:
    """Return the exponent of a figure from each size to the next, of those that are judged."""
    return [exponent(first, second) for first, second in pairwise(_points(run, figure))]


def exponent_of(run: Run, figure: Figure) -> float:
    """Return the exponent from the smallest size that is judged to the largest; 0 where there is only one."""
    first, *_, last = _points(run, figure) * 2
    return exponent(first, last) if first != last else 0.0


def _points(run: Run, figure: Figure) -> list[tuple[int, float]]:
    return [
        (size["namespaces"], max(figure.value(size), figure.floor))
        for size in run["growth"]
        if size["namespaces"] >= figure.least
    ]


def write() -> None:
    """Write what the run says between the marks of the page, and of the comparison with others."""
    run, _ = load()
    for path, written in ((PAGE, text(run)), (COMPARISON, compared(run))):
        page = path.read_text()
        before, after = page.partition(BEGIN)[0], page.partition(END)[2]
        path.write_text(f"{before}{BEGIN}\n{written}\n{END}{after}")


def compared(run: Run) -> str:
    """Return the table of the size with which others were measured."""
    (size,) = (each for each in run["growth"] if each["namespaces"] == _PEERS_HAD)
    rows = ({"figure": each.name, "Pullkeeper": _judged(each, size)} for each in FIGURES if each.against != _AT_REST)
    return "\n".join(["", *_table(rows), ""])


def text(run: Run) -> str:
    """Return the table of the sizes, and that of the turns if they were run."""
    about, sizes, command = run["about"], run["growth"], run["rows"][0]["part"].partition(",")[0]
    loads = ", ".join(f"{size['load']:.1f}" for size in sizes)
    lines = [
        "",
        f"Measured on {about['date']} by `{command}` with {about['processors']} processors,",
        f"Python {about['python']}, load average before each size: {loads}.",
        "",
        *_table(_size_rows(run)),
        "",
    ]
    if turns := [row for row in run["rows"] if row["part"].startswith("beside a bare program")]:
        heading: str = turns[0]["part"]
        lines += [f"{heading[0].upper()}{heading[1:]}:", "", *_table(_turn_rows(turns)), ""]
    return "\n".join(lines)


def _size_rows(run: Run) -> Iterator[Mapping[str, str]]:
    for figure in FIGURES:
        judged = [_judged(figure, size) for size in run["growth"]]
        names = [f"{size['namespaces']:,} namespaces" for size in run["growth"]]
        slopes = [f"{each:+.2f}" for each in exponents(run, figure)] if figure in GROWING else []
        yield {
            "figure": figure.name,
            **dict(zip(names, judged, strict=True)),
            "against": figure.against if figure.bare else "",
            "goal": f"≤ {figure.goal:g}" if figure.goal else "",
            "exponents": ", ".join(slopes),
        }


def _judged(figure: Figure, size: Run) -> str:
    value = figure.value(size)
    shown = f"{value:,.{0 if value >= 100 else 1 if value >= 10 else 2}f} {figure.unit}"
    waits = size[figure.path.partition(".")[0]]
    few = f", worst of {waits['number']}" if figure.path.endswith(".slow") and waits["number"] < MANY else ""
    return f"{shown}{few}" + (f" ({figure.judged(size):.2f})" if figure.bare else "")


def _turn_rows(rows: Sequence[Mapping[str, str]]) -> Iterator[Mapping[str, str]]:
    for row in rows:
        yield {"figure": row["what"], "value": row["figure"], "goal": row["note"]}


def _table(rows: Iterator[Mapping[str, str]]) -> Iterator[str]:
    found = list(rows)
    yield "| " + " | ".join(found[0]) + " |"
    yield "|" + "---|" * len(found[0])
    for row in found:
        yield "| " + " | ".join(row.values()) + " |"


def _at(size: Run, path: str) -> float:
    value: Any = size
    for key in path.split("."):
        value = value[key]
    return float(value)
