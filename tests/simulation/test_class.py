"""An installation with a class in a faulty season: the invariants hold for its namespaces alone."""

from dataclasses import replace
from functools import cache

import pytest

from pullkeeper.domain.config.policy import Policy
from pullkeeper.domain.config.settings import Settings
from testsupport.simulation import check_objects, check_tokens
from testsupport.simulation.record import CONTROLLER, Record
from testsupport.simulation.scenarios import IRELAND, QUIET, faulty_season, opted_in, quiet, team
from testsupport.simulation.script import Action, opt_in
from testsupport.simulation.world import simulate
from testsupport.virtual_time import DAY, HOUR

pytestmark = pytest.mark.slow

SEED = 2
CANARY = Policy(installation_class="canary")


def of_class(action: Action) -> Action:
    """Let whoever annotates a namespace name the class, too."""
    return (
        replace(action, annotations=(*action.annotations, ("class", "canary"))) if action.do == "annotate" else action
    )


def is_ours(name: str) -> bool:
    return sum(map(ord, name)) % 2 == 0


@cache
def faulty() -> Record:
    """Return a season in which every other namespace is of the class."""
    run = faulty_season(SEED)
    actions = [of_class(action) if is_ours(action.name) else action for action in run.actions]
    return simulate(replace(run, actions=actions, settings=Settings(policy=CANARY)))


def ours(record: Record) -> Record:
    """Return the record of the namespaces of the class."""
    namespaces = {name: versions for name, versions in record.namespaces.items() if is_ours(name)}
    secrets = {name: versions for name, versions in record.secrets.items() if is_ours(name)}
    return replace(record, namespaces=namespaces, secrets=secrets)


def test_the_invariants_hold_within_the_class() -> None:
    """With the restarts, after which it is read from the Namespaces and Secrets again."""
    record = ours(faulty())
    assert len([each for each, _ in record.lives() if each.writer == CONTROLLER]) > 200
    assert list(check_tokens.never_stale(record)) == []
    assert list(check_tokens.never_worse(record)) == []
    assert list(check_objects.only_ours(record)) == []
    assert list(check_objects.in_place(record)) == []
    assert list(check_objects.bad_input_creates_nothing(record)) == []
    assert list(check_objects.converged(record)) == []


def test_nothing_is_written_for_others() -> None:
    """Neither a Secret, nor an Event, nor a state: whatever they ask for, and whatever is wrong with it."""
    record = faulty()
    others = [name for name in record.namespaces if not is_ours(name)]
    assert len(others) > 5
    writers = {each.writer for name in others for each in record.secrets.get(name, ())}
    assert CONTROLLER not in writers
    assert [name for name in others if record.events(name)] == []
    assert record.states.keys() & set(others) == set()


def test_a_namespace_that_leaves_keeps_its_secret_while_it_is_good() -> None:
    """Then nobody has taken it over, and it is deleted; those that stay are rotated all along."""
    leaving = replace(opt_in(HOUR, team(0), IRELAND), annotations=(("enabled", "true"), ("class", "other")))
    actions = [*map(of_class, opted_in(3, IRELAND)), leaving]
    record = simulate(quiet(actions, 2 * DAY, settings=replace(QUIET, policy=CANARY)))
    first, last = record.secrets[team(0)]
    expires_at = record.issued[first.auths[IRELAND]].expires_at
    assert (last.gone, last.writer) == (True, CONTROLLER)
    assert expires_at <= last.at < expires_at + HOUR
    for number in (1, 2):
        versions = record.secrets[team(number)]
        assert len(versions) > 7
        assert not any(each.gone for each in versions)
