"""Log records as JSON or text, and the limits on what libraries may log."""

import json
import logging
from collections.abc import Iterator

import pytest

from pullkeeper.app import log_setup

OURS = logging.getLogger("pullkeeper.reconcile.status_reporter")
KOPF = logging.getLogger("kopf._core.reactor.observation")


@pytest.fixture(autouse=True)
def _restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:], root.level = handlers, level
    logging.captureWarnings(capture=False)
    for name in ("kopf", "botocore", "boto3", "urllib3", "asyncio", "aiohttp"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def test_json_line_has_all_fields(capsys: pytest.CaptureFixture[str]) -> None:
    """A JSON line has the time in UTC, level, logger, message and the `extra` fields."""
    log_setup.configure_logging(form="json", level="info")
    extra = {"namespace": "team-a", "reason": "AccessDenied", "region": "eu-west-1"}
    OURS.warning("namespace/%s: %s", "team-a", "allow it", extra=extra)
    line = json.loads(capsys.readouterr().err)
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "WARNING",
        "logger": "pullkeeper.reconcile.status_reporter",
        "message": "namespace/team-a: allow it",
        "namespace": "team-a",
        "reason": "AccessDenied",
        "region": "eu-west-1",
    }


def test_text_line_is_time_level_and_message(capsys: pytest.CaptureFixture[str]) -> None:
    """A text line leaves the `extra` fields out: the message says the same."""
    log_setup.configure_logging(form="text", level="info")
    OURS.warning("namespace/team-a: allow it", extra={"namespace": "team-a"})
    time, _, message = capsys.readouterr().err.partition(" WARNING ")
    assert len(time) == len("2026-03-01 12:00:00Z")
    assert message == "namespace/team-a: allow it\n"


@pytest.mark.parametrize(
    ("name", "level", "passes"),
    [
        ("kopf.objects", logging.INFO, False),
        ("kopf.objects", logging.WARNING, True),
        ("botocore.credentials", logging.WARNING, False),
        ("botocore.credentials", logging.ERROR, True),
        ("urllib3.connectionpool", logging.DEBUG, False),
        ("asyncio", logging.DEBUG, False),
        ("pullkeeper.tokens.token_cache", logging.DEBUG, True),
    ],
)
def test_libraries_stay_quiet_at_level_debug(
    capsys: pytest.CaptureFixture[str], name: str, level: int, *, passes: bool
) -> None:
    """Level debug applies to the controller only: libraries would log whole responses of AWS."""
    log_setup.configure_logging(form="text", level="debug")
    logging.getLogger(name).log(level, "message")
    assert bool(capsys.readouterr().err) == passes


def record(message: str, at: float, name: str = KOPF.name, error: BaseException | None = None) -> logging.LogRecord:
    info = (type(error), error, error.__traceback__) if error else None
    made = logging.LogRecord(name, logging.ERROR, "", 0, message, (), info)
    made.created = at
    return made


def test_library_repeats_a_message_once_a_minute_with_a_count() -> None:
    """What goes on for an hour costs sixty lines, not thousands; other messages pass."""
    repeat_filter = log_setup.RepeatFilter()
    tries = [record(f"Event {each} failed", at=2.0 * each) for each in range(60)]
    passed = [each.getMessage() for each in tries if repeat_filter.filter(each)]
    assert passed == ["Event 0 failed", "Event 30 failed [and 29 more times]"]
    assert repeat_filter.filter(record("something else", at=1.0))


@pytest.mark.parametrize(
    ("name", "message", "passes"),
    [
        (KOPF.name, "Request attempt #1 failed; will retry: GET https://x -> APIForbiddenError('quoted', {})", False),
        (KOPF.name, "Request attempt #2/9 failed; escalating: GET https://x", False),
        (KOPF.name, "Event processing has failed", True),
        ("asyncio", "Request attempt #1 failed", True),
    ],
)
def test_attempts_of_kopf_are_left_to_our_own_words(name: str, message: str, *, passes: bool) -> None:
    """They quote what the API server has answered, one line for each attempt."""
    assert log_setup.RepeatFilter().filter(record(message, at=0.0, name=name)) is passes


def test_records_of_the_controller_always_pass() -> None:
    """The status reporter already avoids repeating itself."""
    repeat_filter = log_setup.RepeatFilter()
    assert all(
        repeat_filter.filter(record("the same", at=0.0, name="pullkeeper.reconcile.status_reporter")) for _ in range(3)
    )


def test_traceback_of_a_library_becomes_one_line() -> None:
    """A traceback is cut to the name of the exception, because it could show a token."""
    ours = record("Watcher has failed:\nTraceback (most recent call last):\n  File x", at=0, error=ValueError("secret"))
    assert log_setup.RepeatFilter().filter(ours)
    assert ours.getMessage() == "Watcher has failed: (ValueError)"
    assert (ours.exc_info, ours.exc_text) == (None, None)


def test_remembered_messages_are_bounded() -> None:
    """Messages that all differ do not fill the memory; the oldest is forgotten and may pass again."""
    repeat_filter = log_setup.RepeatFilter()
    for number in range(101):
        assert repeat_filter.filter(record("x" * number, at=0))
    assert repeat_filter.filter(record("", at=1))
    assert not repeat_filter.filter(record("x" * 100, at=1))


HOSTILE = "\x1b[2Jready\nERROR forged\u202e\x9b"


@pytest.mark.parametrize("form", ["json", "text"])
def test_text_from_outside_stays_one_line_without_commands(capsys: pytest.CaptureFixture[str], form: str) -> None:
    """Neither a terminal nor a reader of lines takes it for something else."""
    log_setup.configure_logging(form=form, level="info")
    OURS.warning("namespace/team-a: %s", HOSTILE, extra={"reason": HOSTILE})
    shown = capsys.readouterr().err
    assert shown.endswith("\n")
    assert shown[:-1].isprintable()
    assert "ready" in shown


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_long_message_is_shortened(capsys: pytest.CaptureFixture[str], form: str) -> None:
    """Whatever is in it."""
    log_setup.configure_logging(form=form, level="info")
    OURS.warning("%s", "x" * 250_000)
    assert 4_000 < len(capsys.readouterr().err) < 4_200
