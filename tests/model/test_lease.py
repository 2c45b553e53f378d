"""The model of the Lease holds, its runs are what the real LeaderElector does, and broken models are found out."""

import json
from collections.abc import Iterator
from pathlib import Path
from random import SystemRandom

import pytest

from pullkeeper.domain.kube import lease
from testsupport.model.itf import read_states
from testsupport.model.quint import Exploration, explore
from testsupport.model.replay import DivergedError, replay

STEPS = 200
KEPT = 40
REPORT = Path("build/model.json")


@pytest.fixture(scope="module")
def seed(request: pytest.FixtureRequest) -> str:
    """Draw a seed, or take that of an earlier run."""
    return request.config.getoption("--model-seed") or hex(SystemRandom().getrandbits(50))


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("traces")


@pytest.fixture(scope="module")
def exploration(request: pytest.FixtureRequest, seed: str, traces: Path) -> Iterator[Exploration]:
    """Explore the sound model, and keep some of the runs."""
    samples = request.config.getoption("--model-samples")
    print(f"\nseed {seed}: --model-seed={seed} does the same again")
    found = explore(
        "sound",
        invariants=("oneLeader", "neverWorse"),
        seed=seed,
        samples=samples,
        steps=STEPS,
        witnesses=("handedOver", "leaderFrozen", "lateWrite"),
        traces=traces,
        kept=KEPT,
    )
    yield found
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps({"seed": seed, "runs": samples, "steps": STEPS, "replayed": KEPT}))


def test_no_two_lead_and_no_write_is_worse(exploration: Exploration) -> None:
    """With clocks that differ by an eighth either way, through losses, cuts and freezes, on every run."""
    assert not exploration.violated, exploration.output


def test_the_runs_come_by_what_they_are_about(exploration: Exploration) -> None:
    """The second replica takes over, leaders freeze, and writes arrive late."""
    assert min(exploration.witnessed.values()) > 5, exploration.output
    assert len(exploration.witnessed) == 3


def test_the_real_elector_does_what_the_model_does(exploration: Exploration, traces: Path) -> None:
    """The same requests at the same times, and the same answer to who leads, after each step of each run."""
    assert not exploration.violated
    found = sorted(traces.glob("*.itf.json"))
    assert len(found) == KEPT
    for trace in found:
        assert replay(read_states(trace)) == STEPS + 1


def test_an_elector_of_another_mind_is_noticed(
    exploration: Exploration, traces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that acts for longer than the model allows."""
    assert not exploration.violated
    monkeypatch.setattr(lease, "_RENEW_DEADLINE_SHARE", 0.8)
    runs = [read_states(trace) for trace in sorted(traces.glob("*.itf.json"))]
    with pytest.raises(DivergedError):
        sum(map(replay, runs))


@pytest.mark.parametrize(
    ("module", "invariant"),
    [("drifting", "oneLeader"), ("actingTooLong", "oneLeader"), ("unconditional", "neverWorse")],
)
def test_as_many_runs_find_out_a_broken_model(
    request: pytest.FixtureRequest, seed: str, module: str, invariant: str
) -> None:
    """So many that the rarest fault is come by some fifteen times: of clocks that drift too far, once in 205 runs."""
    samples = request.config.getoption("--model-samples")
    found = explore(module, invariants=(invariant,), seed=seed, samples=samples, steps=STEPS)
    assert found.violated == {invariant}, found.output
