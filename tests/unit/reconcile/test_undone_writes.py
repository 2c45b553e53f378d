"""A tool that undoes each write of the pull Secret: repairs slow down, and one warning says who does it."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from pullkeeper.domain.errors.failures import Reason
from pullkeeper.domain.reporting.state import State, namespace_state
from pullkeeper.domain.secret.repairs import FORGOTTEN_AFTER
from pullkeeper.reconcile.result import Result
from tests.unit.reconcile.test_reconciler import ReconcilerHarness
from testsupport.examples import EU, US, record_of

ON = {"enabled": "true", "registries": f"{EU},{US}"}
SECOND = timedelta(seconds=1)


def edit(harness: ReconcilerHarness) -> None:
    """Change what we wrote, as a tool of its own would."""
    secret = harness.secrets.get(harness.NAME)
    if secret:
        changed = replace(secret, resource_version=secret.resource_version + 1, intact=False, writer="argocd")
        harness.secrets.upsert(changed)


def rewrite(harness: ReconcilerHarness) -> None:
    """Write other registries, as another installation does, under our own field manager."""
    secret = harness.secrets.get(harness.NAME)
    if secret and secret.record:
        record = record_of({EU: secret.record.held[EU]})
        version = secret.resource_version + 1
        harness.secrets.upsert(replace(secret, resource_version=version, record=record, writer="pullkeeper"))


def remove(harness: ReconcilerHarness) -> None:
    """Delete the Secret."""
    secret = harness.secrets.get(harness.NAME)
    if secret:
        harness.secrets.delete(replace(secret, resource_version=secret.resource_version + 1))


async def fight(harness: ReconcilerHarness, undo: Callable[[ReconcilerHarness], None], minutes: int) -> Result:
    """Undo each write at once, and reconcile each second; report each result."""
    result = Result()
    for _ in range(minutes * 60):
        undo(harness)
        result = await harness.reconcile()
        record = harness.records.get(harness.NAME)
        harness.reporter.report(harness.NAME, record, [result])
        harness.now += SECOND
    return result


@pytest.mark.parametrize("undo", [edit, rewrite, remove])
async def test_fight_costs_one_write_a_minute(undo: Callable[[ReconcilerHarness], None]) -> None:
    """Ten minutes at a write a second: without the pauses there would be 600."""
    harness = ReconcilerHarness(annotations=ON)
    result = await fight(harness, undo, 10)
    assert 10 < len(harness.written) <= 19
    assert [failure.reason for failure in result.failures] == [Reason.WRITES_REVERTED]
    assert result.status
    assert namespace_state(result.status.secret, result.failures, now=harness.now) is State.CONTESTED


async def test_fight_is_one_warning_that_names_the_other_manager(caplog: pytest.LogCaptureFixture) -> None:
    """Not a line and an Event for each write."""
    caplog.set_level(logging.INFO)
    harness = ReconcilerHarness(annotations=ON)
    await fight(harness, edit, 10)
    warnings = [each for each in caplog.messages if "WritesReverted" in each]
    assert len(warnings) == 1
    assert "argocd" in warnings[0]
    assert len(caplog.messages) < 8
    posted = [reason for _, reason, _ in harness.recorded.events]
    assert posted[:3] == ["PullSecretCreated", "PullSecretUpdated", "PullSecretUpdated"]
    assert set(posted[3:]) == {"WritesReverted"}
    notes = {note for _, reason, note in harness.recorded.events if reason == "WritesReverted"}
    assert len(notes) == 1


async def test_what_the_owner_asks_for_is_done_at_once_in_the_middle_of_a_fight() -> None:
    """A changed annotation is no repair."""
    harness = ReconcilerHarness(annotations=ON)
    await fight(harness, edit, 5)
    edit(harness)
    written = len(harness.written)
    harness.annotate({**ON, "registries": str(EU)})
    await harness.reconcile()
    assert len(harness.written) == written + 1


async def test_end_of_a_fight_is_noticed_by_itself() -> None:
    """The failure lasts as long as the memory of it, and a requeue ends it."""
    harness = ReconcilerHarness(annotations=ON)
    await fight(harness, edit, 5)
    harness.now += timedelta(minutes=1)
    result = await harness.reconcile()
    assert result.failures
    assert result.requeue_at
    assert result.requeue_at <= harness.now + FORGOTTEN_AFTER
    harness.now += FORGOTTEN_AFTER
    assert (await harness.reconcile()).failures == ()


async def test_deletions_that_are_undone_slow_down() -> None:
    """Another installation serves a namespace that this one does not: no 95 creations and deletions a second."""
    harness = ReconcilerHarness(annotations=ON)
    await harness.reconcile()
    secret = harness.secrets.get(harness.NAME)
    assert secret
    harness.annotate({"enabled": "false"})
    reported: list[Reason] = []
    for number in range(600):
        harness.secrets.upsert(replace(secret, resource_version=secret.resource_version + number + 1))
        result = await harness.reconcile()
        if not result.status:
            harness.records.reset(harness.NAME)
        reported += [failure.reason for failure in result.failures]
        harness.now += SECOND
    assert 10 < len(harness.deleted) <= 19
    assert reported[-1] is Reason.WRITES_REVERTED


async def test_who_took_our_label_off_is_told() -> None:
    """Then the Secret is somebody else's: a conflict, which says that it was ours."""
    harness = ReconcilerHarness(annotations=ON)
    await harness.reconcile()
    secret = harness.secrets.get(harness.NAME)
    assert secret
    harness.secrets.upsert(replace(secret, resource_version=99, managed=False, record=None, writer="argocd"))
    (failure,) = (await harness.reconcile()).failures
    assert failure.reason is Reason.SECRET_CONFLICT
    assert failure.detail == "it was ours until its label was taken off; last changed by the field manager argocd"
