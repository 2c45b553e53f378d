"""An opt-in that the settings have lost: the Secret waits, is kept fresh, and goes when the grace is over."""

import asyncio
import logging
from dataclasses import replace

import pytest

from pullkeeper.domain.config.policy import Matcher, Policy
from pullkeeper.domain.errors.failures import Reason
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.namespace.opt_in import OptIn
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.reconcile.pending_opt_outs import PendingOptOuts
from pullkeeper.reconcile.result import Result, Status
from tests.unit.reconcile.test_reconciler import GRACE, LATER, ReconcilerHarness
from testsupport.examples import EU, HOUR, NOW, managed, published, token

OPTED_IN = Policy(registries=(EU,), opt_in=Matcher(names=("team-*",)))
TYPO = Policy(registries=(EU,), opt_in=Matcher(names=("taem-*",)))
BY_SETTINGS = managed(replace(published(EU), opted_in_by=OptIn.SETTINGS))
BY_ANNOTATION = managed(replace(published(EU), opted_in_by=OptIn.ANNOTATION))


def harness(
    secret: ObservedSecret = BY_SETTINGS, policy: Policy = TYPO, enabled: str | None = None
) -> ReconcilerHarness:
    found = ReconcilerHarness(secret, {} if enabled is None else {"enabled": enabled})
    found.policy = policy
    return found


async def test_the_secret_waits_out_the_grace_and_then_goes() -> None:
    """To the second; each look asks for the number to be announced."""
    found = harness()
    for now in (LATER, LATER + GRACE - GRACE / 100):
        found.now = now
        assert await found.reconcile() == Result(
            status=Status(secret=BY_SETTINGS, opting_out=True), requeue_at=LATER + GRACE
        )
    assert (found.deleted, found.losses) == ([], 2)
    found.now = LATER + GRACE
    assert await found.reconcile() == Result()
    assert (found.deleted, found.losses) == ([BY_SETTINGS], 3)


async def test_an_opt_in_that_comes_back_ends_the_wait() -> None:
    """The next loss waits as long as the first."""
    found = harness()
    await found.reconcile()
    found.policy, found.now = OPTED_IN, LATER + GRACE / 2
    assert (await found.reconcile()).status == Status(secret=BY_SETTINGS)
    found.policy, found.now = TYPO, LATER + GRACE
    assert (await found.reconcile()).requeue_at == LATER + 2 * GRACE
    assert found.deleted == []


@pytest.mark.parametrize(("enabled", "secret"), [(None, BY_ANNOTATION), ("false", BY_SETTINGS)])
async def test_a_namespace_that_opts_itself_out_does_not_wait(enabled: str | None, secret: ObservedSecret) -> None:
    """By `false`, or by taking away what its Secret says opted it in."""
    found = harness(secret, enabled=enabled)
    assert await found.reconcile() == Result()
    assert (found.deleted, found.losses) == ([secret], 0)


async def test_another_leaders_time_does_not_count() -> None:
    """Whoever led meanwhile may have had the right settings all along."""
    found = harness()
    await found.reconcile()
    found.records.reset_reported()
    found.now = LATER + GRACE
    assert (await found.reconcile()).requeue_at == LATER + 2 * GRACE
    assert found.deleted == []


async def test_within_the_grace_the_secret_is_kept_fresh() -> None:
    """As it was last requested."""
    found = harness(policy=OPTED_IN)
    await found.reconcile()
    found.policy, found.now = TYPO, NOW + 7 * HOUR
    found.token_result = replace(found.token_result, token=token(issued=found.now))
    result = await found.reconcile()
    assert result.status is not None
    assert (result.status.opting_out, result.requeue_at) == (True, found.now + GRACE)
    assert [record.opted_in_by for record in found.written] == [OptIn.SETTINGS]


