"""How the process logs: one line for each thing that happened, as JSON for machines or as text for people."""

import logging
import re
import time

from pythonjsonlogger.json import JsonFormatter

_NOISY = {
    "kopf": logging.WARNING,
    "botocore": logging.ERROR,
    "boto3": logging.WARNING,
    "urllib3": logging.WARNING,
}
"""Their debug lines show requests and answers whole, tokens included, so they never speak below a warning."""
_OURS = "pullkeeper"
_SECONDS = 60.0
"""A library may say the same again after this time."""
_REMEMBERED = 100
_NUMBERS = re.compile(r"\d+")


def configure_logging(*, form: str, level: str) -> None:
    """Send every log line to standard error, in UTC."""
    handler = logging.StreamHandler()
    handler.setFormatter(_json() if form == "json" else _text())
    handler.addFilter(RepeatFilter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    for name, least in _NOISY.items():
        logging.getLogger(name).setLevel(max(least, logging.getLogger().level))
    for name in ("asyncio", "aiohttp"):
        logging.getLogger(name).setLevel(max(logging.INFO, logging.getLogger().level))


class RepeatFilter(logging.Filter):
    """Lets a library say the same thing once a minute, in one line; what we say ourselves passes as it is.

    kopf has a line for every try while the API server is away, and a traceback for some of them.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, tuple[float, int]] = {}
        """When something was said last, and how often it was not since."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Decide about a record, and cut what a library says to one line: nobody can tell what a traceback shows."""
        if record.name.partition(".")[0] == _OURS:
            return True
        message = " ".join(record.getMessage().partition("\nTraceback")[0].split())
        what = _NUMBERS.sub("0", f"{record.name} {message}")
        at, untold = self._said.pop(what, (-_SECONDS, 0))
        if record.created - at < _SECONDS:
            self._said[what] = at, untold + 1
            return False
        self._said[what] = record.created, 0
        if len(self._said) > _REMEMBERED:
            del self._said[next(iter(self._said))]
        kind = record.exc_info and record.exc_info[0]
        record.msg = (
            message + (f" ({kind.__name__})" if kind else "") + (f" [and {untold} more times]" if untold else "")
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


def _text() -> logging.Formatter:
    formatter = logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", datefmt="%Y-%m-%d %H:%M:%SZ")
    formatter.converter = time.gmtime
    return formatter
