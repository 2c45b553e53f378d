"""What the controller logs in a simulated run, in its record."""

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from testsupport.simulation.record import LogLine, Record
from testsupport.virtual_time import elapsed


class _LogRecorder(logging.Handler):
    """Records every log record with its arguments and traceback."""

    def __init__(self, record: Record) -> None:
        super().__init__(logging.DEBUG)
        self._record = record

    def emit(self, record: logging.LogRecord) -> None:
        """Record one log record."""
        trace = "".join(traceback.format_exception(*record.exc_info)) if record.exc_info else ""
        text = record.getMessage()
        self._record.texts.append(f"{record.levelname} {text} {record.args!r} {trace}")
        if record.levelno >= logging.INFO:
            self._record.log_lines.append(LogLine(at=elapsed(), level=record.levelname, text=text))


@contextmanager
def recorded_logs(record: Record) -> Iterator[None]:
    """Record what the controller logs at any level, and show it nowhere."""
    logger = logging.getLogger("pullkeeper")
    recorder, level, propagate = _LogRecorder(record), logger.level, logger.propagate
    logger.addHandler(recorder)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(recorder)
        logger.setLevel(level)
        logger.propagate = propagate
