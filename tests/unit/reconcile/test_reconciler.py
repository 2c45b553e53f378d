"""The reconciler of pull Secrets: what it does, what it returns, and how it answers refresh requests."""

from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from typing import ClassVar

import pytest

from pullkeeper.domain.config.policy import ANYBODY, Policy
from pullkeeper.domain.ecr.credential import Password
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.ecr.rotation import Rotation
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.errors.failures import Failure, FailureError, Reason, StaleObservationError
from pullkeeper.domain.iam.identity import CONTROLLER, Identity
from pullkeeper.domain.iam.principal import UNKNOWN
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.reporting.state import State
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.plan import Priority
from pullkeeper.domain.secret.pull_secret import PullSecret
from pullkeeper.domain.secret.secret_record import SecretRecord
from pullkeeper.domain.secret.service_account_patch import ObservedServiceAccount
from pullkeeper.reconcile.cached_kinds import namespace_cache, secret_cache
from pullkeeper.reconcile.caches import ResourceCache
from pullkeeper.reconcile.controller_principal import ControllerPrincipal
from pullkeeper.reconcile.desired_states import DesiredStates
from pullkeeper.reconcile.identities import Identities
from pullkeeper.reconcile.namespace_records import NamespaceRecords
from pullkeeper.reconcile.namespace_view import NamespaceView
from pullkeeper.reconcile.reconciler import Reconciler
from pullkeeper.reconcile.result import Result, Status
from pullkeeper.reconcile.status_reporter import StatusReporter
from pullkeeper.tokens.demand import Requester
from pullkeeper.tokens.token_cache import TokenResult
from tests.unit.reconcile.reporter_harness import RecordedReports
from testsupport.examples import (
    EU,
    EU_OTHER_ACCOUNT,
    FOREIGN,
    HOUR,
    NOW,
    ROLE_A,
    ROLE_B,
    US,
    auth,
    managed,
    published,
    record_of,
    token,
)

LATER = NOW + HOUR
GRACE = timedelta(minutes=15)
INSTALLATION = "pullkeeper-system/pullkeeper"
ROLE = "arn:aws:iam::123456789012:role/puller"
ON = {"enabled": "true", "registries": f"{EU},{US}"}
REFRESH = {**ON, "refresh-requested-at": "new"}
REFUSED = FailureError(Failure(reason=Reason.KUBERNETES_DENIED, message="grant it"))
THROTTLED = Failure(reason=Reason.THROTTLED, message="wait")


