"""Which additional Secrets are wanted, and that none of them holds up the pull Secret or another one."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from pullkeeper.domain.config.additional_secrets import AdditionalSecret, ShapeName
from pullkeeper.domain.config.policy import Matcher, Policy, RoleGrant
from pullkeeper.domain.errors.failures import Failure, FailureError, NotLeadingError, Reason, StaleObservationError
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.reporting.state import State
from pullkeeper.domain.secret.judgement import Judgement, judge
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.reconcile import desired_states
from pullkeeper.reconcile.additional_secrets import Additional, AdditionalDesiredStates, SecretsReconciler
from pullkeeper.reconcile.cached_kinds import secret_cache
from pullkeeper.reconcile.desired_states import DesiredStates, Requested
from pullkeeper.reconcile.namespace_records import NamespaceRecords
from pullkeeper.reconcile.result import Result, Status
from pullkeeper.reconcile.status_reporter import StatusReporter
from tests.unit.reconcile.reporter_harness import RecordedReports
from testsupport.examples import EU, EU_OTHER_ACCOUNT, HOUR, NOW, US, managed, published
from testsupport.fixed_random import FixedRandom
from testsupport.virtual_time import settle

GRACE = timedelta(minutes=15)
SELECTED = Matcher(names=("team-*",))
ARGOCD = AdditionalSecret(name="argocd", shape=ShapeName.ARGOCD_REPO_CREDS, registry=EU, namespaces=SELECTED)
HELD = managed(published(EU))
FULL = Failure(reason=Reason.QUOTA_EXCEEDED, message="namespace/team-a: too many")
SLOW = Failure(reason=Reason.THROTTLED, message="wait")


class Wanted:
    """One namespace, and what is wanted of the additional Secret there."""

    def __init__(self, annotations: dict[str, str] | None = None, *, entry: AdditionalSecret = ARGOCD) -> None:
        self.now = NOW
        self.policy = Policy(registries=(EU, US))
        self.records = NamespaceRecords(applies_to=self.policy.applies_to, clock=lambda: self.now)
        self.pull_secrets = secret_cache(lambda _: None)
        self.namespace = ObservedNamespace(
            name="team-a", uid="uid", resource_version=1, annotations=annotations or {"enabled": "true"}
        )
        self.records.observe(self.namespace)
        self.entry = entry

    def desired_states(self) -> DesiredStates:
        return DesiredStates(
            self.records,
            lambda: self.policy,
            clock=lambda: self.now,
            opt_out_grace=GRACE,
            on_opt_in_lost=lambda: None,
            attach_service_accounts=False,
            installation="system/pullkeeper",
        )

    def additional(self, states: DesiredStates, entry: AdditionalSecret) -> AdditionalDesiredStates:
        return AdditionalDesiredStates(
            entry,
            states,
            pull_secrets=self.pull_secrets,
            records=self.records,
            clock=lambda: self.now,
            grace=GRACE,
        )

    def of(self, secret: ObservedSecret | None = HELD, namespace: ObservedNamespace | None = None) -> Requested:
        additional = self.additional(self.desired_states(), self.entry)
        assert additional.of(None, secret) == Requested()
        return additional.of(namespace or self.namespace, secret)


def test_it_is_wanted_with_the_pull_secret_for_its_registry_alone() -> None:
    """As the same identity."""
    desired = Wanted().of().desired
    assert desired is not None
    assert desired.registries == (EU,)


def test_it_is_not_wanted_where_the_pull_secret_is_not_for_its_registry() -> None:
    """A token of another identity or region would be of no use."""
    assert Wanted({"enabled": "true", "registries": str(US)}).of() == Requested()


@pytest.mark.parametrize("annotations", [{"enabled": "false"}, {"enabled": "false", "inject": "true"}])
def test_it_is_not_wanted_where_no_pull_secret_is(annotations: dict[str, str]) -> None:
    """It is deleted with it."""
    assert Wanted(annotations).of() == Requested()


def test_bad_annotations_leave_it_as_it_is() -> None:
    """The failure is that of the pull Secret, and reported with it."""
    assert Wanted({"enabled": "maybe"}).of() == Requested(is_frozen=True)


def test_what_is_left_of_a_role_that_was_withdrawn_stays() -> None:
    """It is neither deleted nor rotated while the pull Secret goes on as the roles that are still allowed."""
    one, other = "arn:aws:iam::123456789012:role/one", "arn:aws:iam::210987654321:role/other"
    wanted = Wanted({"enabled": "true", "role-arn": f"{one},{other}", "registries": f"{EU},{EU_OTHER_ACCOUNT}"})
    identities = {EU: one, EU_OTHER_ACCOUNT: other}
    held = replace(published(*identities), identities=identities)
    wanted.pull_secrets.upsert(managed(held))
    wanted.policy = Policy(roles=tuple(RoleGrant(role=role) for role in (one, other)))
    assert wanted.of().desired is not None
    wanted.policy = Policy(roles=(RoleGrant(role=other),))
    assert wanted.of() == Requested(is_frozen=True)
    wanted.policy = Policy(roles=(RoleGrant(role=one),))
    desired = wanted.of().desired
    assert desired is not None
    assert (desired.registries, desired.refused) == ((EU,), {})


def test_what_the_settings_do_not_select_any_more_waits_out_the_grace() -> None:
    """As it is, since the fence lets nobody renew it there; a slip that is corrected costs nothing."""
    wanted = Wanted(entry=replace(ARGOCD, namespaces=Matcher()))
    for now in (NOW, NOW + GRACE - GRACE / 100):
        wanted.now = now
        assert wanted.of() == Requested(delete_at=NOW + GRACE, is_frozen=True)
    wanted.entry = ARGOCD
    assert wanted.of().desired is not None
    wanted.entry = replace(ARGOCD, namespaces=Matcher())
    wanted.now = NOW + GRACE
    assert wanted.of().delete_at == NOW + 2 * GRACE
    wanted.now = NOW + 2 * GRACE
    assert wanted.of() == Requested()


def test_where_none_is_there_nothing_waits() -> None:
    """Of all namespaces that an entry does not select, nothing is remembered."""
    wanted = Wanted(entry=replace(ARGOCD, namespaces=Matcher()))
    assert wanted.of(None) == Requested()
    assert wanted.records.get("team-a").deselected_at == {}


def test_a_secret_that_was_there_and_went_is_forgotten() -> None:
    """One that comes back has the whole grace again."""
    wanted = Wanted(entry=replace(ARGOCD, namespaces=Matcher()))
    wanted.of()
    wanted.of(None)
    assert wanted.records.get("team-a").deselected_at == {}


def test_a_namespace_is_judged_once_for_all_of_its_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """And for all their rotations, until Namespace, policy or class of the pull Secret are others.

    Not at all where nobody selects it; and each time where nothing is desired, which may be due to the pull Secret.
    """
    judged = []

    def counting(namespace: ObservedNamespace, *others: Any, **options: Any) -> Judgement:
        judged.append(namespace.name)
        return judge(namespace, *others, **options)

    monkeypatch.setattr(desired_states, "judge", counting)
    wanted = Wanted()
    states = wanted.desired_states()
    several = [wanted.additional(states, replace(ARGOCD, name=name)) for name in ("one", "two", "three")]

    def ask() -> int:
        judged.clear()
        expected = wanted.of()
        assert [each.of(wanted.namespace, HELD) for each in several] == [expected] * 3
        return len(judged)

    assert (ask(), ask()) == (1, 0)
    wanted.namespace = replace(wanted.namespace)
    assert (ask(), ask()) == (1, 0)
    wanted.pull_secrets.upsert(replace(HELD, installation_class="canary"))
    assert (ask(), ask()) == (1, 0)
    wanted.pull_secrets.upsert(replace(HELD, installation_class="canary", resource_version=1000))
    assert (ask(), ask()) == (0, 0)
    wanted.policy = replace(wanted.policy)
    assert (ask(), ask()) == (1, 0)
    wanted.namespace = replace(wanted.namespace, annotations={"enabled": "perhaps"})
    assert (ask(), ask()) == (4, 4)
    judged.clear()
    unselected = wanted.additional(wanted.desired_states(), replace(ARGOCD, namespaces=Matcher()))
    assert (unselected.of(wanted.namespace, None), judged) == (Requested(), [])


def test_in_a_namespace_of_another_class_it_is_left_to_that_ones_installation() -> None:
    """Until its tokens have expired, if this installation has written it last."""
    wanted = Wanted({"enabled": "true", "class": "canary"})
    ours = replace(HELD, written_by="system/pullkeeper")
    assert wanted.of(ours) == Requested(delete_at=NOW + 12 * HOUR, is_left=True)
    assert wanted.of(HELD) == Requested(is_left=True)
    wanted.now = NOW + 12 * HOUR
    assert wanted.of(ours) == Requested()


class Scripted:
    """A reconciler that returns or raises what a test says."""

    def __init__(self, outcome: Result | Exception) -> None:
        self.outcome = outcome
        self.asked = 0
        self._goes_on = asyncio.Event()
        self._goes_on.set()

    def hang(self) -> asyncio.Event:
        """Hang until the event is set."""
        self._goes_on.clear()
        return self._goes_on

    async def reconcile(self, name: str) -> Result:  # noqa: ARG002 -- the protocol's
        self.asked += 1
        await self._goes_on.wait()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def ready(at: datetime, *failures: Failure) -> Result:
    return Result(status=Status(secret=HELD), failures=failures, requeue_at=at)


class Secrets:
    """One namespace with a pull Secret and additional ones, whose reconcilers do what a test says."""

    def __init__(self, *outcomes: Result | Exception, unlisted: int = 0) -> None:
        """The outcome of the pull Secret is the first; the last `unlisted` caches are not filled yet."""
        self.now = NOW
        self.records = NamespaceRecords(applies_to=lambda _: True, clock=lambda: self.now)
        self.records.observe(ObservedNamespace(name="team-a", uid="uid", resource_version=1))
        self.scripted = [Scripted(each) for each in outcomes]
        first, *others = self.scripted
        additional = []
        for index, each in enumerate(others):
            cache = secret_cache(lambda _: None)
            handler = cache.handler()
            if index < len(others) - unlisted:
                handler.replace([replace(HELD, name=f"other-{index}")], 7, watched=False)
            additional.append(Additional(name=f"other-{index}", secrets=cache, reconciler=each))
        self.reconciler = SecretsReconciler(
            first, additional, records=self.records, clock=lambda: self.now, rng=FixedRandom()
        )

    @property
    def asked(self) -> list[int]:
        return [each.asked for each in self.scripted]

    async def reconcile(self) -> Result:
        return await self.reconciler.reconcile("team-a")

    async def retries(self, count: int) -> list[float]:
        """Reconcile this often, each time when it is asked for; return after how many seconds each was."""
        found = []
        for _ in range(count):
            result = await self.reconcile()
            assert result.requeue_at is not None
            found.append((result.requeue_at - self.now).total_seconds())
            self.now = result.requeue_at
        return found


def refused(failure: Failure = FULL) -> Result:
    return Result(failures=(failure,), error=FailureError(failure))


async def test_one_that_is_refused_holds_up_no_other() -> None:
    """The namespace is no failed one: the pull Secret is due when it was, and what is the same is said once."""
    stale = StaleObservationError("team-a")
    secrets = Secrets(ready(NOW + HOUR, SLOW), refused(), stale, ready(NOW + timedelta(seconds=1), SLOW))
    result = await secrets.reconcile()
    assert secrets.asked == [1, 1, 1, 1]
    assert result.failures == (SLOW, FULL)
    assert (result.error, result.requeue_at) == (None, NOW + timedelta(seconds=1))
    assert result.status is not None
    assert [each.name for each in result.status.others] == ["other-0", "other-1", "other-2"]


async def test_each_is_backed_off_from_by_itself() -> None:
    """One that has been refused for long does not slow down the retries of another, and one success ends its own."""
    secrets = Secrets(ready(NOW + 9 * HOUR), refused(), ready(NOW + 9 * HOUR))
    assert await secrets.retries(4) == pytest.approx([28.5, 57, 114, 228], abs=0.01)
    secrets.scripted[2].outcome = StaleObservationError("team-a")
    assert await secrets.retries(3) == pytest.approx([1, 2, 4], abs=0.01)
    secrets.scripted[1].outcome = secrets.scripted[2].outcome = ready(NOW + 9 * HOUR)
    await secrets.reconcile()
    assert secrets.records.get("team-a").failed_attempts_of == {}
    secrets.scripted[1].outcome = refused()
    assert await secrets.retries(1) == pytest.approx([28.5], abs=0.01)


async def test_one_that_hangs_holds_up_no_other() -> None:
    """A webhook may take its whole timeout for one name."""
    secrets = Secrets(ready(NOW), ready(NOW), ready(NOW))
    hanging = secrets.scripted[1].hang()
    task = asyncio.create_task(secrets.reconcile())
    await settle()
    assert secrets.asked == [1, 1, 1]
    assert not task.done()
    hanging.set()
    assert (await task).error is None


async def test_what_ends_the_work_waits_for_what_was_begun() -> None:
    """Nothing is written when the worker believes that the namespace is done with."""
    secrets = Secrets(ready(NOW), NotLeadingError("lost"), ready(NOW))
    hanging = secrets.scripted[2].hang()
    task = asyncio.create_task(secrets.reconcile())
    await settle()
    assert not task.done()
    hanging.set()
    with pytest.raises(NotLeadingError):
        await task


async def test_the_pull_secret_holds_up_none_either() -> None:
    """A tenant who has deleted it in a full namespace does not let the others grow stale."""
    secrets = Secrets(replace(refused(), status=Status(secret=None)), ready(NOW + GRACE))
    result = await secrets.reconcile()
    assert (secrets.asked, result.requeue_at) == ([1, 1], NOW + GRACE)
    assert isinstance(result.error, FailureError)


@pytest.mark.parametrize("outcome", [refused(), StaleObservationError("team-a")])
async def test_one_that_cannot_be_deleted_keeps_its_namespace(outcome: Result | Exception) -> None:
    """It is retried ever less often, and counted, though the pull Secret is gone."""
    secrets = Secrets(Result(), outcome)
    first, *_, last = await secrets.retries(4)
    assert last > 4 * first
    result = await secrets.reconcile()
    assert result.status is not None
    assert (result.status.secret, result.status.opted_in, len(result.status.others)) == (None, False, 1)


async def test_a_namespace_without_any_has_no_status() -> None:
    """Nothing is remembered of it."""
    assert await Secrets(Result(), Result()).reconcile() == Result()


async def test_what_is_not_listed_yet_is_not_touched() -> None:
    """Every Secret would seem not to be there."""
    secrets = Secrets(ready(NOW), ready(NOW), ready(NOW), unlisted=1)
    assert (await secrets.reconcile()).error is None
    assert secrets.asked == [1, 1, 0]


@pytest.mark.parametrize(
    ("expired", "state"), [(timedelta(), State.READY), (11.5 * HOUR, State.EXPIRING), (12 * HOUR, State.EXPIRED)]
)
def test_the_state_and_the_expiry_are_those_of_the_secret_that_dies_first(expired: timedelta, state: State) -> None:
    """An alert does not care which of them it is."""
    recorded = RecordedReports()
    records = NamespaceRecords(applies_to=lambda _: True, clock=lambda: NOW)
    reporter = StatusReporter(recorded, recorded, records=records, clock=lambda: NOW)
    other, pull_secret = managed(published(EU, issued=NOW - expired)), managed(published(EU, issued=NOW))
    result = Result(status=Status(secret=pull_secret, others=(other,)))
    reporter.report("a", records.get("a"), [result])
    assert recorded.states == [("a", state, NOW - expired + 12 * HOUR)]
