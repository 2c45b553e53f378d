"""The ServiceAccounts of one namespace: which are attached when, what is reported, and what happens to failures."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from pullkeeper.domain.errors.failures import FailureError, StaleObservationError
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.namespace.opt_in import OptIn
from pullkeeper.domain.namespace.service_account_names import ServiceAccountNames
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.service_account_patch import AttachmentOutcome
from pullkeeper.reconcile.result import Result
from pullkeeper.reconcile.service_account_reconciler import MAX_PATCHES
from tests.unit.reconcile.service_account_harness import (
    ATTACHED,
    GRACE_PERIOD,
    KEY,
    SECRET,
    STALE,
    ServiceAccountHarness,
    account,
)
from testsupport.examples import EU, FOREIGN, NOW, managed, published
from testsupport.fake_client import AWAY


async def test_named_service_accounts_are_attached() -> None:
    """Each gets an Event, and the write is known before the watch brings it."""
    harness = ServiceAccountHarness(account("builder"), account("other"), attach="builder")
    assert await harness.reconcile() == Result()
    assert harness.patched == [("builder", AttachmentOutcome.ATTACHED)]
    assert harness.recorded == ["builder"]
    note = "uid-builder: ServiceAccount builder names the pull Secret ours in its imagePullSecrets"
    assert harness.events == [("ServiceAccountAttached", note, False)]
    await harness.reconcile()
    assert len(harness.patched) == 1


@pytest.mark.parametrize(
    ("fields", "attach", "outcome", "text"),
    [
        ({}, "*", AttachmentOutcome.ATTACHED, "names the pull Secret ours"),
        ({"mark": "ours"}, "*", AttachmentOutcome.RESTORED, "again; somebody had removed it"),
        ({"mark": "old", "marked_index": 0}, "*", AttachmentOutcome.RENAMED, "in place of old"),
        (ATTACHED, "", AttachmentOutcome.DETACHED, "does not name ours in its imagePullSecrets any more"),
        ({"mark": "ours"}, "", AttachmentOutcome.FORGOTTEN, "is not marked any more as naming ours"),
    ],
)
async def test_each_outcome_is_logged(
    fields: Mapping[str, Any], attach: str, outcome: AttachmentOutcome, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    """With an Event where the ServiceAccount now names the Secret."""
    caplog.set_level("INFO", "pullkeeper")
    harness = ServiceAccountHarness(account("builder", **fields), attach=attach)
    await harness.reconcile()
    assert harness.patched == [("builder", outcome)]
    assert text in caplog.text
    assert [reason for reason, *_ in harness.events] == ["ServiceAccountAttached"] * (attach == "*")


@pytest.mark.parametrize("secret", [None, FOREIGN])
async def test_nothing_is_attached_before_the_pull_secret_exists(secret: ObservedSecret | None) -> None:
    """Neither to a missing Secret nor to a foreign one."""
    harness = ServiceAccountHarness(account("builder"), attach="*")
    harness.secret = secret
    await harness.reconcile()
    assert harness.patched == []


@pytest.mark.parametrize("secret", [SECRET, None, FOREIGN])
@pytest.mark.parametrize("annotations", [{"enabled": "false"}, {}])
async def test_opted_out_namespace_is_detached_whether_or_not_the_secret_exists(
    annotations: Mapping[str, str], secret: ObservedSecret | None
) -> None:
    """So a crash between the Secret's deletion and the last detachment leaves nothing behind."""
    harness = ServiceAccountHarness(account("builder", **ATTACHED))
    harness.observe(ObservedNamespace(name="team-a", resource_version=2, annotations=annotations))
    harness.secret = secret
    await harness.reconcile()
    assert harness.patched == [("builder", AttachmentOutcome.DETACHED)]


@pytest.mark.parametrize(
    "namespace",
    [
        None,
        ObservedNamespace(name="team-a", resource_version=2, terminating=True),
        ObservedNamespace(name="team-a", resource_version=2, annotations={"enabled": "true", KEY: "Wrong"}),
        ObservedNamespace(name="team-a", resource_version=2, annotations={"enabled": "yes"}),
        ObservedNamespace(
            name="team-a",
            resource_version=2,
            annotations={"enabled": "true", "role-arn": "arn:aws:iam::123456789012:role/not-granted"},
        ),
    ],
    ids=["gone", "terminating", "invalid names", "otherwise invalid", "not allowed"],
)
async def test_invalid_annotations_leave_all_as_it_is(namespace: ObservedNamespace | None) -> None:
    """A mistake attaches nothing and detaches nothing, nor does the end of a namespace."""
    harness = ServiceAccountHarness(account("builder", **ATTACHED), account("other"))
    harness.observe(namespace)
    assert await harness.reconcile() == Result()
    assert harness.patched == []
    assert harness.events == []


async def test_nothing_is_done_before_the_namespace_is_listed() -> None:
    """What is not known yet is not missing."""
    harness = ServiceAccountHarness(attach="builder")
    harness.listed = False
    assert await harness.reconcile() == Result()
    harness.listed = True
    assert await harness.reconcile() == Result(requeue_at=NOW + GRACE_PERIOD)


@pytest.mark.parametrize("error", [AWAY, STALE])
async def test_failed_patch_holds_up_no_other(error: FailureError | StaleObservationError) -> None:
    """The others are attached, and then the error is returned, to be backed off from."""
    harness = ServiceAccountHarness(account("a"), account("b"), account("c"), attach="*")
    harness.errors["b"] = error
    failures = (error.failure,) if isinstance(error, FailureError) else ()
    assert await harness.reconcile() == Result(failures=failures, error=error)
    assert [name for name, _ in harness.patched] == ["a", "c"]


