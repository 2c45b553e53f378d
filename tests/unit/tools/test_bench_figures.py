"""How the bench sums up what it has measured."""

from typing import Any, cast

import pytest

from testsupport.rest import Answer, RestClient
from tools.bench import page
from tools.bench.page import GROWING, Figure
from tools.bench.secret_watcher import SecretWatcher
from tools.bench.sizes import Waits, exponent


def _run(**by_size: Any) -> dict[str, Any]:
    names = list(by_size)
    sizes = [dict(zip(names, values, strict=True)) for values in zip(*by_size.values(), strict=True)]
    return {"growth": sizes}


@pytest.mark.parametrize(("last", "expected"), [(5.0, 0.0), (50.0, 1.0), (500.0, 2.0), (0.5, -1.0)])
def test_the_exponent_is_0_where_flat_and_1_where_linear(last: float, expected: float) -> None:
    """Ten times as many."""
    assert exponent((100, 5.0), (1000, last)) == pytest.approx(expected)


def test_with_few_waits_the_slowest_is_the_worst() -> None:
    """Of 99 the 99th percentile would say no more."""
    few = Waits.of([0.01] * 98 + [0.5])
    assert (few.slow, few.slow_name) == (0.5, "worst of 99")


def test_with_many_waits_the_slowest_is_the_99th_percentile() -> None:
    """One in two hundred is beyond it."""
    many = Waits.of([0.01] * 199 + [0.5])
    assert (many.slow, many.slow_name) == (0.01, "p99")


def test_a_figure_that_is_compared_is_judged_by_its_ratio() -> None:
    """And shown by itself, in its own unit."""
    figure = Figure(name="x", path="ours.slow", unit="ms", scale=1000, bare="bare.slow")
    size = {"ours": {"slow": 0.02}, "bare": {"slow": 0.01}}
    assert (figure.value(size), figure.judged(size)) == (20, 2)


def test_growth_is_from_the_smallest_size_to_the_largest() -> None:
    """What happens between is shown, and not held to anything."""
    figure = Figure(name="x", path="resident", unit="MiB")
    run = _run(namespaces=(100, 1000, 10_000), resident=(80.0, 90.0, 8000.0))
    assert page.exponent_of(run, figure) == pytest.approx(1.0)
    assert page.exponents(run, figure)[1] > 1.9


def test_growth_is_judged_from_the_least_size_on_and_above_the_floor() -> None:
    """Where one size is left, nothing grows."""
    run = _run(namespaces=(100, 1000, 10_000), resident=(0.0, 50.0, 90.0))
    late = Figure(name="x", path="resident", unit="MiB", least=1000)
    assert page.exponents(run, late) == [pytest.approx(0.255, abs=0.001)]
    assert page.exponent_of(run, Figure(name="x", path="resident", unit="MiB", least=10_000)) == 0
    assert page.exponent_of(run, Figure(name="x", path="resident", unit="MiB", floor=100)) == 0


def test_no_figure_is_compared_with_rest_and_drawn_again() -> None:
    """Each curve once."""
    assert len({each.path for each in GROWING}) == len(GROWING)


async def test_a_watch_that_breaks_ends_the_measurement() -> None:
    """Rather than count nothing from then on: a wait would end after minutes, and blame the controller."""

    class BrokenApi:
        async def get(self, *_: object, **__: object) -> Answer:
            return Answer(status=200, headers={}, body={"metadata": {"resourceVersion": "1"}})

        def watch(self, *_: object, **__: object) -> None:
            raise ConnectionError("broken")

    with pytest.raises(ExceptionGroup) as raised:
        async with SecretWatcher.open(cast("RestClient", BrokenApi()), "secret", ["team-a"]) as watcher:
            await watcher.all_written(1)
    assert raised.group_contains(ConnectionError)
