"""What is said of a namespace, and how often."""

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from controller.core.observed_secret import ObservedSecret
from controller.core.plan import Cause
from controller.core.reasons import Failure, Reason
from controller.core.state import State
from controller.report import Report
from tests.core.examples import EU, FOREIGN, NOW, managed, published

SECRET = managed(published(EU))
EXPIRES = published(EU).expires_at
DENIED = Failure(reason=Reason.ACCESS_DENIED, message="allow it")
INVALID = Failure(reason=Reason.INVALID_ANNOTATION, message="mend it")
CONFLICT = Failure(reason=Reason.SECRET_CONFLICT, message="move it")


@dataclass
class Ledger:
    """Writes down what is posted and counted."""

    posted: list[tuple[str, str, str, bool]] = field(default_factory=list)
    writes: list[tuple[str, str]] = field(default_factory=list)
    states: list[tuple[str, str | None, datetime | None]] = field(default_factory=list)
    waits: list[timedelta] = field(default_factory=list)

    def post(
        self,
        namespace: str,
        reason: str,
        note: str,
        *,
        warning: bool,
        secret: ObservedSecret | None,  # noqa: ARG002 -- the protocol's
        detail: str = "",
    ) -> None:
        self.posted.append((namespace, reason, note + detail, warning))

    def secret_write(self, operation: str, result: str) -> None:
        self.writes.append((operation, result))

    def stands(self, namespace: str, state: str | None, expires_at: datetime | None) -> None:
        self.states.append((namespace, state, expires_at))

    def first_secret(self, wait: timedelta) -> None:
        self.waits.append(wait)


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def report(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> Report:
    caplog.set_level(logging.DEBUG, "controller")
    return Report(ledger, ledger)


@pytest.mark.parametrize(
    ("secret", "failures", "state"),
    [
        (SECRET, (), State.READY),
        (None, (), State.PENDING),
        (None, (DENIED,), State.PENDING),
        (SECRET, (DENIED,), State.FAILING),
        (SECRET, (INVALID,), State.MISCONFIGURED),
        (None, (INVALID,), State.MISCONFIGURED),
        (SECRET, (DENIED, INVALID), State.MISCONFIGURED),
        (FOREIGN, (CONFLICT,), State.CONFLICT),
        (SECRET, (CONFLICT, DENIED), State.CONFLICT),
        (FOREIGN, (), State.PENDING),
        (managed(None, intact=False), (), State.READY),
    ],
)
def test_how_a_namespace_stands(
    ledger: Ledger, report: Report, secret: ObservedSecret | None, failures: tuple[Failure, ...], state: State
) -> None:
    """The worst that somebody can mend counts; a stranger's Secret is none, and only ours tells an expiry."""
    report.stands("a", secret, failures)
    readable = secret is not None and secret.published is not None
    assert ledger.states == [("a", state, EXPIRES if readable else None)]


@pytest.mark.parametrize(
    ("reason", "event"),
    [
        (Reason.ACCESS_DENIED, "AccessDenied"),
        (Reason.THROTTLED, "TokenFetchFailed"),
        (Reason.CREDENTIALS_MISSING, "TokenFetchFailed"),
        (Reason.CREDENTIALS_INVALID, "TokenFetchFailed"),
        (Reason.NODE_ROLE_REFUSED, "TokenFetchFailed"),
        (Reason.REGION_INVALID, "TokenFetchFailed"),
        (Reason.NETWORK_UNREACHABLE, "TokenFetchFailed"),
        (Reason.SERVICE_ERROR, "TokenFetchFailed"),
        (Reason.MALFORMED_ANSWER, "TokenFetchFailed"),
        (Reason.TOKEN_EXPIRED, "TokenFetchFailed"),
        (Reason.INVALID_ANNOTATION, "InvalidAnnotation"),
        (Reason.SECRET_CONFLICT, "SecretConflict"),
        (Reason.KUBERNETES_DENIED, None),
        (Reason.KUBERNETES_UNAVAILABLE, None),
    ],
)
def test_what_its_owner_can_mend_becomes_an_event(
    ledger: Ledger, report: Report, reason: Reason, event: str | None
) -> None:
    """Trouble with the API server is not the namespace's, and could not be posted there anyway."""
    report.stands("a", SECRET, (Failure(reason=reason, message="words"),))
    assert ledger.posted == ([("a", event, "words", True)] if event else [])


def test_an_event_shows_the_detail(ledger: Ledger, report: Report) -> None:
    """AWS's own words stand behind the advice."""
    report.stands("a", SECRET, (Failure(reason=Reason.ACCESS_DENIED, message="allow it", detail="No."),))
    assert ledger.posted == [("a", "AccessDenied", "allow it [No.]", True)]


def test_the_same_trouble_is_logged_once(report: Report, caplog: pytest.LogCaptureFixture) -> None:
    """A hundred tries of the same are one line; other trouble beside it is another, and words that vary are none."""
    for number in range(100):
        report.stands("a", SECRET, (Failure(reason=DENIED.reason, message=DENIED.message, detail=f"{number}"),))
    report.stands("a", SECRET, (DENIED, CONFLICT))
    assert caplog.messages == ["namespace/a: allow it [0] (AccessDenied)", "namespace/a: move it (SecretConflict)"]


def test_the_same_trouble_elsewhere_is_logged_there(report: Report, caplog: pytest.LogCaptureFixture) -> None:
    """What was said of one namespace is not said of another."""
    for name in ("a", "b"):
        report.stands(name, SECRET, (DENIED,))
    assert [message.partition(":")[0] for message in caplog.messages] == ["namespace/a", "namespace/b"]


def test_a_recovery_is_logged_once_and_new_trouble_anew(report: Report, caplog: pytest.LogCaptureFixture) -> None:
    """The end of trouble is worth a line; what is well all the time is worth none."""
    for failures in ((), (DENIED,), (), (), (DENIED,)):
        report.stands("a", SECRET, failures)
    assert caplog.messages == [
        "namespace/a: allow it (AccessDenied)",
        "namespace/a: all is well again",
        "namespace/a: allow it (AccessDenied)",
    ]


def test_a_namespace_that_is_forgotten_begins_anew(
    ledger: Ledger, report: Report, caplog: pytest.LogCaptureFixture
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
def test_a_write_is_told_with_its_cause(
    ledger: Ledger, report: Report, caplog: pytest.LogCaptureFixture, *, cause: Cause, reason: str, what: str
) -> None:
    """Log and Event say what was done, for which registries, and how long the token is good."""
    report.wrote("a", cause, SECRET, None)
    note = f"pull Secret {what} for {EU}; the token is good until 2026-03-02 00:00:00Z"
    assert ledger.posted == [("a", reason, note, False)]
    assert caplog.messages == [f"namespace/a: {note}"]


def test_a_write_whose_result_cannot_be_read_is_still_told(ledger: Ledger, report: Report) -> None:
    """Even if somebody has changed the annotations in the same moment."""
    report.wrote("a", Cause.CHANGED, managed(None, intact=False), None)
    assert ledger.posted == [("a", "PullSecretUpdated", "pull Secret changed", False)]


def test_a_rotation_is_no_event(ledger: Ledger, report: Report, caplog: pytest.LogCaptureFixture) -> None:
    """What is expected fills neither the Events nor the log at its usual level."""
    report.wrote("a", Cause.ROTATED, SECRET, None)
    assert ledger.posted == []
    assert [record.levelno for record in caplog.records] == [logging.DEBUG]


def test_the_wait_for_a_first_secret_is_measured(ledger: Ledger, report: Report) -> None:
    """How long a namespace waited is observed when it is known."""
    report.wrote("a", Cause.CREATED, SECRET, timedelta(seconds=3))
    report.wrote("b", Cause.CREATED, SECRET, None)
    assert ledger.waits == [timedelta(seconds=3)]


def test_a_removal_is_told(ledger: Ledger, report: Report) -> None:
    """Whoever opted out sees that the Secret is gone on purpose."""
    report.removed("a", SECRET)
    assert ledger.posted == [("a", "PullSecretDeleted", "pull Secret deleted: the namespace is opted out", False)]


def test_a_write_is_counted_by_how_it_ends(ledger: Ledger, report: Report) -> None:
    """A failed write is an error, and its exception goes on."""
    with report.writing("create"):
        assert ledger.writes == []
    with pytest.raises(RuntimeError), report.writing("rotate"):
        raise RuntimeError
    assert ledger.writes == [("create", "success"), ("rotate", "error")]


def test_the_times_in_a_note_are_in_utc(ledger: Ledger, report: Report) -> None:
    """The example's token dies at midnight, twelve hours after it was issued."""
    assert NOW + timedelta(hours=12) == EXPIRES
    report.wrote("a", Cause.CREATED, SECRET, None)
    assert ledger.posted[0][2].endswith("Z")