async def test_service_account_that_is_gone_is_no_failure() -> None:
    """Nothing is reported or recorded."""
    harness = ServiceAccountHarness(account("a"), attach="*")
    harness.errors["a"] = None
    assert await harness.reconcile() == Result()
    assert harness.recorded == []
    assert harness.events == []


async def test_missing_service_accounts_are_reported_once_after_a_grace_period() -> None:
    """They may be created a little after the Namespace: so it is requeued, and they are reported together."""
    harness = ServiceAccountHarness(account("default"), attach="default,late,later")
    assert await harness.reconcile() == Result(requeue_at=NOW + GRACE_PERIOD)
    harness.now += GRACE_PERIOD / 2
    assert await harness.reconcile() == Result(requeue_at=NOW + GRACE_PERIOD)
    assert harness.events[1:] == []
    harness.now = NOW + GRACE_PERIOD
    assert await harness.reconcile() == Result()
    ((reason, note, warning),) = harness.events[1:]
    assert (reason, warning) == ("ServiceAccountNotFound", True)
    assert "names what does not exist: ServiceAccount late, later: create it" in note
    harness.now += GRACE_PERIOD
    assert await harness.reconcile() == Result()
    assert len(harness.events) == 2


async def test_service_account_that_is_missing_again_is_reported_again() -> None:
    """What was reported ends when it exists."""
    harness = ServiceAccountHarness(attach="late")
    await harness.reconcile()
    harness.now += GRACE_PERIOD
    await harness.reconcile()
    harness.accounts["late"] = account("late")
    await harness.reconcile()
    del harness.accounts["late"]
    assert await harness.reconcile() == Result(requeue_at=harness.now + GRACE_PERIOD)
    harness.now += GRACE_PERIOD
    await harness.reconcile()
    assert [reason for reason, *_ in harness.events] == [
        "ServiceAccountNotFound",
        "ServiceAccountAttached",
        "ServiceAccountNotFound",
    ]


async def test_namespace_made_anew_is_told_of_its_missing_service_account() -> None:
    """With the same name and the same fault, after a grace period of its own."""
    harness = ServiceAccountHarness(attach="late")
    for uid in ("first", "second"):
        assert harness.namespace is not None
        harness.observe(replace(harness.namespace, uid=uid))
        assert await harness.reconcile() == Result(requeue_at=harness.now + GRACE_PERIOD)
        harness.now += GRACE_PERIOD
        await harness.reconcile()
    assert [reason for reason, *_ in harness.events] == ["ServiceAccountNotFound"] * 2


@pytest.mark.parametrize("attach", [None, "*", ""])
async def test_only_names_of_the_namespace_itself_can_be_missing(attach: str | None) -> None:
    """The installation's list is for many namespaces, and `*` names none."""
    harness = ServiceAccountHarness(account("default"), attach=attach)
    harness.policy = replace(harness.policy, attach_to=ServiceAccountNames(names=frozenset({"default", "builder"})))
    assert await harness.reconcile() == Result()
    assert harness.patched == ([] if attach == "" else [("default", AttachmentOutcome.ATTACHED)])


async def test_many_service_accounts_are_patched_in_turns() -> None:
    """Other namespaces get theirs in between."""
    names = [f"a{number:03}" for number in range(2 * MAX_PATCHES + 20)]
    harness = ServiceAccountHarness(*map(account, names), attach="*")
    results = [await harness.reconcile() for _ in range(2)]
    assert [result.requeue_at for result in results] == [harness.now, harness.now]
    assert [name for name, _ in harness.patched] == names[: 2 * MAX_PATCHES]
    assert (await harness.reconcile()).requeue_at is None
    assert [name for name, _ in harness.patched] == names


async def test_service_accounts_that_cannot_be_patched_hold_up_no_other_turn() -> None:
    """However many there are."""
    names = [f"a{number:03}" for number in range(2 * MAX_PATCHES)]
    harness = ServiceAccountHarness(*map(account, names), attach="*")
    harness.errors = dict.fromkeys(names[:MAX_PATCHES], STALE)
    assert (await harness.reconcile()).error is STALE
    await harness.reconcile()
    assert [name for name, _ in harness.patched] == names[MAX_PATCHES:]
    harness.errors.clear()
    await harness.reconcile()
    assert sorted(name for name, _ in harness.patched) == names


async def test_while_a_lost_opt_in_is_waited_for_everything_stays_attached() -> None:
    """Detached with the Secret's deletion, not before: pods go on pulling."""
    harness = ServiceAccountHarness(account("builder", **ATTACHED))
    harness.secret = managed(replace(published(EU), opted_in_by=OptIn.SETTINGS))
    harness.observe(ObservedNamespace(name="team-a", uid="first", resource_version=2))
    assert (await harness.reconcile(), harness.patched) == (Result(), [])
    harness.secret = None
    await harness.reconcile()
    assert harness.patched == [("builder", AttachmentOutcome.DETACHED)]


async def test_service_accounts_of_an_excluded_namespace_are_detached_once_its_secret_is_gone() -> None:
    """While the Secret waits out its grace they are left as they are."""
    harness = ServiceAccountHarness(account("builder", **ATTACHED), attach="builder")
    harness.policy = replace(harness.policy, excluded_namespaces=("team-*",))
    await harness.reconcile()
    assert harness.patched == []
    harness.secret = None
    await harness.reconcile()
    assert harness.patched == [("builder", AttachmentOutcome.DETACHED)]
