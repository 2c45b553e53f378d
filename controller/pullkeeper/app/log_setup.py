"""Logging to standard error, one line per record: JSON for machines or text for people."""

import logging
import re
import time

from pythonjsonlogger.json import JsonFormatter

from pullkeeper.domain.errors.text import printable, shortened

_LOWEST_LEVELS = {
    "kopf": logging.WARNING,
    "botocore": logging.ERROR,
    "boto3": logging.WARNING,
    "urllib3": logging.WARNING,
}
"""Lowest level of each library: their debug records contain whole requests and responses, tokens included."""
_OURS = "pullkeeper"
_REPEAT_SECONDS = 60.0
"""A library's message passes again after this time."""
_MOST_MESSAGES = 100
"""Distinct messages to remember; beyond that the oldest is forgotten."""
_MAX_LENGTH = 4000
"""Longest message in characters; what follows is left out."""
_NUMBERS = re.compile(r"\d+")
_ATTEMPT = re.compile(r"Request attempt \S+ failed")
"""kopf's word on each attempt, with what the API server has answered; `namespaces_kopf` says each cause once."""


def configure_logging(*, form: str, level: str) -> None:
    """Log to standard error with times in UTC; `form` is `json` or `text`."""
    handler = logging.StreamHandler()
    handler.setFormatter(_json() if form == "json" else _text())
    handler.addFilter(RepeatFilter())
    handler.addFilter(shorten)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    for name, lowest in _LOWEST_LEVELS.items():
        logging.getLogger(name).setLevel(max(lowest, logging.getLogger().level))
    for name in ("asyncio", "aiohttp"):
        logging.getLogger(name).setLevel(max(logging.INFO, logging.getLogger().level))


def shorten(record: logging.LogRecord) -> bool:
    """Shorten a message that is too long; a filter that lets every record pass."""
    message = record.getMessage()
    if len(message) > _MAX_LENGTH:
        record.msg, record.args = shortened(message, _MAX_LENGTH), ()
    return True


class RepeatFilter(logging.Filter):
    """Limits each message of a library to one line a minute. The controller's own records pass unchanged."""

    def __init__(self) -> None:
        super().__init__()
        self._passed: dict[str, tuple[float, int]] = {}
        """When a message last passed, and how many were suppressed since; the keys have their digits zeroed."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Decide whether a record passes, and cut a library's to one line: its traceback could show a token."""
        library = record.name.partition(".")[0]
        if library == _OURS:
            return True
        if library == "kopf" and _ATTEMPT.match(record.getMessage()):
            return False
        message = " ".join(record.getMessage().partition("\nTraceback")[0].split())
        key = _NUMBERS.sub("0", f"{record.name} {message}")
        at, suppressed = self._passed.pop(key, (-_REPEAT_SECONDS, 0))
        if record.created - at < _REPEAT_SECONDS:
            self._passed[key] = at, suppressed + 1
            return False
        self._passed[key] = record.created, 0
        if len(self._passed) > _MOST_MESSAGES:
            del self._passed[next(iter(self._passed))]
        kind = record.exc_info and record.exc_info[0]
        record.msg = (
            message
            + (f" ({kind.__name__})" if kind else "")
            + (f" [and {suppressed} more times]" if suppressed else "")
        )
        record.args, record.exc_info, record.exc_text, record.stack_info = (), None, None, None
        return True


def _json() -> logging.Formatter:
    renamed = {"asctime": "time", "levelname": "level", "name": "logger"}
    formatter = JsonFormatter(
        "{asctime}{levelname}{name}{message}", style="{", rename_fields=renamed, datefmt="%Y-%m-%dT%H:%M:%SZ"
    )
    formatter.converter = time.gmtime
    return formatter


class _TextFormatter(logging.Formatter):
    """Formats a record as one line without anything that a terminal would act on."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def _text() -> logging.Formatter:
    formatter = _TextFormatter("%(asctime)s %(levelname)-7s %(message)s", datefmt="%Y-%m-%d %H:%M:%SZ")
    formatter.converter = time.gmtime
    return formatter
