"""What is reported about a namespace, and how often."""

import asyncio
import logging
from contextlib import suppress
from datetime import datetime, timedelta

import pytest

from pullkeeper.domain.errors.failures import Failure, FailureError, Reason
from pullkeeper.domain.reporting.state import State
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.plan import Cause
from pullkeeper.reconcile.result import Result, Status
from tests.unit.reconcile.reporter_harness import ReporterHarness
from testsupport.examples import EU, FOREIGN, NOW, managed, published

SECRET = managed(published(EU))
EXPIRES_AT = published(EU).expires_at
DENIED = Failure(reason=Reason.ACCESS_DENIED, message="allow it")
INVALID = Failure(reason=Reason.INVALID_ANNOTATION, message="mend it")
CONFLICT = Failure(reason=Reason.SECRET_CONFLICT, message="move it")
REFUSED = Failure(reason=Reason.KUBERNETES_DENIED, message="grant it")


@pytest.fixture
def harness(caplog: pytest.LogCaptureFixture) -> ReporterHarness:
    caplog.set_level(logging.DEBUG, "pullkeeper")
    return ReporterHarness()


@pytest.mark.parametrize(
    ("secret", "opted_in", "state", "expires_at"),
    [
        (SECRET, True, State.READY, EXPIRES_AT),
        (SECRET, False, State.ORPHANED, EXPIRES_AT),
        (FOREIGN, True, State.CONFLICT, None),
        (managed(None), True, State.CORRUPT, None),
        (None, True, State.PENDING, None),
    ],
)
async def test_state_and_expiry_are_metrics(
    harness: ReporterHarness, secret: ObservedSecret, state: State, expires_at: datetime | None, *, opted_in: bool
) -> None:
    """Only a readable Secret of ours has an expiry."""
    harness.report_all("a", Result(status=Status(secret=secret, opted_in=opted_in)))
    assert harness.recorded.states == [("a", state, expires_at)]


async def test_state_is_that_of_the_result_with_a_status(harness: ReporterHarness) -> None:
    """A ServiceAccount that cannot be patched is logged, and does not make the pull Secret a failing one."""
    harness.report_all("a", Result(status=Status(secret=SECRET)), Result(failures=(REFUSED,)))
    assert harness.recorded.states == [("a", State.READY, EXPIRES_AT)]
    assert harness.records.get("a").reported_failures == (REFUSED,)


async def test_namespace_without_a_status_is_removed(
    harness: ReporterHarness, caplog: pytest.LogCaptureFixture
) -> None:
    """Its metrics go, and its former failures end without a word: nobody requests anything any more."""
    harness.report("a", SECRET, DENIED)
    harness.report_all("a", Result())
    assert harness.recorded.states[-1] == ("a", None, None)
    assert harness.reasons() == ["AccessDenied"]
    assert caplog.messages == ["namespace/a: allow it (AccessDenied)"]


async def test_failure_without_a_status_is_logged_once(
    harness: ReporterHarness, caplog: pytest.LogCaptureFixture
) -> None:
    """A ServiceAccount of a namespace that opts out cannot be detached, say."""
    for _ in range(3):
        harness.report_all("a", Result(), Result(failures=(REFUSED,)))
    assert caplog.messages == ["namespace/a: grant it (KubernetesDenied)"]


async def test_an_api_server_that_is_away_is_no_event_and_a_missing_right_is(harness: ReporterHarness) -> None:
    """Nothing can be posted there while it is away; who waits in the namespace for a right is told so."""
    harness.report("a", SECRET, Failure(reason=Reason.KUBERNETES_UNAVAILABLE, message="away"))
    assert harness.recorded.events == []
    harness.report("a", SECRET, REFUSED)
    assert harness.reasons() == ["KubernetesDenied"]


async def test_event_shows_the_detail(harness: ReporterHarness) -> None:
    """AWS's own words follow the advice."""
    harness.report("a", SECRET, Failure(reason=Reason.ACCESS_DENIED, message="allow it", detail="No."))
    assert harness.recorded.events == [("a", "AccessDenied", "allow it [No.]")]


async def test_same_failure_is_logged_once(harness: ReporterHarness, caplog: pytest.LogCaptureFixture) -> None:
    """A hundred retries are one line; another failure beside it is another line, and variable text makes none."""
    for number in range(100):
        harness.report("a", SECRET, Failure(reason=DENIED.reason, message=DENIED.message, detail=f"{number}"))
    harness.report("a", SECRET, DENIED, CONFLICT)
    assert caplog.messages == ["namespace/a: allow it [0] (AccessDenied)", "namespace/a: move it (SecretConflict)"]


async def test_same_failure_of_another_namespace_is_logged_for_it(
    harness: ReporterHarness, caplog: pytest.LogCaptureFixture
) -> None:
    """What is reported is remembered for each namespace."""
    for name in ("a", "b"):
        harness.report(name, SECRET, DENIED)
    assert [message.partition(":")[0] for message in caplog.messages] == ["namespace/a", "namespace/b"]


async def test_namespace_made_anew_is_warned_about_again(
    harness: ReporterHarness, caplog: pytest.LogCaptureFixture
) -> None:
    """With the same name and the same fault, its owner has seen neither the log line nor the Event yet."""
    for uid in ("first", "second"):
        harness.exists("a", uid)
        harness.report("a", None, INVALID)
    assert caplog.messages == ["namespace/a: mend it (InvalidAnnotation)"] * 2
    assert harness.reasons() == ["InvalidAnnotation"] * 2
    assert harness.recorded.event_uids == ["first", "second"]


