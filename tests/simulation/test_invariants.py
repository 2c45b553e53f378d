"""The invariants of the design, each over twelve days of faults, and in a small run with a sharp bound.

The sixth is about RBAC, which only a real API server can test.
"""

import pytest

from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.namespace.namespace import PREFIX
from testsupport.simulation import check_objects, check_tokens
from testsupport.simulation.record import CONTROLLER, Record, Status
from testsupport.simulation.scenarios import (
    FRANKFURT,
    IRELAND,
    NEW_AT,
    PUBLIC,
    SEEDS,
    faultless,
    faulty,
    first_waits,
    half_a_year,
    opted_in,
    overtaken,
    quiet,
    team,
)
from testsupport.simulation.script import WRONG, Action, act_on, misconfigure, opt_in, opt_out
from testsupport.simulation.world import Restart, Run, simulate
from testsupport.virtual_time import DAY, HOUR, MINUTE

SECONDS = 5.0
"""Upper bound for what happens at once."""

every_seed = pytest.mark.parametrize(
    "seed", [SEEDS[0], *(pytest.param(seed, marks=pytest.mark.slow) for seed in SEEDS[1:])]
)


@every_seed
def test_invariant_01_never_stale(seed: int) -> None:
    """No managed Secret holds an expired token if AWS was reachable for long enough in its second half.

    Long enough is the controller's longest backoff: it learns that AWS is reachable only when it calls. See
    `check_tokens.never_stale`.
    """
    assert list(check_tokens.never_stale(faulty(seed))) == []


@pytest.mark.parametrize("life", [20 * MINUTE, HOUR, 12 * HOUR])
def test_invariant_01_never_stale_whatever_the_lifetime(life: float) -> None:
    """While AWS is reachable no Secret ever holds an expired token, whatever the lifetime of a token."""
    record = simulate(quiet(opted_in(10, IRELAND, PUBLIC), 2 * DAY, life=life))
    ages = [until - record.issued[secret.auths[IRELAND]].issued_at for secret, until in record.lives()]
    assert max(ages) < min(life, 6 * HOUR + 11 * MINUTE)


@every_seed
def test_invariant_02_never_worse(seed: int) -> None:
    """No write puts in a token that expires earlier or removes a registry that is still required."""
    assert list(check_tokens.never_worse(faulty(seed))) == []


@every_seed
def test_invariant_03_only_ours(seed: int) -> None:
    """No Secret without the controller's label is ever written or deleted."""
    assert list(check_objects.only_ours(faulty(seed))) == []


def test_invariant_03_conflict_is_reported_and_resolved() -> None:
    """A foreign or immutable Secret is reported, and a new one follows within seconds of its deletion."""
    actions = opted_in(3, IRELAND)
    actions += [act_on(HOUR, "replace", team(0)), act_on(HOUR, "strip", team(1)), act_on(HOUR, "freeze", team(2))]
    actions += [act_on(DAY, "free", team(number)) for number in range(3)]
    record = simulate(quiet(actions, 2 * DAY))
    for number in range(3):
        events = [event.body["reason"] for event in record.events(team(number)) if HOUR < event.at < DAY]
        assert "SecretConflict" in events
        after = record.secret_at(team(number), DAY + SECONDS)
        assert after is not None
        assert (after.managed, after.immutable, after.writer) == (True, False, CONTROLLER)
    assert list(check_objects.only_ours(record)) == []


@every_seed
def test_invariant_04_in_place(seed: int) -> None:
    """A Secret keeps its UID over every rotation and is never deleted while it is required."""
    assert list(check_objects.in_place(faulty(seed))) == []


def test_invariant_04_in_place_over_half_a_year() -> None:
    """After half a year of rotations each Secret is still the object that was created first."""
    uids = {name: {secret.uid for secret in secrets} for name, secrets in half_a_year().secrets.items()}
    assert [len(found) for found in uids.values()] == [1] * 8


@every_seed
def test_invariant_05_hands_off_namespaces(seed: int) -> None:
    """No request changes anything but a pull Secret or an Event, a Namespace least of all."""
    assert list(check_objects.hands_off(faulty(seed))) == []


@every_seed
def test_invariant_07_the_token_is_only_in_the_secret(seed: int) -> None:
    """No log record, Event, annotation, path or repr of the controller's memory contains a password."""
    record = faulty(seed)
    assert list(check_tokens.token_is_only_in_the_secret(record)) == []
    assert len(record.texts) > 1000


def test_invariant_08_few_calls() -> None:
    """Half a year takes one call per region and rotation, and one write without a read per rotated Secret."""
    record = half_a_year()
    scopes = {call.scope for call in record.aws_calls}
    assert list(check_tokens.one_call_serves_all(record)) == []
    assert len(record.aws_calls) <= len(scopes) * (182 * 4.3 + 1)
    versions = sum(map(len, record.secrets.values()))
    assert (len(record.secret_requests("patch")), len(record.secret_requests("get"))) == (versions, 0)
    assert list(check_tokens.each_write_replaces_what_is_due(record)) == []


