"""The page of benchmarks shows the committed run: its tables, its curves, and figures that grow linearly at most."""

import json
import re
from itertools import pairwise
from pathlib import Path

import pytest

from tools.bench import page
from tools.bench.page import FIGURES, GROWING, Figure
from tools.scaling import BASE_MIB, KIB_PER_NAMESPACE

RUN, DIGEST = page.load()
TEXT = page.PAGE.read_text()
LINEAR = 1.1
"""The largest exponent: a tenth is what measuring again changes."""


def test_the_tables_are_those_of_the_committed_run() -> None:
    """Neither is changed alone."""
    assert f"{page.BEGIN}\n{page.text(RUN)}\n{page.END}" in TEXT
    assert f"{page.BEGIN}\n{page.compared(RUN)}\n{page.END}" in page.COMPARISON.read_text()


def test_turns_are_shown_where_they_were_run() -> None:
    """Beside the sizes, whose rows are in a table of their own."""
    part = "beside a bare program with the same watches, 5 turns, API server: real; median (lowest-highest)"
    row = {"part": part, "what": "the controller's speed over the bare one's", "figure": "0.90", "note": "goal"}
    shown = page.text({**RUN, "rows": [*RUN["rows"], row]})
    assert f"B{part[1:]}:\n" in shown
    assert "| the controller's speed over the bare one's | 0.90 | goal |" in shown
    assert max(len(line) for line in shown.splitlines() if not line.startswith("|")) <= 100


def test_the_curves_are_drawn_from_the_committed_run() -> None:
    """The picture names the run that it was drawn from, and the page shows it."""
    (picture,) = re.findall(r"\]\((bench/\S+\.svg)\)", TEXT)
    drawn = (page.PAGE.parent / picture).read_text()
    assert re.findall(r"<dc:description>(\w+)</dc:description>", drawn) == [DIGEST]


def test_there_are_sizes_to_compare() -> None:
    """A tenth of the others each, or about that: growth shows over decades."""
    sizes = [size["namespaces"] for size in RUN["growth"]]
    assert sizes[0] == 100
    assert len(sizes) > 1
    assert all(3 * one <= other for one, other in pairwise(sizes))


@pytest.mark.parametrize("figure", GROWING, ids=lambda each: each.name)
def test_no_figure_grows_faster_than_the_number_of_namespaces(figure: Figure) -> None:
    """From the smallest size to the largest."""
    assert page.exponent_of(RUN, figure) <= LINEAR


def test_memory_is_within_what_the_page_on_scaling_reckons_with() -> None:
    """A line through the smallest and the largest size; sizes that are near each other tell nothing of its slope."""
    first, last = RUN["growth"][0], RUN["growth"][-1]
    assert first["resident"] <= BASE_MIB
    if last["namespaces"] >= 2000:
        more = (last["resident"] - first["resident"]) * 1024
        assert more / (last["namespaces"] - first["namespaces"]) <= KIB_PER_NAMESPACE


def test_counts_of_the_committed_run_were_as_promised() -> None:
    """No call to AWS and no write after a restart, no request at rest; the memory is judged above."""
    assert [each for each in RUN["failed"] if "requests" in each or "restart" in each or "calls" in each] == []


def test_each_figure_that_is_compared_has_its_counterpart_in_each_size() -> None:
    """Whose ratio is shown."""
    compared = [each for each in FIGURES if each.bare]
    assert len(compared) > 10
    assert all(each.judged(size) > 0 for each in compared for size in RUN["growth"])


def test_the_page_gives_the_commands_that_write_it() -> None:
    """As the Makefile has them."""
    commands = re.findall(r"^\$ make (\S+)", TEXT, re.MULTILINE)
    targets = re.findall(r"^([a-z-]+):", Path("Makefile").read_text(), re.MULTILINE)
    assert commands == ["bench", "bench-curves"]
    assert set(commands) <= set(targets)
    assert json.loads(page.DATA.read_text())["about"]["processors"] > 0