async def test_after_a_restart_a_forged_secret_is_never_renewed() -> None:
    """The settings do not opt the namespace in, and nothing but its own Secret says that they ever did."""
    found = harness()
    found.now = NOW + 7 * HOUR
    assert (await found.reconcile()).requeue_at == found.now + GRACE
    assert (found.written, found.scopes, found.deleted) == ([], [], [])


async def test_who_opted_in_is_written_down_when_it_changes() -> None:
    """So that a later loss is judged by who it was then."""
    found = harness(BY_SETTINGS, OPTED_IN, enabled="true")
    await found.reconcile()
    assert [record.opted_in_by for record in found.written] == [OptIn.ANNOTATION]


@pytest.mark.parametrize("secret", [BY_SETTINGS, BY_ANNOTATION])
async def test_an_excluded_namespace_keeps_its_secret_as_it_is_until_the_grace_is_over(secret: ObservedSecret) -> None:
    """It is not renewed, which the admission fence would refuse; the annotation stays reported when it is gone."""
    found = harness(secret, replace(OPTED_IN, excluded_namespaces=("team-a",)), enabled="true")
    begun = found.now = NOW + 7 * HOUR
    waiting = await found.reconcile()
    assert (waiting.status, waiting.requeue_at) == (Status(secret=secret, opting_out=True), begun + GRACE)
    assert [failure.reason for failure in waiting.failures] == [Reason.INVALID_ANNOTATION]
    found.now += GRACE
    assert await found.reconcile() == Result()
    assert (found.written, found.deleted) == ([], [secret])
    gone = await found.reconcile()
    assert (gone.status, gone.failures) == (Status(secret=None), waiting.failures)


class Cluster:
    """The caches and the policy that the announcement is made of."""

    def __init__(self, *names: str) -> None:
        self.policy = TYPO
        self.listed = asyncio.Event()
        self.secrets = [replace(BY_SETTINGS, namespace=name) for name in names]
        self.pending = PendingOptOuts(self, self, lambda: self.policy, grace=GRACE)

    def get(self, namespace: str) -> ObservedNamespace | None:
        return None if namespace == "gone" else ObservedNamespace(name=namespace, resource_version=1)

    def items(self) -> list[ObservedSecret]:
        return self.secrets

    def synced(self) -> list[asyncio.Event]:
        return [self.listed]


def test_each_change_of_the_number_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """With the first names and the grace; the end of it is no warning."""
    caplog.set_level(logging.INFO)
    cluster = Cluster("team-a", "gone", *(f"team-{number:02}" for number in range(20)))
    for _ in range(3):
        cluster.pending.announce()
    assert cluster.pending.count() == 21
    cluster.secrets = cluster.secrets[:1]
    cluster.pending.announce()
    cluster.policy = OPTED_IN
    cluster.pending.announce()
    cluster.pending.announce()
    assert [(record.levelname, record.message.partition(":")[0]) for record in caplog.records] == [
        ("WARNING", "21 namespaces are not opted in by the settings any more"),
        ("WARNING", "1 namespace is not opted in by the settings any more"),
        ("INFO", "no pull Secret is about to be deleted for lack of an opt-in in the settings any more"),
    ]
    assert "15m after it has noticed" in caplog.messages[0]
    assert "team-09 and 11 more" in caplog.messages[0]


async def test_nothing_is_announced_before_the_namespaces_are_known(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Then once, and after that what has changed together."""
    monkeypatch.setattr("pullkeeper.reconcile.pending_opt_outs._PAUSE", 0)
    cluster = Cluster("team-a")
    running = asyncio.create_task(cluster.pending.run())
    await _turns()
    assert caplog.messages == []
    cluster.listed.set()
    await _turns()
    for name in ("team-b", "team-c"):
        cluster.secrets = [*cluster.secrets, replace(BY_SETTINGS, namespace=name)]
        cluster.pending.changed()
    await _turns()
    running.cancel()
    assert [message.partition(" ")[0] for message in caplog.messages] == ["1", "3"]


async def _turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)