class ReconcilerHarness:
    """One namespace, its Secret, and everything that the reconciler uses."""

    NAME: ClassVar = "team-a"

    def __init__(self, secret: ObservedSecret | None = None, annotations: dict[str, str] | None = None) -> None:
        self.fresh_since: list[datetime | None] = []
        self.requesters: list[Requester] = []
        self.written: list[SecretRecord] = []
        self.deleted: list[ObservedSecret] = []
        self.policy = Policy()
        self.now = LATER
        self.losses = 0
        self.enqueued: list[str] = []
        self.learned = ""
        self.current: ObservedNamespace | None = None
        """The Namespace as it is, where that is not what is known."""
        self.reads: list[tuple[str, int]] = []
        self.unreadable: Exception | None = None
        self.error: Exception | None = None
        self.account_uid = "uid-1"
        self.accounts: dict[tuple[str, ...], ObservedServiceAccount] = {}
        self.scopes: list[TokenScope] = []
        self.token_result = TokenResult(token=token(issued=LATER))
        self.results_as: dict[str, TokenResult] = {}
        """By the name of the identity, or by the region; any other gets `token_result`."""
        self.recorded = RecordedReports()
        self.records = NamespaceRecords(applies_to=Policy().applies_to, clock=lambda: self.now)
        self.namespaces: ResourceCache[ObservedNamespace] = namespace_cache(lambda _: None, self.records)
        self.secrets = secret_cache(lambda _: None)
        self.annotate(REFRESH if annotations is None else annotations)
        if secret is not None:
            self.secrets.upsert(secret)
        self.reporter = StatusReporter(self.recorded, self.recorded, records=self.records, clock=lambda: self.now)
        self.controller = ControllerPrincipal(
            secrets=self.secrets.items,
            enqueue=self.enqueued.append,
            jitter=Rotation().jitter,
            clock=lambda: self.now,
        )
        self.reconciler = Reconciler(
            namespaces=NamespaceView(self.namespaces, self.read),
            secrets=self.secrets,
            client=self,
            tokens=_Tokens(self),
            identities=Identities(
                controller=self.controller,
                source=self,
                service_accounts=self,
                records=self.records,
                policy=lambda: self.policy,
                observed=lambda *name: account.principal if (account := self.accounts.get(name)) else UNKNOWN,
            ),
            records=self.records,
            reporter=self.reporter,
            rotation=Rotation(),
            clock=lambda: self.now,
            desired_states=DesiredStates(
                self.records,
                lambda: self.policy,
                clock=lambda: self.now,
                opt_out_grace=GRACE,
                on_opt_in_lost=self.count_loss,
                attach_service_accounts=False,
                installation=INSTALLATION,
            ),
            waiting=lambda _: nullcontext(),
        )

    def annotate(self, annotations: dict[str, str]) -> None:
        known = self.namespaces.get(self.NAME)
        version = known.resource_version + 1 if known else 1
        self.namespaces.upsert(
            ObservedNamespace(name=self.NAME, uid="uid", resource_version=version, annotations=annotations)
        )

    async def read(self, name: str, version: int) -> ObservedNamespace | None:
        self.reads.append((name, version))
        if self.unreadable:
            raise self.unreadable
        return self.current or self.namespaces.get(name)

    def count_loss(self) -> None:
        self.losses += 1

    async def reconcile(self) -> Result:
        return await self.reconciler.reconcile(self.NAME)

    async def apply(self, namespace: str, content: PullSecret, secret: ObservedSecret | None) -> ObservedSecret:
        self._fail()
        self.written.append(content.record)
        version = secret.resource_version + 1 if secret else 1
        return replace(managed(content.record), namespace=namespace, resource_version=version)

    async def delete(self, namespace: str, secret: ObservedSecret) -> None:  # noqa: ARG002 -- the protocol's
        self._fail()
        self.deleted.append(secret)

    async def read_auths(self, namespace: str) -> dict[RegistryHost, Password]:  # noqa: ARG002 -- the protocol's
        return {EU: auth(), US: auth(), EU_OTHER_ACCOUNT: auth()}

    async def principal(self, requester: Requester, identity: Identity) -> str:
        """Tell who is behind the controller's identity, as AWS would when a token is wanted."""
        assert requester.namespace == self.NAME
        if self.learned:
            self.controller.record(identity.name, self.learned)
        return self.learned

    async def resolve(self, identity: Identity) -> Identity:
        self._fail()
        return replace(identity, uid=self.account_uid, role_arn=ROLE, audience="sts.amazonaws.com")

    def _fail(self) -> None:
        if self.error:
            raise self.error


class _Tokens:
    def __init__(self, harness: ReconcilerHarness) -> None:
        self._harness = harness

    async def get(
        self,
        scope: TokenScope,
        hosts: Iterable[RegistryHost],  # noqa: ARG002 -- the protocol's
        requester: Requester,
        *,
        not_before: datetime | None = None,
    ) -> TokenResult:
        self._harness.fresh_since.append(not_before)
        self._harness.requesters.append(requester)
        self._harness.scopes.append(scope)
        results, anyway = self._harness.results_as, self._harness.token_result
        return results.get(scope.identity.name) or results.get(scope.label, anyway)

    def revoked(self, *_: object) -> frozenset[RegistryHost]:
        return frozenset()


async def test_written_secret_is_its_status_and_known_at_once() -> None:
    """It is requeued for the rotation, and its Event and the time to it are reported."""
    harness = ReconcilerHarness(annotations=ON)
    assert harness.reconciler.priority("team-a") is Priority.NEW
    result = await harness.reconcile()
    secret = harness.secrets.get("team-a")
    assert secret is not None
    assert (result.status, result.failures, result.error) == (Status(secret=secret), (), None)
    assert result.requeue_at is not None
    assert LATER + 5 * HOUR < result.requeue_at < LATER + 8 * HOUR
    assert [reason for _, reason, _ in harness.recorded.events] == ["PullSecretCreated"]
    assert len(harness.recorded.times_to_secret) == 1
    assert harness.reconciler.priority("team-a") is Priority.ROTATION
    assert {(each.namespace, each.first) for each in harness.requesters} == {("team-a", True)}


