"""How the process logs: one line for each thing that happened, as JSON for machines or as text for people."""

import logging
import time

from pythonjsonlogger.json import JsonFormatter

_NOISY = {
    "kopf": logging.WARNING,
    "botocore": logging.ERROR,
    "boto3": logging.WARNING,
    "urllib3": logging.WARNING,
}
"""Their debug lines show requests and answers whole, tokens included, so they never speak below a warning."""


def set_up(*, form: str, level: str) -> None:
    """Send every log line to standard error, in UTC."""
    handler = logging.StreamHandler()
    handler.setFormatter(_json() if form == "json" else _text())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    for name, least in _NOISY.items():
        logging.getLogger(name).setLevel(max(least, logging.getLogger().level))
    for name in ("asyncio", "aiohttp"):
        logging.getLogger(name).setLevel(max(logging.INFO, logging.getLogger().level))


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
