"""Each checker reports a controller that breaks its rule, and nothing of the real one in the same run."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.ecr.rotation import Rotation
from pullkeeper.domain.secret import entries, judgement
from pullkeeper.domain.secret.desired_state import desired_state
from testsupport.simulation import check_objects, check_tokens, mutants
from testsupport.simulation.faults import FaultRates, Faults
from testsupport.simulation.record import Period, Record
from testsupport.simulation.scenarios import FRANKFURT, IRELAND, first_waits, opted_in, overdue, overtaken, quiet, team
from testsupport.simulation.script import HOSTS, Action, act_on, misconfigure, opt_in, opt_out
from testsupport.simulation.world import Run, simulate
from testsupport.virtual_time import DAY, HOUR, MINUTE

pytestmark = pytest.mark.slow

Checker = Callable[[Record], Iterable[object]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Mutant:
    """Something broken, a run in which it matters, and the checker that must report it."""

    run: Run
    checker: Checker
    classes: Mapping[str, type] = field(default_factory=dict)
    """Broken classes, by the names of those that they replace in the container's module."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings that break a rule."""

    def broken(self) -> Run:
        """Return the run of the broken controller."""
        return replace(self.run, mutation=self.classes, settings=replace(self.run.settings, **self.settings))


def _events_all_lost(actions: list[Action], end: float, relist: float) -> Run:
    settings = Settings(relist_interval=timedelta(seconds=relist))
    return Run(seed=1, end=end, actions=actions, faults=Faults(rates=FaultRates(event_lost=1.0)), settings=settings)


def _waited(record: Record) -> list[float]:
    return [wait for wait in first_waits(record) if wait > 1]


def _still_there(record: Record) -> Iterable[str]:
    return check_objects.opted_out_is_gone(record, MINUTE)


_TEAMS = opted_in(4, IRELAND, FRANKFURT)
_DAYS = quiet(_TEAMS, 2 * DAY)
_STRANGERS = quiet([*_TEAMS, act_on(HOUR, "replace", team(0)), act_on(HOUR, "strip", team(1))], DAY)
_OPTING_OUT = quiet([*_TEAMS, opt_out(HOUR, team(0))], 2 * HOUR)
_STRIPPED = [act_on(6 * HOUR, "strip", team(number)) for number in range(20)]
_STRIPPED_UNSEEN = _events_all_lost([*opted_in(20), *_STRIPPED], 6.2 * HOUR, 5.8 * HOUR)
_JOINING_UNSEEN = _events_all_lost([*_TEAMS, opt_in(HOUR, "new", IRELAND)], 2 * HOUR, 10 * MINUTE)
_EARLY = {"rotation": Rotation(max_token_age=timedelta(hours=2))}

MUTANTS = {
    "01 rotates too late": Mutant(
        settings={"rotation": Rotation(fraction=1.1, max_token_age=timedelta(days=2))},
        run=_DAYS,
        checker=check_tokens.never_stale,
    ),
    "02 drops a registry": Mutant(
        classes={"PullSecretClient": mutants.DropsARegistry}, run=_DAYS, checker=check_tokens.never_worse
    ),
    "03 ignores labels": Mutant(
        classes={"secret_cache": mutants.IgnoresLabels}, run=_STRANGERS, checker=check_objects.only_ours
    ),
    "03 ignores versions": Mutant(
        classes={"PullSecretClient": mutants.IgnoresVersions}, run=_STRIPPED_UNSEEN, checker=check_objects.only_ours
    ),
    "04 deletes and creates": Mutant(
        classes={"PullSecretClient": mutants.DeletesAndCreates}, run=_DAYS, checker=check_objects.in_place
    ),
    "05 touches Namespaces": Mutant(
        classes={"PullSecretClient": mutants.TouchesNamespaces}, run=_DAYS, checker=check_objects.hands_off
    ),
    "07 logs what it writes": Mutant(
        classes={"PullSecretClient": mutants.LogsWhatItWrites},
        run=_DAYS,
        checker=check_tokens.token_is_only_in_the_secret,
    ),
    "08 shares no token": Mutant(
        classes={"TokenCache": mutants.FetchesForEachCaller}, run=_DAYS, checker=check_tokens.one_call_serves_all
    ),
    "08 calls too often": Mutant(settings=_EARLY, run=_DAYS, checker=check_tokens.one_call_serves_all),
    "08 writes too often": Mutant(settings=_EARLY, run=_DAYS, checker=check_tokens.each_write_replaces_what_is_due),
    "09 has one priority": Mutant(classes={"Reconciler": mutants.HasOnePriority}, run=overdue(), checker=_waited),
    "11 never deletes": Mutant(classes={"Reconciler": mutants.NeverDeletes}, run=_OPTING_OUT, checker=_still_there),
    "11 deletes blindly": Mutant(
        classes={"PullSecretClient": mutants.DeletesBlindly},
        run=_OPTING_OUT,
        checker=check_objects.deletes_just_what_was_seen,
    ),
    "12 never relists": Mutant(
        classes={"NamespaceRelister": mutants.NeverRelists}, run=_JOINING_UNSEEN, checker=check_objects.converged
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_mutant_is_reported(name: str) -> None:
    """The checker reports the broken controller and not the real one."""
    mutant = MUTANTS[name]
    assert list(mutant.checker(simulate(mutant.broken())))
    real = overtaken() if mutant.checker is _waited else simulate(mutant.run)
    assert list(mutant.checker(real)) == []


def test_02_an_earlier_expiry_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """A controller that writes any token it gets, even one that expires earlier, breaks "never worse"."""
    short = [Period(start=5 * HOUR, end=7 * HOUR, reason="ShortLife")]
    run = replace(_DAYS, actions=opted_in(4, *HOSTS), end=7 * HOUR, faults=Faults(aws=short))
    assert list(check_tokens.never_worse(simulate(run))) == []
    monkeypatch.setattr(entries, "plan_entries", mutants.plan_with_any_token)
    assert list(check_tokens.never_worse(simulate(run)))


def test_10_a_guess_on_bad_input_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """A controller that falls back to a default on invalid annotations breaks "creates nothing"."""
    actions = [misconfigure(0.0, team(0), {"enabled": "yes"}), act_on(HOUR, "delete", team(0))]
    run = replace(_DAYS, actions=actions, settings=Settings())
    assert list(check_objects.bad_input_creates_nothing(simulate(run))) == []
    monkeypatch.setattr(judgement, "desired_state", mutants.guess_on_bad_input(desired_state))
    assert list(check_objects.bad_input_creates_nothing(simulate(run)))


def test_01_only_an_outage_excuses_an_expired_token() -> None:
    """An expired token is excused if AWS was down from half of its lifetime on, and not otherwise."""
    outage = Period(start=5 * HOUR, end=20 * HOUR, reason="ServiceError")
    run = replace(_DAYS, faults=Faults(aws=[outage]), settings=Settings())
    record = simulate(run)
    assert record.issued[record.secrets[team(0)][0].auths[IRELAND]].expires_at < outage.end
    assert list(check_tokens.never_stale(record)) == []
    record.aws_down[0] = replace(outage, start=8 * HOUR)
    assert list(check_tokens.never_stale(record))
