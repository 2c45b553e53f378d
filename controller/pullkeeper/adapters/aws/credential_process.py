"""The program that a profile names as its credential_process: run within bounds, and each failure explained."""

import json
import os
import subprocess
from contextlib import suppress
from datetime import UTC, datetime
from selectors import EVENT_READ, BaseSelector, DefaultSelector
from signal import SIGKILL, Signals
from time import monotonic
from typing import IO, Any

from pullkeeper.domain.errors.text import printable, without_secrets

SECONDS = 9.0
"""A program that takes longer is killed."""
_MAX_OUTPUT = 65_536
"""Bytes: a program that prints more is killed, and of its standard error no more than the end is kept."""
_CHUNK = 8192
_MAX_NAME = 200
_MAX_LINE = 300
_MAX_VALUE = 40
_KEYS = ("AccessKeyId", "SecretAccessKey")


class CredentialProcessError(Exception):
    """There are no credentials; the text is this program's own."""


class ProcessTimeoutError(CredentialProcessError):
    """It took too long and was killed."""


class ProcessStartError(CredentialProcessError):
    """It cannot be started; the text says which program, and why."""


class ProcessFailedError(CredentialProcessError):
    """It ended with another status than 0."""

    def __init__(self, status: int, stderr: bytes) -> None:
        super().__init__(_ended(status))
        self.said = _last_line(stderr)
        """The last line of its standard error, without what may be a key."""


class ProcessOutputError(CredentialProcessError):
    """What it printed are no credentials; the text says what is wrong with it, and quotes no value but a version."""


class ProcessExpiredError(CredentialProcessError):
    """The credentials that it printed have expired."""


class CredentialProcess(subprocess.Popen[bytes]):
    """The program, as botocore starts it: it is killed with its children when it takes too long or prints too much."""

    def __init__(self, args: list[str], **options: Any) -> None:
        if not args:
            raise ProcessStartError("its command is empty")
        try:
            # A program that asks somebody for a password would wait for ever.
            super().__init__(args, stdin=subprocess.DEVNULL, start_new_session=True, **options)
        except OSError as error:
            raise ProcessStartError(f"{printable(args[0], _MAX_NAME)}: {error.strerror}") from None

    def communicate(self, input: bytes | None = None, timeout: float | None = None) -> tuple[bytes, bytes]:  # noqa: A002, ARG002 -- Popen's names
        """Return what it printed if it ended well with credentials that are valid; raise CredentialProcessError."""
        try:
            stdout, stderr = self._finish(monotonic() + SECONDS)
        except CredentialProcessError:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, SIGKILL)
            self.wait()
            raise
        finally:
            for pipe in filter(None, (self.stdout, self.stderr)):
                pipe.close()
        if self.returncode:
            raise ProcessFailedError(self.returncode, stderr)
        check_output(stdout, datetime.now(UTC))
        return stdout, stderr

    def _finish(self, deadline: float) -> tuple[bytes, bytes]:
        printed: dict[IO[bytes] | None, bytearray] = {self.stdout: bytearray(), self.stderr: bytearray()}
        with DefaultSelector() as selector:
            for pipe in filter(None, printed):
                selector.register(pipe, EVENT_READ, printed[pipe])
            while selector.get_map():
                _read(selector, deadline - monotonic())
                if len(printed[self.stdout]) > _MAX_OUTPUT:
                    raise ProcessOutputError(f"more than {_MAX_OUTPUT // 1024} KiB")
                del printed[self.stderr][:-_MAX_OUTPUT]
        try:
            self.wait(max(0.0, deadline - monotonic()))
        except subprocess.TimeoutExpired:
            raise ProcessTimeoutError from None
        return bytes(printed[self.stdout]), bytes(printed[self.stderr])


def check_output(stdout: bytes, now: datetime) -> None:
    """Raise CredentialProcessError unless this is an answer as the AWS SDKs define it, with keys that are valid now."""
    try:
        found = json.loads(stdout.decode())
    except (ValueError, RecursionError):
        raise ProcessOutputError("no JSON" if stdout.strip() else "nothing") from None
    if not isinstance(found, dict):
        raise ProcessOutputError("JSON, but no object")
    if found.get("Version") != 1:
        version = printable(without_secrets(json.dumps(found.get("Version"))), _MAX_VALUE)
        raise ProcessOutputError(f"Version {version}" if "Version" in found else "no Version")
    for key in _KEYS:
        if not (isinstance(found.get(key), str) and found[key]):
            raise ProcessOutputError(f"no {key}")
    if not isinstance(found.get("SessionToken"), str | None):
        raise ProcessOutputError("a SessionToken that is no text")
    if found.get("Expiration") is not None:
        _check_expiration(found["Expiration"], now)


def _check_expiration(text: object, now: datetime) -> None:
    try:
        expires_at = datetime.fromisoformat(str(text))
    except ValueError:
        expires_at = None
    if expires_at is None or expires_at.tzinfo is None:
        raise ProcessOutputError("an Expiration that is no time as in ISO 8601 with its zone")
    if expires_at <= now:
        raise ProcessExpiredError(f"{expires_at.astimezone(UTC):%FT%TZ}")


def _read(selector: BaseSelector, seconds: float) -> None:
    """Read a part of what is printed next; raise ProcessTimeoutError if nothing is for so long, or no time is left."""
    ready = selector.select(seconds) if seconds > 0 else []
    if not ready:
        raise ProcessTimeoutError
    for key, _ in ready:
        chunk = os.read(key.fd, _CHUNK)
        key.data.extend(chunk)
        if not chunk:
            selector.unregister(key.fileobj)


def _ended(status: int) -> str:
    if status > 0:
        return f"exit status {status}"
    try:
        return f"ended by {Signals(-status).name}"
    except ValueError:
        return f"ended by signal {-status}"


def _last_line(stderr: bytes) -> str:
    # The first line may be what is left of a longer one, and so a part of a key.
    lines = stderr.decode(errors="replace").splitlines()[len(stderr) == _MAX_OUTPUT :]
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return printable(without_secrets(last), _MAX_LINE)
