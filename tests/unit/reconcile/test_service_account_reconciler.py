"""The ServiceAccounts of one namespace: who is attached when, what is told, and what happens where one will not do."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from pullkeeper.domain.errors.failures import FailureError, StaleObservationError
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.namespace.service_account_names import ServiceAccountNames
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.service_account_patch import AttachmentOutcome
from tests.unit.reconcile.service_account_harness import (
    ATTACHED,
    GRACE,
    KEY,
    SECRET,
    STALE,
    ServiceAccountHarness,
    account,
)
from testsupport.examples import FOREIGN, NOW
from testsupport.fake_client import AWAY


async def test_those_who_are_wanted_are_attached_and_told_of() -> None:
    """Each gets its Event, and the new observation is noted before the watch brings it."""
    house = ServiceAccountHarness(account("builder"), account("other"), attach="builder")
    assert await house.settle() is None
    assert house.patched == [("builder", AttachmentOutcome.ATTACHED)]
    assert house.noted == ["builder"]
    note = "uid-builder: ServiceAccount builder names the pull Secret ours in its imagePullSecrets"
    assert house.posted == [("ServiceAccountAttached", note, False)]
    await house.settle()
    assert len(house.patched) == 1


@pytest.mark.parametrize(
    ("fields", "attach", "outcome", "told"),
    [
        ({}, "*", AttachmentOutcome.ATTACHED, "names the pull Secret ours"),
        ({"mark": "ours"}, "*", AttachmentOutcome.RESTORED, "again; somebody had removed it"),
        ({"mark": "old", "marked": 0}, "*", AttachmentOutcome.RENAMED, "in place of old"),
        (ATTACHED, "", AttachmentOutcome.DETACHED, "does not name ours in its imagePullSecrets any more"),
        ({"mark": "ours"}, "", AttachmentOutcome.FORGOTTEN, "is not marked any more as naming ours"),
    ],
)
async def test_each_outcome_is_told(
    fields: Mapping[str, Any], attach: str, outcome: AttachmentOutcome, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A line in the log for each; an Event where the ServiceAccount now names the Secret."""
    caplog.set_level("INFO", "pullkeeper")
    house = ServiceAccountHarness(account("builder", **fields), attach=attach)
    await house.settle()
    assert house.patched == [("builder", outcome)]
    assert told in caplog.text
    assert [reason for reason, *_ in house.posted] == ["ServiceAccountAttached"] * (attach == "*")


@pytest.mark.parametrize("secret", [None, FOREIGN])
async def test_nobody_is_attached_before_the_pull_secret_is_there(secret: ObservedSecret | None) -> None:
    """Neither to none nor to a stranger's."""
    house = ServiceAccountHarness(account("builder"), attach="*")
    house.secret = secret
    await house.settle()
    assert house.patched == []


@pytest.mark.parametrize("secret", [SECRET, None, FOREIGN])
@pytest.mark.parametrize("annotations", [{"enabled": "false"}, {}])
async def test_opted_out_namespace_is_detached_whether_or_not_the_secret_is_gone(
    annotations: Mapping[str, str], secret: ObservedSecret | None
) -> None:
    """So a crash between the Secret's deletion and the last detachment leaves nothing behind."""
    house = ServiceAccountHarness(account("builder", **ATTACHED))
    house.view = ObservedNamespace(name="team-a", resource_version=2, annotations=annotations)
    house.secret = secret
    await house.settle()
    assert house.patched == [("builder", AttachmentOutcome.DETACHED)]


@pytest.mark.parametrize(
    "view",
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
    ids=["gone", "terminating", "wrong names", "wrong otherwise", "not allowed"],
)
async def test_what_cannot_be_read_leaves_all_as_it_is(view: ObservedNamespace | None) -> None:
    """Neither who is attached nor who is not changes by a mistake, or on the way out."""
    house = ServiceAccountHarness(account("builder", **ATTACHED), account("other"))
    house.view = view
    assert await house.settle() is None
    assert house.patched == []
    assert house.posted == []