async def test_recovery_is_logged_once_and_the_next_failure_anew(
    harness: ReporterHarness, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is logged while all is well."""
    for failures in ((), (DENIED,), (), (), (DENIED,)):
        harness.report("a", SECRET, *failures)
    assert caplog.messages == [
        "namespace/a: allow it (AccessDenied)",
        "namespace/a: all is well again",
        "namespace/a: allow it (AccessDenied)",
    ]


@pytest.mark.parametrize(
    ("cause", "reason", "what"),
    [
        (Cause.CREATED, "PullSecretCreated", "created"),
        (Cause.REPAIRED, "PullSecretUpdated", "put right after somebody had changed it"),
        (Cause.CHANGED, "PullSecretUpdated", "changed"),
        (Cause.REFRESHED, "PullSecretUpdated", "refreshed on request"),
    ],
)
async def test_write_is_reported_with_its_cause(
    harness: ReporterHarness, caplog: pytest.LogCaptureFixture, *, cause: Cause, reason: str, what: str
) -> None:
    """Log and Event say what was done, for which registries, and until when (UTC) the token is good."""
    assert NOW + timedelta(hours=12) == EXPIRES_AT
    harness.report_write("a", cause, SECRET)
    note = f"pull Secret {what} for {EU}; the token is good until 2026-03-02 00:00:00Z"
    assert harness.recorded.events == [("a", reason, note)]
    assert caplog.messages == [f"namespace/a: {note}"]


async def test_write_whose_result_cannot_be_read_is_reported(harness: ReporterHarness) -> None:
    """Even if somebody has changed the annotations at the same moment."""
    harness.report_write("a", Cause.CHANGED, managed(None, intact=False))
    assert harness.recorded.events == [("a", "PullSecretUpdated", "pull Secret changed")]


async def test_rotation_is_no_event(harness: ReporterHarness, caplog: pytest.LogCaptureFixture) -> None:
    """Routine fills neither the Events nor the log at its usual level."""
    harness.report_write("a", Cause.ROTATED, SECRET)
    assert harness.recorded.events == []
    assert [record.levelno for record in caplog.records] == [logging.DEBUG]


async def test_time_to_secret_is_observed_for_a_first_secret(harness: ReporterHarness) -> None:
    """From the first request on; not for later writes, nor where nobody knows since when it was requested."""
    harness.exists("a")
    await asyncio.sleep(3)
    for name, cause in (("a", Cause.CREATED), ("a", Cause.CHANGED), ("unknown", Cause.CREATED)):
        harness.report_write(name, cause, SECRET)
    assert harness.recorded.times_to_secret == [timedelta(seconds=3)]


async def test_deletion_is_reported(harness: ReporterHarness) -> None:
    """Whoever opted out sees that the Secret is gone on purpose."""
    harness.reporter.report_deletion("a", harness.records.get("a"), SECRET)
    note = "pull Secret deleted: the namespace is opted out"
    assert harness.recorded.events == [("a", "PullSecretDeleted", note)]


async def test_write_is_counted_by_its_outcome(harness: ReporterHarness) -> None:
    """A failed write is an error, and its exception is raised on."""
    with harness.reporter.observe_write("create", "a"):
        assert harness.recorded.writes == []
    with pytest.raises(RuntimeError), harness.reporter.observe_write("rotate", "a"):
        raise RuntimeError
    assert harness.recorded.writes == [("create", "success"), ("rotate", "error")]


async def test_writes_that_are_denied_in_a_row_are_noticed(harness: ReporterHarness) -> None:
    """Not a few, which a starting API server denies as well; not other failures; and no longer once one succeeds."""

    def write(reason: Reason | None) -> bool:
        with suppress(FailureError), harness.reporter.observe_write("rotate", "a"):
            if reason:
                raise FailureError(Failure(reason=reason, message="no"))
        return harness.reporter.writes_denied()

    denied = Reason.KUBERNETES_DENIED
    assert [write(reason) for reason in (denied, denied, Reason.KUBERNETES_UNAVAILABLE)] == [False] * 3
    assert [write(reason) for reason in (denied, None, denied, denied, denied)] == [True, False, False, False, True]
    harness.reporter.forget_namespaces()
    assert not harness.reporter.writes_denied()


async def test_log_line_of_a_failure_has_fields(harness: ReporterHarness, caplog: pytest.LogCaptureFixture) -> None:
    """Which namespace, why, which token, and when it is retried; the text says the last as well."""
    failure = Failure(reason=Reason.THROTTLED, message="wait", identity="controller", region="eu-west-1")
    harness.report("a", SECRET, failure, requeue_at=NOW)
    (record,) = caplog.records
    assert record.getMessage() == "namespace/a: wait (Throttled); next try at 12:00:00Z"
    found = {key: getattr(record, key) for key in ("namespace", "reason", "identity", "region", "next_try")}
    assert found == {
        "namespace": "a",
        "reason": "Throttled",
        "identity": "controller",
        "region": "eu-west-1",
        "next_try": "2026-03-01T12:00:00Z",
    }


async def test_requeue_is_no_next_try_of_what_waits_for_a_change(
    harness: ReporterHarness, caplog: pytest.LogCaptureFixture
) -> None:
    """A namespace with invalid annotations is requeued for its next rotation, which mends nothing."""
    harness.report("a", SECRET, INVALID, requeue_at=NOW)
    assert caplog.messages == ["namespace/a: mend it (InvalidAnnotation)"]


async def test_replica_that_leads_again_reports_anew(harness: ReporterHarness) -> None:
    """Another one has reported meanwhile."""
    harness.report("a", SECRET, DENIED)
    harness.reporter.forget_namespaces()
    assert harness.recorded.states == []
    harness.report("a", SECRET)
    assert harness.reasons() == ["AccessDenied"]
