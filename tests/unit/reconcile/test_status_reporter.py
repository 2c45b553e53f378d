"""What is said of a namespace, and how often."""

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from pullkeeper.domain.errors.failures import Failure, FailureError, Reason
from pullkeeper.domain.reporting.event_reasons import EventReason
from pullkeeper.domain.reporting.state import State
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.plan import Cause
from pullkeeper.reconcile.status_reporter import StatusReporter
from testsupport.examples import EU, FOREIGN, NOW, managed, published
from testsupport.virtual_time import now

SECRET = managed(published(EU))
EXPIRES = published(EU).expires_at
DENIED = Failure(reason=Reason.ACCESS_DENIED, message="allow it")
INVALID = Failure(reason=Reason.INVALID_ANNOTATION, message="mend it")
CONFLICT = Failure(reason=Reason.SECRET_CONFLICT, message="move it")


@dataclass
class Ledger:
    """Writes down what is posted and counted."""

    posted: list[tuple[str, str, str]] = field(default_factory=list)
    writes: list[tuple[str, str]] = field(default_factory=list)
    states: list[tuple[str, str | None, datetime | None]] = field(default_factory=list)
    waits: list[timedelta] = field(default_factory=list)

    def post(
        self,
        namespace: str,
        reason: EventReason,
        note: str,
        *,
        secret: ObservedSecret | None,  # noqa: ARG002 -- the protocol's
        detail: str = "",
    ) -> None:
        self.posted.append((namespace, reason.value, note + detail))

    def record_secret_write(self, operation: str, result: str) -> None:
        self.writes.append((operation, result))

    def set_namespace_state(self, namespace: str, state: str | None, expires_at: datetime | None) -> None:
        self.states.append((namespace, state, expires_at))

    def forget_namespaces(self) -> None:
        self.states.clear()

    def observe_time_to_secret(self, wait: timedelta) -> None:
        self.waits.append(wait)


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def report(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> StatusReporter:
    caplog.set_level(logging.DEBUG, "pullkeeper")
    return StatusReporter(ledger, ledger, clock=now)


@pytest.mark.parametrize(
    ("secret", "state", "expires_at"),
    [(SECRET, State.READY, EXPIRES), (FOREIGN, State.CONFLICT, None), (managed(None), State.CORRUPT, None)],
)
async def test_how_a_namespace_stands_is_measured(
    ledger: Ledger, report: StatusReporter, secret: ObservedSecret, state: State, expires_at: datetime | None
) -> None:
    """Only a Secret of ours tells an expiry, and only one that can be read."""
    report.stands("a", secret, ())
    assert ledger.states == [("a", state, expires_at)]


async def test_trouble_with_the_api_server_is_no_event(ledger: Ledger, report: StatusReporter) -> None:
    """It is not the namespace's, and could not be posted there anyway."""
    report.stands("a", SECRET, (Failure(reason=Reason.KUBERNETES_DENIED, message="words"),))
    assert ledger.posted == []


async def test_an_event_shows_the_detail(ledger: Ledger, report: StatusReporter) -> None:
    """AWS's own words stand behind the advice."""
    report.stands("a", SECRET, (Failure(reason=Reason.ACCESS_DENIED, message="allow it", detail="No."),))
    assert ledger.posted == [("a", "AccessDenied", "allow it [No.]")]


async def test_the_same_trouble_is_logged_once(report: StatusReporter, caplog: pytest.LogCaptureFixture) -> None:
    """A hundred tries of the same are one line; other trouble beside it is another, and words that vary are none."""
    for number in range(100):
        report.stands("a", SECRET, (Failure(reason=DENIED.reason, message=DENIED.message, detail=f"{number}"),))
    report.stands("a", SECRET, (DENIED, CONFLICT))
    assert caplog.messages == ["namespace/a: allow it [0] (AccessDenied)", "namespace/a: move it (SecretConflict)"]


async def test_the_same_trouble_elsewhere_is_logged_there(
    report: StatusReporter, caplog: pytest.LogCaptureFixture
) -> None:
    """What was said of one namespace is not said of another."""
    for name in ("a", "b"):
        report.stands(name, SECRET, (DENIED,))
    assert [message.partition(":")[0] for message in caplog.messages] == ["namespace/a", "namespace/b"]


async def test_a_recovery_is_logged_once_and_new_trouble_anew(
    report: StatusReporter, caplog: pytest.LogCaptureFixture
) -> None:
    """The end of trouble is worth a line; what is well all the time is worth none."""
    for failures in ((), (DENIED,), (), (), (DENIED,)):
        report.stands("a", SECRET, failures)
    assert caplog.messages == [
        "namespace/a: allow it (AccessDenied)",
        "namespace/a: all is well again",
        "namespace/a: allow it (AccessDenied)",
    ]


async def test_a_namespace_that_is_forgotten_begins_anew(
    ledger: Ledger, report: StatusReporter, caplog: pytest.LogCaptureFixture
) -> None:
    """Its metrics go, and if it comes back with the same trouble, that is told again."""
    report.stands("a", SECRET, (DENIED,))
    report.forget("a")
    report.stands("a", SECRET, (DENIED,))
    assert len(caplog.messages) == 2
    assert ledger.states[1] == ("a", None, None)


@pytest.mark.parametrize(
    ("cause", "reason", "what"),
    [
        (Cause.CREATED, "PullSecretCreated", "created"),
        (Cause.REPAIRED, "PullSecretUpdated", "put right after somebody had changed it"),
        (Cause.CHANGED, "PullSecretUpdated", "changed"),
        (Cause.REFRESHED, "PullSecretUpdated", "refreshed on request"),
    ],
)
async def test_a_write_is_told_with_its_cause(
    ledger: Ledger, report: StatusReporter, caplog: pytest.LogCaptureFixture, *, cause: Cause, reason: str, what: str
) -> None:
    """Log and Event say what was done, for which registries, and how long the token is good."""
    report.wrote("a", cause, SECRET, None)
    note = f"pull Secret {what} for {EU}; the token is good until 2026-03-02 00:00:00Z"
    assert ledger.posted == [("a", reason, note)]
    assert caplog.messages == [f"namespace/a: {note}"]


async def test_a_write_whose_result_cannot_be_read_is_still_told(ledger: Ledger, report: StatusReporter) -> None:
    """Even if somebody has changed the annotations in the same moment."""
    report.wrote("a", Cause.CHANGED, managed(None, intact=False), None)
    assert ledger.posted == [("a", "PullSecretUpdated", "pull Secret changed")]


async def test_a_rotation_is_no_event(ledger: Ledger, report: StatusReporter, caplog: pytest.LogCaptureFixture) -> None:
    """What is expected fills neither the Events nor the log at its usual level."""
    report.wrote("a", Cause.ROTATED, SECRET, None)
    assert ledger.posted == []
    assert [record.levelno for record in caplog.records] == [logging.DEBUG]


async def test_the_wait_for_a_first_secret_is_measured(ledger: Ledger, report: StatusReporter) -> None:
    """How long a namespace waited is observed when it is known."""
    report.wrote("a", Cause.CREATED, SECRET, timedelta(seconds=3))
    report.wrote("b", Cause.CREATED, SECRET, None)
    assert ledger.waits == [timedelta(seconds=3)]


async def test_a_removal_is_told(ledger: Ledger, report: StatusReporter) -> None:
    """Whoever opted out sees that the Secret is gone on purpose, once it is."""
    with report.removing("a", SECRET):
        assert ledger.posted == []
    assert ledger.posted == [("a", "PullSecretDeleted", "pull Secret deleted: the namespace is opted out")]
    assert ledger.writes == [("delete", "success")]


async def test_a_removal_that_fails_is_told_as_any_trouble(
    ledger: Ledger, report: StatusReporter, caplog: pytest.LogCaptureFixture
) -> None:
    """The Secret is still there, and so is the namespace's state; the exception goes on."""
    denied = Failure(reason=Reason.KUBERNETES_DENIED, message="grant it")
    with pytest.raises(FailureError), report.removing("a", SECRET):
        raise FailureError(denied)
    assert ledger.posted == []
    assert ledger.writes == [("delete", "error")]
    assert ledger.states == [("a", State.ORPHANED, EXPIRES)]
    assert caplog.messages == ["namespace/a: grant it (KubernetesDenied)"]


async def test_a_write_is_counted_by_how_it_ends(ledger: Ledger, report: StatusReporter) -> None:
    """A failed write is an error, and its exception goes on."""
    with report.writing("create", "a"):
        assert ledger.writes == []
    with pytest.raises(RuntimeError), report.writing("rotate", "a"):
        raise RuntimeError
    assert ledger.writes == [("create", "success"), ("rotate", "error")]


async def test_a_log_line_of_trouble_has_fields(report: StatusReporter, caplog: pytest.LogCaptureFixture) -> None:
    """Whose it is, why, which token, and when it is tried again; the words say the last as well."""
    failure = Failure(reason=Reason.THROTTLED, message="wait", identity="controller", region="eu-west-1")
    report.stands("a", SECRET, (failure,), NOW)
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


async def test_whoever_leads_no_more_begins_anew(ledger: Ledger, report: StatusReporter) -> None:
    """What another replica tells from now on is not told here, and when we lead again, it is."""
    report.stands("a", SECRET, (DENIED,))
    report.forget_namespaces()
    assert ledger.states == []
    report.stands("a", SECRET, ())
    assert [reason for _, reason, _ in ledger.posted] == ["AccessDenied"]


async def test_the_times_in_a_note_are_in_utc(ledger: Ledger, report: StatusReporter) -> None:
    """The example's token dies at midnight, twelve hours after it was issued."""
    assert NOW + timedelta(hours=12) == EXPIRES
    report.wrote("a", Cause.CREATED, SECRET, None)
    assert ledger.posted[0][2].endswith("Z")