async def test_nothing_is_done_before_the_namespace_is_listed() -> None:
    """What is not known yet is not missing."""
    house = ServiceAccountHarness(attach="builder")
    house.listed = False
    assert await house.settle() is None
    house.listed = True
    assert await house.settle() == NOW + GRACE


@pytest.mark.parametrize("error", [AWAY, STALE])
async def test_one_that_will_not_do_holds_nobody_back(error: Exception) -> None:
    """The others are attached, and then it is said, to be tried again."""
    house = ServiceAccountHarness(account("a"), account("b"), account("c"), attach="*")
    house.refusals["b"] = error
    with pytest.raises((FailureError, StaleObservationError)) as raised:
        await house.settle()
    assert raised.value is error
    assert [name for name, _ in house.patched] == ["a", "c"]


async def test_one_that_is_gone_is_no_trouble() -> None:
    """Nothing is told of it, and nothing noted."""
    house = ServiceAccountHarness(account("a"), attach="*")
    house.refusals["a"] = None
    assert await house.settle() is None
    assert house.noted == []
    assert house.posted == []


async def test_missing_account_is_told_of_once_after_a_while() -> None:
    """It may come a little after the Namespace: so it is looked for again, and told of once, with those beside it."""
    house = ServiceAccountHarness(account("default"), attach="default,late,later")
    assert await house.settle() == NOW + GRACE
    house.now += GRACE / 2
    assert await house.settle() == NOW + GRACE
    assert house.posted[1:] == []
    house.now = NOW + GRACE
    assert await house.settle() is None
    ((reason, note, warning),) = house.posted[1:]
    assert (reason, warning) == ("ServiceAccountNotFound", True)
    assert "names what does not exist: ServiceAccount late, later: create it" in note
    house.now += GRACE
    assert await house.settle() is None
    assert len(house.posted) == 2


async def test_missing_account_that_came_and_went_is_told_of_again() -> None:
    """What was told is forgotten when it is there."""
    house = ServiceAccountHarness(attach="late")
    await house.settle()
    house.now += GRACE
    await house.settle()
    house.accounts["late"] = account("late")
    await house.settle()
    del house.accounts["late"]
    assert await house.settle() == house.now + GRACE
    house.now += GRACE
    await house.settle()
    assert [reason for reason, *_ in house.posted] == [
        "ServiceAccountNotFound",
        "ServiceAccountAttached",
        "ServiceAccountNotFound",
    ]


@pytest.mark.parametrize("attach", [None, "*", ""])
async def test_only_the_namespaces_own_names_are_missed(attach: str | None) -> None:
    """The installation's list is for many namespaces, and `*` names nobody."""
    house = ServiceAccountHarness(account("default"), attach=attach)
    house.policy = replace(house.policy, attach_to=ServiceAccountNames(names=frozenset({"default", "builder"})))
    assert await house.settle() is None
    assert house.patched == ([] if attach == "" else [("default", AttachmentOutcome.ATTACHED)])


@pytest.mark.parametrize(
    ("look", "again"),
    [
        (None, NOW + GRACE),
        (NOW, NOW),
        (datetime.max.replace(tzinfo=UTC), NOW + GRACE),
    ],
)
async def test_next_look_is_the_earlier_one(look: datetime | None, again: datetime) -> None:
    """The Secret's next turn and the missing account's do not wait for each other."""
    house = ServiceAccountHarness(attach="late")

    async def secret_first(name: str) -> datetime | None:
        assert (name, house.patched) == ("team-a", [])
        return look

    assert await house.attachments.after(secret_first)("team-a") == again


async def test_secret_that_fails_comes_before_its_attachments() -> None:
    """Where the look at the Secret fails, it is tried again as a whole."""
    house = ServiceAccountHarness(account("builder"), attach="*")

    async def failing(_: str) -> datetime | None:
        raise AWAY

    with pytest.raises(FailureError):
        await house.attachments.after(failing)("team-a")
    assert house.patched == []
