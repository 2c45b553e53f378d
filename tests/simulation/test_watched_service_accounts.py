"""Namespaces with a ServiceAccount of their own, whose role is watched."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from unittest import mock

import pytest

from pullkeeper.domain.config.policy import ANYBODY, Policy
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.iam.role_arn import ROLE_ANNOTATION
from pullkeeper.domain.namespace.service_account_names import ServiceAccountNames
from pullkeeper.reconcile import service_account_poller
from testsupport.simulation.faults import Faults
from testsupport.simulation.geography import Geography
from testsupport.simulation.record import Period, Record
from testsupport.simulation.scenarios import FRANKFURT, IRELAND, team
from testsupport.simulation.script import Action, act_on, opt_in, opt_out
from testsupport.simulation.world import IN_ORDER, Restart, Run, simulate
from testsupport.virtual_time import HOUR, MINUTE

_ROLE = "arn:aws:iam::111111111111:role/own"
_OTHER = "arn:aws:iam::111111111111:role/other"
_COUNT = 20
_SETTINGS = Settings(policy=Policy(service_accounts=ANYBODY), leader_election=True)
_ATTACHING = replace(_SETTINGS, service_account_attachment=True)
_BY_NAME = replace(_SETTINGS, watched_service_accounts=ServiceAccountNames(names=frozenset({"puller", "other"})))
_ALL = replace(_SETTINGS, watched_service_accounts=ServiceAccountNames(every=True))
_RESTORED_AT = HOUR + MINUTE
_SOON = 3.0
"""Seconds within which a watch tells of a change, and a token is fetched and written."""


@pytest.fixture(autouse=True)
def _polling_as_configured(slow_timers: None) -> Iterator[None]:  # noqa: ARG001 -- whose interval is undone
    with mock.patch.object(service_account_poller, "INTERVAL", timedelta(seconds=15)):
        yield


def _account(at: float, number: int, role: str = _ROLE, name: str = "puller") -> Action:
    annotations = ((ROLE_ANNOTATION, role),) if role else ()
    return Action(at=at, do="account", name=team(number), account=name, annotations=annotations)


def _served(number: int) -> list[Action]:
    """Make a namespace with two ServiceAccounts, and opt it in with one of them."""
    wanted = opt_in(2, team(number), IRELAND)
    own = replace(wanted, annotations=(*wanted.annotations, ("service-account-name", "puller")))
    return [opt_out(0, team(number)), _account(1, number), _account(1, number, name="stranger"), own]


def _run(settings: Settings, *more: Action, end: float = 2 * HOUR, **others: object) -> Run:
    actions = [action for number in range(_COUNT) for action in _served(number)]
    trust = {role: frozenset(f"{team(number)}/puller" for number in range(_COUNT)) for role in (_ROLE, _OTHER)}
    run = Run(
        seed=1,
        end=end,
        actions=sorted([*actions, *more], key=lambda action: action.at),
        geography=Geography(trust=trust),
        settings=settings,
        with_permissions=True,
    )
    return replace(run, **others)  # type: ignore[arg-type]  # fields of Run


def _requests(record: Record, since: float) -> Counter[tuple[str, str]]:
    """Count the requests from then on by verb and resource; watches are none of them."""
    resources = ((each.verb, each.path.split("/")) for each in record.requests if each.at >= since)
    return Counter(
        (verb, next(part for part in ("leases", "serviceaccounts", "secrets", "namespaces") if part in path))
        for verb, path in resources
    )


@pytest.mark.parametrize("settings", [_BY_NAME, _ALL], ids=["by name", "all"])
def test_nothing_is_requested_at_rest_but_the_lease_and_the_relist(settings: Settings) -> None:
    """However many namespaces fetch tokens as their ServiceAccounts; where none is watched, each is read in turn."""
    record = simulate(_run(settings))
    assert record.denied == []
    found = _requests(record, HOUR)
    lists = {resource: count for (verb, resource), count in found.items() if verb == "list"}
    assert set(found) - {("list", resource) for resource in lists} == {("patch", "leases")}
    watches = {"secrets": 1, "namespaces": 1, "serviceaccounts": len(settings.watched_names)}
    assert lists.keys() == watches.keys()
    assert all(5 * watches[resource] <= count <= 7 * watches[resource] for resource, count in lists.items())
    polled = _requests(simulate(_run(_SETTINGS)), HOUR)
    assert polled["get", "serviceaccounts"] == pytest.approx(_COUNT * HOUR / 15, rel=0.1)


@pytest.mark.parametrize("settings", [_BY_NAME, _ALL], ids=["by name", "all"])
def test_lost_role_is_reported_at_once(settings: Settings) -> None:
    """Also a ServiceAccount that is deleted; the Secret keeps its tokens, and other namespaces notice nothing."""
    drop = Action(at=HOUR, do="drop-account", name=team(1), account="puller")
    record = simulate(_run(settings, _account(HOUR, 0, role=""), drop, _account(90 * MINUTE, 0)))
    for number in (0, 1):
        at, state = next(change for change in record.state_changes[team(number)] if change[0] >= HOUR)
        assert at - HOUR < _SOON
        assert state != "ready"
        assert len(record.secrets[team(number)]) == 1
    assert record.states[team(0)] == "ready"
    assert record.states[team(1)] != "ready"
    assert not [at for number in range(2, _COUNT) for at, _ in record.state_changes[team(number)] if at >= HOUR]


@pytest.mark.parametrize("settings", [_BY_NAME, _ALL], ids=["by name", "all"])
def test_another_role_is_taken_over_at_once(settings: Settings) -> None:
    """Also one that was given while no controller ran."""
    record = simulate(_run(settings, _account(HOUR, 0, _OTHER)))
    assert record.secrets[team(0)][-1].at - HOUR < _SOON
    missed = simulate(_run(settings, _account(HOUR, 0, _OTHER), restarts=[Restart(at=HOUR - MINUTE, gap=2 * MINUTE)]))
    assert missed.secrets[team(0)][-1].at - HOUR - MINUTE < MINUTE
    for each in (record, missed):
        assert [len(each.secrets[team(number)]) for number in range(3)] == [2, 1, 1]


@pytest.mark.parametrize("settings", [_BY_NAME, _ALL], ids=["by name", "all"])
def test_watch_that_is_denied_is_made_up_for_by_reading(settings: Settings) -> None:
    """Once the API server ends the watch: until then it goes on telling; and from when it is allowed again."""
    denied = Period(start=HOUR + MINUTE, end=2 * HOUR)
    changes = [_account(denied.start + 1, 0, _OTHER), _account(denied.end - MINUTE, 1, _OTHER)]
    ended = Action(at=denied.start + MINUTE, do="watch-error", name="", text="410")
    later = [_account(denied.end + MINUTE, 2, _OTHER)]
    faults = Faults(unwatchable=[denied])
    record = simulate(_run(settings, *changes, ended, *later, end=2 * HOUR + 2 * MINUTE, faults=faults))
    waits = [record.secrets[team(number)][-1].at - change.at for number, change in enumerate((*changes, *later))]
    assert waits[0] < _SOON
    assert _SOON < waits[1] < 30 + _SOON
    assert waits[2] < _SOON
    refused = [each for each in record.requests if each.status == 403]
    assert {each.path for each in refused} == {"/api/v1/serviceaccounts"}


WATCHING = pytest.mark.parametrize("settings", [_BY_NAME, _ALL, _ATTACHING], ids=["by name", "all", "to attach"])
"""Each way in which ServiceAccounts are watched."""


@WATCHING
def test_restore_of_etcd_is_noticed_once(settings: Settings) -> None:
    """Whoever notices it has all others begin anew, so that nobody finds it a second time."""
    record = simulate(_run(settings, *_lost(_account(HOUR, 0, _OTHER)), act_on(_RESTORED_AT, "restore", "")))
    assert sum("resourceVersions went back" in line.text for line in record.log_lines) == 1
    assert [each.writer for each in record.accounts[team(0), "puller"]] == ["user", "user", "server"]
    assert not _holds(record, team(0), _OTHER)


@WATCHING
def test_role_that_is_given_after_a_restore_is_taken_over_at_once(settings: Settings) -> None:
    """Although the version that gives it is one that was known with another content before etcd was restored."""
    anew = [act_on(_RESTORED_AT, "restore", ""), _account(_RESTORED_AT, 0, _OTHER)]
    actions = [*_lost(_account(HOUR, 0)), *anew, *_many_writes(_RESTORED_AT)]
    record = simulate(_run(settings, *actions, end=_RESTORED_AT + 5 * MINUTE))
    _, lost, _, given = record.accounts[team(0), "puller"]
    assert lost.resource_version == given.resource_version
    assert _holds(record, team(0), _OTHER)


@WATCHING
@pytest.mark.parametrize("how", ["", IN_ORDER])
def test_role_that_is_given_long_after_a_restore_is_taken_over_at_once(settings: Settings, how: str) -> None:
    """Also where the watches have ended in good order, and go on from versions that are still to come."""
    restore = Action(at=_RESTORED_AT, do="restore", name="", text=how)
    changed_at = _RESTORED_AT + MINUTE
    actions = [*_lost(*_many_writes(HOUR), _account(HOUR, 0)), restore, _account(changed_at, 0, _OTHER)]
    record = simulate(_run(settings, *actions, end=changed_at + _SOON))
    assert _holds(record, team(0), _OTHER)


def _lost(*changes: Action) -> list[Action]:
    """Back etcd up, and make changes, that of a Namespace among them, of which the backup does not know."""
    wanted = opt_in(HOUR, team(1), IRELAND, FRANKFURT)
    own = replace(wanted, annotations=(*wanted.annotations, ("service-account-name", "puller")))
    return [act_on(HOUR, "back-up", ""), *changes, own]


def _many_writes(at: float) -> list[Action]:
    """Write more often than others do in the minute until etcd is restored."""
    return [opt_out(at, "stranger") for _ in range(100)]


def _holds(record: Record, namespace: str, role: str) -> bool:
    """Whether the Secret of a namespace has tokens of a role."""
    return any(f" {role} " in record.issued[auth].key for auth in record.secrets[namespace][-1].auths.values())
