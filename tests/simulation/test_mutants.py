"""Each checker notices a controller that breaks its rule, and finds nothing to say of the real one in the same run."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.secret import entries
from pullkeeper.domain.secret.desired_state import desired_state
from pullkeeper.reconcile import reconciler
from testsupport.simulation import check_objects, check_tokens, mutants
from testsupport.simulation.record import Record, Span
from testsupport.simulation.scenarios import FRANKFURT, IRELAND, first_waits, opted_in, overdue, overtaken, quiet, team
from testsupport.simulation.script import HOSTS, Act, asking, doing, erring, leaving
from testsupport.simulation.weather import Chances, Weather
from testsupport.simulation.world import Run, simulate
from testsupport.virtual_time import DAY, HOUR, MINUTE

Checker = Callable[[Record], Iterable[object]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Mutant:
    """A part that is broken, a run in which it matters, and the checker that is to notice."""

    run: Run
    checker: Checker
    classes: Mapping[str, type] = field(default_factory=dict)
    """Broken classes, by the names of those that they replace in the container's module."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings that break a rule."""

    def broken(self) -> Run:
        """Return the run of the broken controller."""
        return replace(self.run, mutation=self.classes, settings=replace(self.run.settings, **self.settings))


def _events_all_lost(acts: list[Act], end: float, audit: float) -> Run:
    settings = Settings(relist_interval=timedelta(seconds=audit))
    return Run(seed=1, end=end, acts=acts, weather=Weather(chances=Chances(event_lost=1.0)), settings=settings)


def _waited(record: Record) -> list[float]:
    return [wait for wait in first_waits(record) if wait > 1]


def _still_there(record: Record) -> Iterable[str]:
    return check_objects.opted_out_is_gone(record, MINUTE)


_TEAMS = opted_in(4, IRELAND, FRANKFURT)
_DAYS = quiet(_TEAMS, 2 * DAY)
_STRANGERS = quiet([*_TEAMS, doing(HOUR, "replace", team(0)), doing(HOUR, "strip", team(1))], DAY)
_LEAVING = quiet([*_TEAMS, leaving(HOUR, team(0))], 2 * HOUR)
_STRIPPED = [doing(6 * HOUR, "strip", team(number)) for number in range(20)]
_STRIPPED_UNSEEN = _events_all_lost([*opted_in(20), *_STRIPPED], 6.2 * HOUR, 5.8 * HOUR)
_JOINING_UNSEEN = _events_all_lost([*_TEAMS, asking(HOUR, "new", IRELAND)], 2 * HOUR, 10 * MINUTE)
_EARLY = {"max_token_age": timedelta(hours=2)}

MUTANTS = {
    "01 rotates too late": Mutant(
        settings={"refresh_fraction": 1.1, "max_token_age": timedelta(days=2)},
        run=_DAYS,
        checker=check_tokens.never_stale,
    ),
    "02 drops a registry": Mutant(
        classes={"PullSecretClient": mutants.DropsARegistry}, run=_DAYS, checker=check_tokens.never_worse
    ),
    "03 takes every Secret for ours": Mutant(
        classes={"secret_cache": mutants.TakesEverySecretForOurs}, run=_STRANGERS, checker=check_objects.only_ours
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
        classes={"TokenCache": mutants.SharesNothing}, run=_DAYS, checker=check_tokens.one_call_serves_all
    ),
    "08 calls too often": Mutant(settings=_EARLY, run=_DAYS, checker=check_tokens.one_call_serves_all),
    "08 writes too often": Mutant(settings=_EARLY, run=_DAYS, checker=check_tokens.each_write_replaces_what_is_due),
    "09 has one lane": Mutant(classes={"Reconciler": mutants.HasOneLane}, run=overdue(), checker=_waited),
    "11 keeps what is opted out": Mutant(
        classes={"Reconciler": mutants.KeepsWhatIsOptedOut}, run=_LEAVING, checker=_still_there
    ),
    "11 deletes blindly": Mutant(
        classes={"PullSecretClient": mutants.DeletesBlindly},
        run=_LEAVING,
        checker=check_objects.deletes_just_what_was_seen,
    ),
    "12 trusts the watch": Mutant(
        classes={"NamespaceRelister": mutants.TrustsTheWatch}, run=_JOINING_UNSEEN, checker=check_objects.converged
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_part_is_noticed(name: str) -> None:
    """The checker finds something in the run with the broken part, and nothing without."""
    mutant = MUTANTS[name]
    assert list(mutant.checker(simulate(mutant.broken())))
    real = overtaken() if mutant.checker is _waited else simulate(mutant.run)
    assert list(mutant.checker(real)) == []


def test_02_an_earlier_death_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A controller that writes any token it can get, be it worse than what is there, breaks "never worse"."""
    short = [Span(start=5 * HOUR, end=7 * HOUR, reason="ShortLife")]
    run = replace(_DAYS, acts=opted_in(4, *HOSTS), end=7 * HOUR, weather=Weather(aws=short))
    assert list(check_tokens.never_worse(simulate(run))) == []
    monkeypatch.setattr(entries, "plan_entries", mutants.takes_any_token)
    assert list(check_tokens.never_worse(simulate(run)))


def test_10_a_guess_on_bad_input_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A controller that makes something up where the annotations are wrong breaks "creates nothing"."""
    acts = [erring(0.0, team(0), {"enabled": "yes"}), doing(HOUR, "delete", team(0))]
    run = replace(_DAYS, acts=acts, settings=Settings())
    assert list(check_objects.bad_input_creates_nothing(simulate(run))) == []
    monkeypatch.setattr(reconciler, "desired_state", mutants.guesses_on_bad_input(desired_state))
    assert list(check_objects.bad_input_creates_nothing(simulate(run)))


def test_01_an_outage_is_an_excuse_and_an_end_of_it_is_none() -> None:
    """Stale is excused while AWS is away from the middle of a token's life on, and no longer."""
    outage = Span(start=5 * HOUR, end=20 * HOUR, reason="ServiceError")
    run = replace(_DAYS, weather=Weather(aws=[outage]), settings=Settings())
    record = simulate(run)
    assert record.issued[record.secrets[team(0)][0].auths[IRELAND]].expires_at < outage.end
    assert list(check_tokens.never_stale(record)) == []
    record.aws_down[0] = replace(outage, start=8 * HOUR)
    assert list(check_tokens.never_stale(record))
