"""Draws how each figure grows with the number of namespaces, and writes the tables of docs/benchmarks.md.

`python -m tools.bench.curves` reads docs/bench/bench.json, which `make bench JSON=docs/bench/bench.json` writes. It
prints each exponent: 0 is flat, 1 is linear. The same run is drawn alike, byte for byte.
"""

import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure as Canvas

from tools.bench import page
from tools.bench.page import GROWING, Figure, Run

DRAWN = Path("docs/bench/curves.svg")
_COLUMNS = 3
_PANEL = (3.6, 2.7)
"""Inches."""
_STYLE = {"svg.hashsalt": "pullkeeper", "svg.fonttype": "none", "font.size": 8, "axes.titlesize": 8}


def main() -> int:
    """Draw, write, and print the exponents."""
    run, digest = page.load()
    draw(run, digest, DRAWN)
    page.write()
    for figure in GROWING:
        print(f"  {figure.name:<48} {', '.join(f'{each:+.2f}' for each in page.exponents(run, figure))}")
    return 0


def draw(run: Run, digest: str, path: Path) -> None:
    """Draw a panel for each figure; the digest tells from which run."""
    rows = -(-len(GROWING) // _COLUMNS)
    with mpl.rc_context(_STYLE):
        canvas = Canvas(figsize=(_PANEL[0] * _COLUMNS, _PANEL[1] * rows), layout="constrained")
        for number, figure in enumerate(GROWING, 1):
            _panel(canvas.add_subplot(rows, _COLUMNS, number), run, figure)
        canvas.savefig(path, metadata={"Date": None, "Description": digest})
    # Drawn paths end in blanks, which no file of ours does.
    path.write_text("\n".join(line.rstrip() for line in path.read_text().splitlines()) + "\n")


def _panel(axes: Any, run: Run, figure: Figure) -> None:
    namespaces = [size["namespaces"] for size in run["growth"]]
    ours = [figure.value(size) for size in run["growth"]]
    highest = max(ours)
    axes.plot(namespaces, ours, marker="o", color="#0969da", label="Pullkeeper")
    if figure.bare:
        bare = [value / figure.judged(size) for value, size in zip(ours, run["growth"], strict=True)]
        highest = max(highest, *bare)
        axes.plot(namespaces, bare, marker="x", linestyle="--", color="#bc4c00", label=figure.against)
    axes.set(xscale="log", title=f"{figure.name} ({figure.unit})", xlabel="namespaces", ylim=(0, 1.15 * highest or 1))
    axes.set_xticks(namespaces, [f"{each:,}" for each in namespaces])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7)


if __name__ == "__main__":
    sys.exit(main())
