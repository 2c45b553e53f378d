"""Which additional Secrets are wanted, and that none of them holds up the pull Secret or another one."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from pullkeeper.domain.config.additional_secrets import AdditionalSecret, ShapeName
from pullkeeper.domain.config.policy import Matcher, Policy, RoleGrant
from pullkeeper.domain.errors.failures import Failure, FailureError, Reason, StaleObservationError
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.reporting.state import State
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.reconcile.additional_secrets import AdditionalDesiredStates, SecretsReconciler
from pullkeeper.reconcile.cached_kinds import secret_cache
from pullkeeper.reconcile.desired_states import DesiredStates, Requested
from pullkeeper.reconcile.namespace_records import NamespaceRecords
from pullkeeper.reconcile.result import Result, Status
from pullkeeper.reconcile.status_reporter import StatusReporter
from tests.unit.reconcile.reporter_harness import RecordedReports
from testsupport.examples import EU, EU_OTHER_ACCOUNT, HOUR, NOW, US, managed, published

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

    def of(self, secret: ObservedSecret | None = HELD, namespace: ObservedNamespace | None = None) -> Requested:
        desired_states = DesiredStates(
            self.records,
            lambda: self.policy,
            clock=lambda: self.now,
            opt_out_grace=GRACE,
            on_opt_in_lost=lambda: None,
            attach_service_accounts=False,
            installation="system/pullkeeper",
        )
        additional = AdditionalDesiredStates(
            self.entry,
            desired_states,
            pull_secrets=self.pull_secrets,
            records=self.records,
            clock=lambda: self.now,
            grace=GRACE,
        )
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

    async def reconcile(self, name: str) -> Result:  # noqa: ARG002 -- the protocol's
        self.asked += 1
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def ready(at: datetime, *failures: Failure) -> Result:
    return Result(status=Status(secret=HELD), failures=failures, requeue_at=at)


async def reconciled(*outcomes: Result | Exception, unlisted: int = 0) -> tuple[Result, list[int]]:
    """Reconcile with these outcomes, that of the pull Secret first; the last `unlisted` caches are not filled yet."""
    first, *others = map(Scripted, outcomes)
    additional = []
    for index, each in enumerate(others):
        cache = secret_cache(lambda _: None)
        handler = cache.handler()
        if index < len(others) - unlisted:
            handler.replace([replace(HELD, name=f"other-{index}")], 7, watched=False)
        additional.append((cache, each))
    result = await SecretsReconciler(first, additional).reconcile("team-a")
    return result, [each.asked for each in (first, *others)]


async def test_one_that_fails_holds_up_no_other() -> None:
    """The first error is raised in the end; what is the same for several Secrets is said once."""
    error, stale = FailureError(FULL), StaleObservationError("team-a")
    failed = Result(failures=(FULL,), error=error)
    result, asked = await reconciled(ready(NOW + HOUR, SLOW), failed, stale, ready(NOW + GRACE, SLOW))
    assert asked == [1, 1, 1, 1]
    assert result.failures == (SLOW, FULL)
    assert (result.error, result.requeue_at) == (error, NOW + GRACE)
    assert result.status is not None
    assert [each.name for each in result.status.others] == ["other-0", "other-1", "other-2"]


async def test_the_pull_secret_holds_up_none_either() -> None:
    """A tenant who has deleted it in a full namespace does not let the others grow stale."""
    error = FailureError(FULL)
    result, asked = await reconciled(Result(status=Status(secret=None), error=error), ready(NOW))
    assert (asked, result.error) == ([1, 1], error)


async def test_what_is_not_listed_yet_is_not_touched() -> None:
    """Every Secret would seem not to be there."""
    result, asked = await reconciled(ready(NOW), ready(NOW), ready(NOW), unlisted=1)
    assert asked == [1, 1, 0]
    assert result.error is None


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