async def test_failure_to_write_is_returned_with_all_others() -> None:
    """The worker backs off by the error; what failed before is reported with it."""
    harness = ReconcilerHarness(annotations=ON)
    harness.token_result = TokenResult(token=token(issued=LATER), failure=THROTTLED, retry_at=LATER + HOUR)
    harness.error = REFUSED
    result = await harness.reconcile()
    assert (result.status, result.requeue_at, result.error) == (Status(secret=None), None, REFUSED)
    assert set(result.failures) == {THROTTLED, REFUSED.failure}
    assert harness.recorded.writes == [("create", "error")]
    assert harness.recorded.times_to_secret == []


async def test_failure_to_get_a_token_requeues_for_its_retry() -> None:
    """It is no error to back off from: the token cache says when to ask again."""
    harness = ReconcilerHarness(annotations=ON)
    harness.token_result = TokenResult(failure=THROTTLED, retry_at=LATER + HOUR)
    result = await harness.reconcile()
    assert (result.status, result.requeue_at, result.error) == (Status(secret=None), LATER + HOUR, None)
    assert set(result.failures) == {THROTTLED}
    assert harness.written == []


async def test_a_first_secret_that_waits_for_a_token_is_outdated_until_it_is_there() -> None:
    """It has the other region's entry at once. Nothing has failed, and yet nobody may take it for ready."""
    harness = ReconcilerHarness(annotations=ON)
    record, slow = harness.records.get("team-a"), {US.region: TokenResult(retry_at=LATER + HOUR)}
    for harness.results_as in (slow, {}):
        harness.reporter.report("team-a", record, [await harness.reconcile()])
    assert [each.registries for each in harness.written] == [(EU,), (EU, US)]
    assert [state for _, state, _ in harness.recorded.states] == [State.OUTDATED, State.READY]


async def test_stale_observation_is_raised() -> None:
    """There is nothing to report: the watch brings what has changed."""
    harness = ReconcilerHarness(annotations=ON)
    harness.error = StaleObservationError("team-a")
    with pytest.raises(StaleObservationError):
        await harness.reconcile()


async def test_secret_that_is_not_requested_any_more_is_deleted() -> None:
    """Then there is no status any more; where it cannot be deleted, it is that of a namespace not opted in."""
    secret = managed(published(EU))
    harness = ReconcilerHarness(secret, annotations={"enabled": "false"})
    harness.error = REFUSED
    assert await harness.reconcile() == Result(
        status=Status(secret=secret, opted_in=False), failures=(REFUSED.failure,), error=REFUSED
    )
    harness.error = None
    assert await harness.reconcile() == Result()
    assert harness.deleted == [secret]
    assert harness.secrets.get("team-a") is None
    assert harness.recorded.writes == [("delete", "error"), ("delete", "success")]
    assert [reason for _, reason, _ in harness.recorded.events] == ["PullSecretDeleted"]


async def test_secret_that_is_newer_than_the_namespace_is_known_is_deleted_once_that_was_read() -> None:
    """It may be due to an opt-in that the watch of Namespaces has yet to bring."""
    secret = replace(managed(published(EU)), resource_version=9)
    harness = ReconcilerHarness(secret, annotations={})
    known = harness.namespaces.get("team-a")
    assert known is not None
    harness.current = replace(known, resource_version=7)
    with pytest.raises(StaleObservationError):
        await harness.reconcile()
    assert (harness.deleted, harness.reads) == ([], [("team-a", 9)])
    harness.annotate({})
    harness.current = None
    await harness.reconcile()
    assert (harness.deleted, harness.reads) == ([secret], [("team-a", 9)] * 2)


async def test_namespace_that_cannot_be_read_is_reported_and_keeps_its_secret() -> None:
    """Whatever the reason."""
    secret = replace(managed(published(EU)), resource_version=9)
    harness = ReconcilerHarness(secret, annotations={})
    harness.unreadable = REFUSED
    assert (await harness.reconcile()).error is REFUSED
    assert harness.deleted == []


