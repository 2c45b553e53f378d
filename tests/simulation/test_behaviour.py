"""Rotation, failures and memory, beyond the invariants."""

from collections import Counter
from itertools import pairwise

import pytest

from testsupport.simulation import check_tokens
from testsupport.simulation.faults import Faults
from testsupport.simulation.record import CONTROLLER, Period, Record
from testsupport.simulation.scenarios import FRANKFURT, IRELAND, QUIET, opted_in, quiet, team
from testsupport.simulation.script import Action, act_on, misconfigure, opt_in, opt_out
from testsupport.simulation.world import Restart, Run, World, simulate
from testsupport.virtual_time import DAY, HOUR, MINUTE

pytestmark = pytest.mark.slow

EUROPE = "eu-west-1"
BOUNDED_ON_PURPOSE = "EventRecorder._series"
"""Keeps up to 20,000 Events, so that a repeated one is counted instead of created."""
RECONCILES_PER_MINUTE = 4
"""Most reconciliations of a namespace while nothing can be done for it; each takes about a millisecond."""


def test_a_big_rotation_is_spread_over_its_window_and_ends_before_expiry() -> None:
    """2,000 namespaces are rotated evenly within ten minutes, with one call to AWS."""
    record = simulate(quiet(opted_in(2000, apart=0.001), 7 * HOUR))
    rotations = [secret.at for secret, _ in record.lives() if secret.at > HOUR]
    minutes = Counter(int((at - 6 * HOUR) // MINUTE) for at in rotations)
    assert len(rotations) == 2000
    assert set(minutes) <= set(range(11))
    assert max(minutes.values()) < 2 * 2000 / 10
    assert len(record.aws_calls) == 2


def test_a_namespace_keeps_its_place_in_the_rotation() -> None:
    """The jitter of a namespace is the same each time, so its Secret is never older than one interval."""
    record = simulate(quiet(opted_in(50), 2 * DAY))
    for secrets in record.secrets.values():
        gaps = [later.at - earlier.at for earlier, later in pairwise(secrets[1:])]
        assert max(gaps) - min(gaps) < 2 * MINUTE


def test_secrets_about_to_expire_are_renewed_at_full_speed() -> None:
    """1,000 Secrets that expire within minutes are renewed as fast as the API server accepts writes."""
    restart = Restart(at=HOUR, gap=11 * HOUR - 5 * MINUTE)
    record = simulate(Run(seed=1, end=12 * HOUR, actions=opted_in(1000, apart=0.001), restarts=[restart]))
    renewed = sorted(secret.at for secret, _ in record.lives() if secret.at > HOUR)
    assert len(renewed) == 1000
    assert renewed[-1] - renewed[0] < 10
    assert renewed[-1] < 12 * HOUR - 4 * MINUTE


@pytest.mark.parametrize(
    ("reason", "most"),
    [("NetworkUnreachable", 400), ("Throttled", 500), ("AccessDenied", 45), ("CredentialsInvalid", 90)],
)
def test_an_outage_of_three_hours_costs_few_calls_and_few_events(reason: str, most: int) -> None:
    """AWS is called as often as for a single namespace, and after a denial as often as people fix policies.

    Credentials that AWS does not accept are renewed, and tried once more each time.
    """
    outage = Period(start=5 * HOUR, end=8 * HOUR + HOUR / 2, reason=reason, region=EUROPE)
    world = World(Run(seed=1, end=10 * HOUR, actions=opted_in(40), faults=Faults(aws=[outage]), settings=QUIET))
    world.finish()
    record = world.record
    assert 3 < len(_during(record, outage)) < most
    assert len(record.events(team(0))) <= 8
    assert len(world.reconciliations()) < 40 * 3 * 60 * RECONCILES_PER_MINUTE
    _all_were_renewed_soon_after(record, outage)


def test_one_unreachable_region_does_not_delay_another() -> None:
    """In a Secret with two regions, the reachable one is rotated and the other's entry is kept."""
    outage = Period(start=HOUR, end=20 * HOUR, reason="ServiceError", region=EUROPE)
    run = Run(seed=1, end=DAY, actions=opted_in(3, IRELAND, FRANKFURT), faults=Faults(aws=[outage]))
    record = simulate(run)
    late = record.secret_at(team(1), 19 * HOUR)
    assert late is not None
    assert record.issued[late.auths[FRANKFURT]].expires_at > 19 * HOUR
    assert record.issued[late.auths[IRELAND]].issued_at < HOUR
    assert set(late.auths) == {IRELAND, FRANKFURT}


def test_a_garbled_secret_keeps_the_entry_of_an_unreachable_region() -> None:
    """Repairing unreadable annotations removes no entry for which there is no other token."""
    outage = Period(start=HOUR, end=4 * HOUR, reason="AccessDenied", region=EUROPE)
    actions = [*opted_in(1, IRELAND, FRANKFURT), act_on(2 * HOUR, "garble-annotations", team(0))]
    run = Run(seed=1, end=6 * HOUR, actions=actions, faults=Faults(aws=[outage]), restarts=[Restart(at=1.5 * HOUR)])
    record = simulate(run)
    assert [secret.at for secret, _ in record.lives() if IRELAND not in secret.auths] == []
    repaired, healed = record.secret_at(team(0), 2 * HOUR + 5), record.secret_at(team(0), 5 * HOUR)
    assert repaired is not None
    assert repaired.writer == CONTROLLER
    assert healed is not None
    assert record.issued[healed.auths[IRELAND]].issued_at > outage.end


def test_a_garbled_secret_goes_on_rotating_under_bad_input() -> None:
    """Invalid annotations on the Namespace and unreadable ones on its Secret do not stop its rotation."""
    wrong = {"enabled": "yes"}
    actions = [*opted_in(1), misconfigure(HOUR, team(0), wrong), act_on(2 * HOUR, "garble-annotations", team(0))]
    record = simulate(quiet(actions, 2 * DAY))
    assert list(check_tokens.never_stale(record)) == []
    assert len(record.secrets[team(0)]) > 7


def test_an_unreachable_api_server_is_not_hammered() -> None:
    """During an hour without the API server each waiting namespace retries at most once per longest backoff."""
    outage = Period(start=5.5 * HOUR, end=6.5 * HOUR)
    record = simulate(Run(seed=1, end=7 * HOUR, actions=opted_in(100), faults=Faults(kube=[outage])))
    tries = [request for request in record.secret_requests("patch") if outage.start < request.at < outage.end]
    assert len(tries) < 100 * 120
    assert all(secrets[-1].at > outage.start for secrets in record.secrets.values())


def test_what_is_remembered_stays_small() -> None:
    """Nothing is left in the controller's memory of 2,000 namespaces that were created and deleted."""
    actions: list[Action] = []
    for number in range(2000):
        name, at = f"job-{number}", number * 5.0
        actions += [opt_in(at, name, IRELAND), act_on(at + MINUTE, "end", name)]
    actions += [opt_out(3 * HOUR, team(0)), *opted_in(5)]
    sizes = simulate_and_measure(Run(seed=1, end=4 * HOUR, actions=sorted(actions, key=lambda act: act.at)))
    assert "WorkQueue" in {name.partition(".")[0] for name in sizes}
    assert {part: size for part, size in sizes.items() if size > 80 and part != BOUNDED_ON_PURPOSE} == {}


def simulate_and_measure(run: Run) -> dict[str, int]:
    """Run it, and return how many items each collection in the controller holds at the end, by class and field."""
    world = World(run)
    world.finish()
    return dict(world.record.usage[-1].items)


def _during(record: Record, period: Period) -> list[float]:
    return [call.at for call in record.aws_calls if period.start < call.at < period.end]


def _all_were_renewed_soon_after(record: Record, outage: Period) -> None:
    for name in record.secrets:
        secret = record.secret_at(name, outage.end + 6 * MINUTE)
        assert secret is not None
        assert secret.at > outage.end