def test_invariant_08_few_calls_after_a_restart() -> None:
    """A restart with fresh Secrets makes no call to AWS and no write."""
    start, restarts = HOUR, [Restart(at=HOUR + number * MINUTE) for number in range(1, 60)]
    record = simulate(Run(seed=1, end=4 * HOUR, actions=opted_in(100), restarts=restarts))
    assert [call for call in record.aws_calls if call.at > start] == []
    assert [ask for ask in record.requests if ask.at > start and ask.verb != "list"] == []


def test_invariant_09_first_secret_first() -> None:
    """A newly opted-in namespace waits for about one write, ahead of 1,500 overdue rotations."""
    record = overtaken()
    assert max(first_waits(record)) < 0.6
    assert len([ask for ask in record.secret_requests("patch") if ask.at > NEW_AT + 3]) > 500


@every_seed
def test_invariant_10_bad_input_creates_nothing(seed: int) -> None:
    """No namespace with invalid annotations gets a Secret."""
    assert list(check_objects.bad_input_creates_nothing(faulty(seed))) == []


@pytest.mark.parametrize("wrong", WRONG)
def test_invariant_10_bad_input_harms_nobody(wrong: dict[str, str]) -> None:
    """Invalid annotations are reported and create nothing; an existing Secret and the other namespaces' rotate on."""
    actions = [*opted_in(2, IRELAND), misconfigure(0.5, "new", wrong), misconfigure(HOUR, team(0), wrong)]
    record = simulate(quiet(actions, 3 * DAY))
    for name in ("new", team(0)):
        assert {event.body["reason"] for event in record.events(name)} >= {"InvalidAnnotation"}
        assert record.states[name] == "misconfigured"
    assert "new" not in record.secrets
    assert len(record.secrets[team(0)]) == len(record.secrets[team(1)]) == 12
    assert list(check_tokens.never_stale(record)) == []


@every_seed
def test_invariant_11_opt_out_cleans_up(seed: int) -> None:
    """After an opt-out the Secret is deleted, with its UID and resourceVersion as preconditions."""
    record = faulty(seed)
    patience = record.relist_interval + 6 * MINUTE
    assert list(check_objects.opted_out_is_gone(record, patience)) == []
    assert list(check_objects.deletes_just_what_was_seen(record)) == []
    assert record.secret_requests("delete")


def test_invariant_11_opt_out_leaves_strangers_alone() -> None:
    """An opt-out takes seconds and does not touch a foreign Secret."""
    actions = [*opted_in(2), act_on(HOUR, "replace", team(0)), *(opt_out(DAY, team(number)) for number in range(2))]
    record = simulate(quiet(actions, 2 * DAY))
    stranger = record.secret_at(team(0), record.end)
    assert stranger is not None
    assert not stranger.managed
    assert record.secret_at(team(1), DAY + SECONDS) is None


@every_seed
def test_invariant_12_level_triggered(seed: int) -> None:
    """After lost, late and repeated events, outages and restarts, every Secret is as its namespace asks."""
    record = faulty(seed)
    assert list(check_objects.converged(record)) == []
    assert check_objects.end_states(record) == check_objects.end_states(faultless(seed))


@pytest.mark.parametrize("tampering", ["delete", "edit", "edit-annotations", "garble-annotations"])
def test_a_changed_secret_is_back_within_seconds_without_a_call(tampering: str) -> None:
    """A deleted or edited Secret is repaired from the cached token."""
    record = simulate(quiet([*opted_in(1), act_on(HOUR, tampering, team(0))], 2 * HOUR))
    repaired = record.secrets[team(0)][-1]
    assert (repaired.writer, repaired.at < HOUR + SECONDS, len(record.aws_calls)) == (CONTROLLER, True, 1)


def test_a_refresh_request_is_answered_once() -> None:
    """A new value of `refresh-requested-at` brings one fresh token at once and no second one, even after a restart."""
    actions: list[Action] = [*opted_in(2), opt_in(HOUR, team(0), IRELAND, refresh="now")]
    record = simulate(Run(seed=1, end=3 * HOUR, actions=actions, restarts=[Restart(at=2 * HOUR)]))
    fresh = record.secrets[team(0)][-1]
    assert HOUR < record.issued[fresh.auths[IRELAND]].issued_at < fresh.at < HOUR + SECONDS
    assert fresh.annotations[f"{PREFIX}refresh-requested-at"] == "now"
    assert len(record.aws_calls) == 2


def test_a_run_is_reproducible() -> None:
    """The same seed gives the same record, so that a failure can be debugged."""
    first, second = (simulate(quiet(opted_in(20, IRELAND, FRANKFURT), 2 * DAY, settings=Settings())) for _ in range(2))
    assert _digest(first) == _digest(second)


def _digest(record: Record) -> list[tuple[float, str, Status | str]]:
    return [(secret.at, secret.namespace, secret.uid) for secret, _ in record.lives()]