async def test_foreign_secret_is_a_conflict() -> None:
    """It is left alone, and looked at again only when something changes."""
    result = await ReconcilerHarness(FOREIGN, annotations=ON).reconcile()
    assert (result.status, result.requeue_at, result.error) == (Status(secret=FOREIGN), None, None)
    assert [failure.reason for failure in result.failures] == [Reason.SECRET_CONFLICT]


@pytest.mark.parametrize("secret", [None, managed(published(EU))])
async def test_invalid_annotations_are_a_failure(secret: ObservedSecret | None) -> None:
    """Nothing is created; a Secret that is there is kept up, so it is requeued for its rotation."""
    result = await ReconcilerHarness(secret, annotations={"enabled": "true", "unknown": "key"}).reconcile()
    assert result.status == Status(secret=secret)
    assert [failure.reason for failure in result.failures] == [Reason.INVALID_ANNOTATION]
    assert (result.requeue_at is None, result.error) == (secret is None, None)


async def test_namespace_that_requests_nothing_has_no_status() -> None:
    """Nor has one that does not exist."""
    harness = ReconcilerHarness(annotations={})
    assert await harness.reconcile() == Result()
    assert await harness.reconciler.reconcile("unknown") == Result()


@pytest.mark.parametrize(
    "secret",
    [
        managed(published(EU, US)),
        managed(published(EU)),
        managed(published(EU, US, refresh_requested_at="old")),
        replace(managed(published(EU, US)), intact=False),
        managed(published(EU, US, issued=NOW - 11 * HOUR)),
    ],
    ids=["alone", "with a change", "after another", "with a repair", "with a rotation"],
)
async def test_refresh_request_gets_fresh_tokens(secret: ObservedSecret) -> None:
    """Whatever else is to be done: one for each region, younger than the request, which is then answered."""
    harness = ReconcilerHarness(secret)
    await harness.reconcile()
    assert harness.fresh_since == [LATER, LATER]
    assert [record.refresh_requested_at for record in harness.written] == ["new"]


async def test_answered_refresh_request_gets_nothing_more() -> None:
    """A later change takes the tokens that are there."""
    harness = ReconcilerHarness(managed(published(EU, refresh_requested_at="new")))
    await harness.reconcile()
    assert harness.fresh_since == [None, None]


async def test_value_that_a_first_secret_is_created_with_is_no_request() -> None:
    """Many namespaces made from one template share one token."""
    harness = ReconcilerHarness()
    await harness.reconcile()
    assert harness.fresh_since == [None, None]
    assert [record.refresh_requested_at for record in harness.written] == ["new"]


async def test_new_value_while_there_is_no_secret_is_a_request() -> None:
    """Whoever has fixed something need not wait for the next retry."""
    harness = ReconcilerHarness()
    harness.token_result = TokenResult(failure=THROTTLED, retry_at=LATER + HOUR)
    await harness.reconcile()
    harness.annotate({**ON, "refresh-requested-at": "newer"})
    await harness.reconcile()
    assert harness.fresh_since == [None, None, LATER, LATER]


ACCOUNT_ON = {"enabled": "true", "registries": str(EU), "service-account-name": "puller"}


async def test_service_account_is_looked_up_before_any_token() -> None:
    """A token is fetched as this ServiceAccount, with its uid and role: one of the same name is another identity."""
    harness = ReconcilerHarness(annotations=ACCOUNT_ON)
    harness.policy = Policy(service_accounts=ANYBODY)
    await harness.reconcile()
    harness.account_uid = "uid-2"
    harness.annotate({**ACCOUNT_ON, "registries": f"{EU},{US}"})
    await harness.reconcile()
    before, after = harness.scopes[0].identity, harness.scopes[-1].identity
    assert (before.uid, before.role_arn, before.audience) == ("uid-1", ROLE, "sts.amazonaws.com")
    assert (after.uid, after.name) == ("uid-2", before.name)


