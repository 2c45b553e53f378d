"""A namespace that is given to another installation: this one stops at once, and tidies up when it harms nobody."""

from dataclasses import replace
from datetime import datetime

import pytest

from pullkeeper.domain.config.policy import Policy
from pullkeeper.domain.ecr.rotation import Rotation
from pullkeeper.domain.errors.failures import Reason
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.plan import Priority
from pullkeeper.reconcile.result import Result
from tests.unit.reconcile.service_account_harness import ATTACHED, ServiceAccountHarness, account
from tests.unit.reconcile.test_reconciler import INSTALLATION, LATER, ON, ReconcilerHarness
from testsupport.examples import EU, HOUR, NOW, US, managed, published, token

OWN = replace(managed(published(EU, US)), written_by=INSTALLATION)
TAKEN = replace(managed(replace(published(EU, US), installation_class="canary")), written_by="canary/pullkeeper")
MOVED = {**ON, "class": "canary"}
DEAD = NOW + 12 * HOUR


@pytest.mark.parametrize(
    ("secret", "at"), [(OWN, DEAD), (TAKEN, None), (None, None), (replace(OWN, record=None), None)]
)
async def test_nothing_is_done_or_reported(secret: ObservedSecret | None, at: datetime | None) -> None:
    """Not even a token is fetched: overdue, edited or missing, the Secret is another installation's now."""
    found = ReconcilerHarness(secret, MOVED)
    for now in (LATER, NOW + 7 * HOUR):
        found.now = now
        assert await found.reconcile() == Result(requeue_at=at)
    assert (found.written, found.deleted, found.scopes, found.recorded.events) == ([], [], [], [])
    assert found.reconciler.priority("team-a") is Priority.ROTATION
    assert list(found.reconciler.published()) == []


async def test_what_nobody_took_over_goes_when_it_is_worthless() -> None:
    """The other installation may have another secretName, so it never will; the Event says why."""
    found = ReconcilerHarness(OWN, MOVED)
    found.now = DEAD
    assert await found.reconcile() == Result()
    assert found.deleted == [OWN]
    assert [(reason, "another class" in note) for _, reason, note in found.recorded.events] == [
        ("PullSecretDeleted", True)
    ]


async def test_what_was_taken_over_stays_even_if_it_has_expired() -> None:
    """It is up to the other installation."""
    found = ReconcilerHarness(TAKEN, MOVED)
    found.now = DEAD
    assert await found.reconcile() == Result()
    assert found.deleted == []


async def test_the_other_installation_takes_the_secret_over_in_place() -> None:
    """As if its settings had changed: with the tokens that it would fetch, and its class."""
    found = ReconcilerHarness(OWN, MOVED)
    found.policy = Policy(installation_class="canary")
    found.token_result = replace(found.token_result, token=token(issued=LATER))
    result = await found.reconcile()
    assert result.status is not None
    assert [record.installation_class for record in found.written] == ["canary"]
    assert found.deleted == []


async def test_a_namespace_that_comes_back_is_taken_over_again() -> None:
    """And nothing of what it asked for meanwhile is remembered as valid here."""
    found = ReconcilerHarness(OWN, ON)
    await found.reconcile()
    found.annotate(MOVED)
    await found.reconcile()
    assert found.records.get("team-a").last_valid is None
    found.secrets.upsert(replace(TAKEN, resource_version=9))
    found.annotate(ON)
    await found.reconcile()
    assert [record.installation_class for record in found.written] == [""]


async def test_an_invalid_class_keeps_the_secret_rotating() -> None:
    """By the installation that keeps it, as it was last valid."""
    found = ReconcilerHarness(OWN, ON)
    await found.reconcile()
    found.annotate({**ON, "class": "no class"})
    found.now = NOW + 7 * HOUR
    found.token_result = replace(found.token_result, token=token(issued=found.now))
    result = await found.reconcile()
    assert [failure.reason for failure in result.failures] == [Reason.INVALID_ANNOTATION]
    assert [record.registries for record in found.written] == [(EU, US)]
    assert Rotation().refresh_at_for("team-a", found.written[0].validities[0]) == result.requeue_at


async def test_service_accounts_of_another_class_are_left_alone() -> None:
    """Also where our own entry is there: the other installation replaces it once its Secret exists."""
    found = ServiceAccountHarness(account("a", **ATTACHED), account("b"), attach="b", **{"class": "canary"})
    await found.reconcile()
    assert found.patched == []
