"""A tool that takes the pull Secret out of a ServiceAccount again and again: slowed down, and said once."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from pullkeeper.domain.errors.failures import Reason
from pullkeeper.domain.secret.repairs import FORGOTTEN_AFTER
from pullkeeper.domain.secret.service_account_patch import observe_service_account
from pullkeeper.reconcile.namespace_records import MAX_ATTACHED, NamespaceRecord
from pullkeeper.reconcile.result import Result
from tests.unit.reconcile.service_account_harness import ServiceAccountHarness, account

ENTRY_GONE: dict[str, Any] = {"entry_index": None, "marked_index": None, "writer": "argocd"}
ALL_GONE: dict[str, Any] = {**ENTRY_GONE, "mark": None}


async def fight(harness: ServiceAccountHarness, fields: dict[str, Any], seconds: int) -> Result:
    """Take the entry of `builder` out each second."""
    result = Result()
    for _ in range(seconds):
        harness.accounts["builder"] = replace(harness.accounts["builder"], **fields)
        result = await harness.reconcile()
        harness.now += timedelta(seconds=1)
    return result


@pytest.mark.parametrize("fields", [ENTRY_GONE, ALL_GONE], ids=["entry", "entry and mark"])
async def test_fight_costs_one_patch_a_minute(fields: dict[str, Any]) -> None:
    """Ten minutes at a patch a second: without the pauses there would be 600."""
    harness = ServiceAccountHarness(account("builder"), attach="builder")
    result = await fight(harness, fields, 600)
    assert 10 < len(harness.patched) <= 19
    (failure,) = result.failures
    assert failure.reason is Reason.WRITES_REVERTED
    assert "imagePullSecrets of ServiceAccount builder" in failure.message
    assert failure.detail == "last changed by the field manager argocd"
    assert len(harness.events) <= 4
    assert result.requeue_at
    assert result.requeue_at >= harness.now - timedelta(seconds=1)


async def test_other_service_accounts_are_attached_meanwhile() -> None:
    """Only the one that is fought over waits."""
    harness = ServiceAccountHarness(account("builder"), attach="builder,late")
    await fight(harness, ENTRY_GONE, 300)
    harness.accounts["late"] = account("late")
    await fight(harness, ENTRY_GONE, 1)
    assert "late" in [name for name, _ in harness.patched]


async def test_fight_is_over_when_nobody_touched_it_for_a_while() -> None:
    """A requeue brings the end, without another change."""
    harness = ServiceAccountHarness(account("builder"), attach="builder")
    await fight(harness, ENTRY_GONE, 300)
    harness.now += timedelta(minutes=1)
    result = await harness.reconcile()
    assert result.failures
    assert result.requeue_at
    harness.now = result.requeue_at
    assert result.requeue_at - harness.now <= FORGOTTEN_AFTER
    assert (await harness.reconcile()).failures == ()


def test_what_is_remembered_of_service_accounts_is_bounded() -> None:
    """A namespace may have any number of them."""
    record = NamespaceRecord()
    for number in range(MAX_ATTACHED + 10):
        record.record_attached(account(f"a{number}"), ServiceAccountHarness().now)
    assert len(record.attached) == MAX_ATTACHED
    assert "a0" not in record.attached


def test_writer_is_who_last_owned_the_list() -> None:
    """From the ServiceAccount's managedFields."""
    entry = {"manager": "argocd", "time": "2026-03-01T12:00:00Z", "fieldsV1": {"f:imagePullSecrets": {}}}
    metadata = {"namespace": "a", "name": "b", "uid": "u", "resourceVersion": "1", "managedFields": [entry]}
    assert observe_service_account({"metadata": metadata}, "ours").writer == "argocd"