async def test_service_account_that_was_read_as_another_than_is_watched_is_read_again_soon() -> None:
    """A reply may be older than what the watch has told; nothing would change any more that has it read again."""
    held = record_of(published(EU).held, "system:serviceaccount:team-a:puller", principal=ROLE_A)
    harness = ReconcilerHarness(managed(held), ACCOUNT_ON)
    harness.policy = Policy(service_accounts=ANYBODY)
    harness.accounts["team-a", "puller"] = ObservedServiceAccount(
        namespace="team-a", name="puller", uid="uid-1", resource_version=2, principal=ROLE_B
    )
    waits = []
    for read in (ROLE_A, ROLE_B):
        harness.token_result = TokenResult(token=token(issued=LATER, principal=read))
        result = await harness.reconcile()
        assert result.requeue_at is not None
        waits.append(result.requeue_at - LATER)
    assert waits[0] == timedelta(minutes=1)
    assert waits[1] > 5 * HOUR


async def test_service_account_for_another_audience_gets_no_token() -> None:
    """None is requested for a service that the settings do not allow, such as the API server."""
    harness = ReconcilerHarness(annotations=ACCOUNT_ON)
    harness.policy = Policy(service_accounts=ANYBODY, audiences=("sts.amazonaws.com.cn",))
    result = await harness.reconcile()
    assert (harness.scopes, harness.written) == ([], [])
    assert [failure.reason for failure in result.failures] == [Reason.ROLE_NOT_ALLOWED]


async def test_service_account_that_cannot_be_used_gets_no_token() -> None:
    """Not even one that is in memory from before: its failure is reported, and the worker backs off."""
    harness = ReconcilerHarness(annotations=ACCOUNT_ON)
    harness.policy = Policy(service_accounts=ANYBODY)
    harness.error = FailureError(Failure(reason=Reason.SERVICE_ACCOUNT_UNUSABLE, message="no role"))
    result = await harness.reconcile()
    assert (harness.scopes, harness.written) == ([], [])
    assert (result.failures, result.error) == ((harness.error.failure,), harness.error)


async def test_invalid_annotations_freeze_the_last_valid_request() -> None:
    """What the Secret says of itself decides nothing."""
    harness = ReconcilerHarness(annotations=ON)
    await harness.reconcile()
    harness.annotate({**ON, "enabled": "False", "registries": "x"})
    forged = managed(record_of(published(US, issued=LATER - 11 * HOUR).held, "arn:aws:iam::1:role/x"))
    harness.secrets.upsert(replace(forged, resource_version=99))
    await harness.reconcile()
    assert harness.written[-1].registries == (EU, US)
    assert {scope.identity for scope in harness.scopes} == {CONTROLLER}


async def test_restart_takes_nothing_from_a_secret_whose_namespace_is_not_clearly_opted_in() -> None:
    """`enabled: "False"` is a slip; a Secret beside it that claims the controller's identity may be the tenant's."""
    harness = ReconcilerHarness(managed(published(EU, issued=LATER - 11 * HOUR)), {"enabled": "False"})
    result = await harness.reconcile()
    assert (harness.scopes, harness.written) == ([], [])
    assert [failure.reason for failure in result.failures] == [Reason.INVALID_ANNOTATION]


@pytest.mark.parametrize("issued", [LATER + HOUR, LATER + 8000 * 24 * HOUR])
async def test_secret_from_the_future_is_repaired(issued: datetime) -> None:
    """It would never be replaced; the wrong clock, or the tenant, that wrote it does not matter."""
    harness = ReconcilerHarness(managed(published(EU, US, issued=issued)), ON)
    await harness.reconcile()
    assert [record.validities[0].issued_at for record in harness.written] == [LATER]


async def test_only_what_is_requested_is_published() -> None:
    """A Secret that names another identity, registry or time than its namespace may have is not revalidated."""
    harness = ReconcilerHarness(annotations={"enabled": "true", "registries": str(EU)})
    held = published(EU, US)
    for record, hosts in (
        (held, [EU]),
        (record_of(held.held, "system:serviceaccount:victim:puller"), []),
        (published(EU, US, issued=LATER + HOUR), []),
        (published(US), []),
    ):
        version = getattr(harness.secrets.get("team-a"), "resource_version", 0) + 10
        harness.secrets.upsert(replace(managed(record), resource_version=version))
        assert [each.host for each in harness.reconciler.published()] == hosts
    harness.secrets.upsert(replace(managed(held), resource_version=99, intact=False))
    assert list(harness.reconciler.published()) == []
