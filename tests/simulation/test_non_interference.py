"""Invariant 13: hostile namespaces change nothing for the honest ones, and cost no more than their budget."""

from collections.abc import Callable, Iterable
from functools import cache

import pytest

from testsupport.simulation import check_interference, check_tokens
from testsupport.simulation.tenancy import Records, pair, run

SEEDS = range(1, 6)
MANY_SEEDS = range(6, 206)

CHECKERS: tuple[Callable[[Records], Iterable[str]], ...] = (
    lambda records: check_interference.same_tokens(records.alone, records.beside),
    lambda records: check_interference.not_entitled(records.beside),
    lambda records: check_interference.unserved(records.beside),
    lambda records: check_interference.over_budget(records.alone, records.beside),
    lambda records: check_tokens.token_is_only_in_the_secret(records.beside),
)


@cache
def run_seed(seed: int) -> Records:
    """Run a seed with and without hostile namespaces."""
    return run(pair(seed))


def faults(records: Records) -> list[str]:
    """Return whatever any checker reports."""
    return [found for checker in CHECKERS for found in checker(records)]


@pytest.mark.parametrize("seed", SEEDS)
def test_invariant_13_non_interference(seed: int) -> None:
    """The honest namespaces get the same tokens at the same times, and the hostile ones stay within their budget."""
    assert faults(run_seed(seed)) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", MANY_SEEDS)
def test_invariant_13_non_interference_over_many_seeds(seed: int) -> None:
    """The same for many seeds."""
    assert faults(run(pair(seed))) == []


def test_the_runs_are_worth_comparing() -> None:
    """The honest namespaces rotate, and the hostile ones make AWS refuse, and the controller write and report."""
    reasons: set[str | None] = set()
    for alone, beside in ((run_seed(seed).alone, run_seed(seed).beside) for seed in SEEDS):
        assert len([secret for secret, _ in alone.lives() if secret.namespace.startswith("team-")]) > 30
        assert len(beside.requests) > 2 * len(alone.requests)
        assert len(beside.log_lines) > 2 * len(alone.log_lines)
        reasons |= {call.reason for call in beside.aws_calls}
    assert reasons == {None, "ClientError", "ConnectTimeoutError", "EndpointConnectionError"}
