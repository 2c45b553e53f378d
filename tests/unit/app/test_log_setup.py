"""The log: JSON with fields for machines, text for people, and libraries that hold their tongues."""

import json
import logging
from collections.abc import Iterator

import pytest

from pullkeeper.app import log_setup

OURS = logging.getLogger("pullkeeper.reconcile.status_reporter")
KOPF = logging.getLogger("kopf._core.reactor.observation")


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:], root.level = handlers, level
    logging.captureWarnings(capture=False)
    for name in ("kopf", "botocore", "boto3", "urllib3", "asyncio", "aiohttp"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def test_a_json_line_has_the_fields_of_what_happened(capsys: pytest.CaptureFixture[str]) -> None:
    """Time in UTC, level, where it comes from, the words, and whatever else is known."""
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


def test_a_text_line_is_time_level_and_words(capsys: pytest.CaptureFixture[str]) -> None:
    """The fields are for machines; the words say the same."""
    log_setup.configure_logging(form="text", level="info")
    OURS.warning("namespace/team-a: allow it", extra={"namespace": "team-a"})
    moment, _, words = capsys.readouterr().err.partition(" WARNING ")
    assert len(moment) == len("2026-03-01 12:00:00Z")
    assert words == "namespace/team-a: allow it\n"


@pytest.mark.parametrize(
    ("name", "level", "spoken"),
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
def test_at_debug_libraries_are_silent_all_the_same(
    capsys: pytest.CaptureFixture[str], name: str, level: int, *, spoken: bool
) -> None:
    """Their debug lines hold answers of AWS whole."""
    log_setup.configure_logging(form="text", level="debug")
    logging.getLogger(name).log(level, "words")
    assert bool(capsys.readouterr().err) == spoken


def record(words: str, at: float, name: str = KOPF.name, error: BaseException | None = None) -> logging.LogRecord:
    info = (type(error), error, error.__traceback__) if error else None
    made = logging.LogRecord(name, logging.ERROR, "", 0, words, (), info)
    made.created = at
    return made


def test_a_library_says_the_same_once_a_minute_and_how_often_it_was() -> None:
    """An API server that is away for an hour is sixty lines of kopf's, not thousands; other words pass."""
    sparing = log_setup.RepeatFilter()
    tries = [record(f"Request attempt #{each} failed", at=2.0 * each) for each in range(60)]
    passed = [each.getMessage() for each in tries if sparing.filter(each)]
    assert passed == ["Request attempt #0 failed", "Request attempt #30 failed [and 29 more times]"]
    assert sparing.filter(record("something else", at=1.0))


def test_we_ourselves_are_never_cut_short() -> None:
    """The report has seen to it already that it does not repeat itself."""
    sparing = log_setup.RepeatFilter()
    assert all(
        sparing.filter(record("the same", at=0.0, name="pullkeeper.reconcile.status_reporter")) for _ in range(3)
    )


def test_a_traceback_of_a_library_becomes_one_line() -> None:
    """Nobody can tell what it would show."""
    ours = record("Watcher has failed:\nTraceback (most recent call last):\n  File x", at=0, error=ValueError("secret"))
    assert log_setup.RepeatFilter().filter(ours)
    assert ours.getMessage() == "Watcher has failed: (ValueError)"
    assert (ours.exc_info, ours.exc_text) == (None, None)


def test_what_is_remembered_of_libraries_is_bounded() -> None:
    """Words that are never the same do not fill the memory; the oldest may be said again."""
    sparing = log_setup.RepeatFilter()
    for number in range(101):
        assert sparing.filter(record("x" * number, at=0))
    assert sparing.filter(record("", at=1))
    assert not sparing.filter(record("x" * 100, at=1))
