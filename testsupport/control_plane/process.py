"""Processes that a test starts: each with a log, ended by its id, and never left behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PATIENCE = 5.0
"""Seconds that a process gets between SIGTERM and SIGKILL."""

TAIL_LINES = 15


class Process:
    """One server process; it can be ended, frozen and started again with the same arguments."""

    def __init__(self, command: Sequence[str], *, log: Path, group: int = 0) -> None:
        self.name = Path(command[0]).name
        self.log = log
        self._command = list(command)
        # A process group apart from ours: Ctrl-C goes to the test run, which then ends its servers in order.
        self._group = group
        self._process = self._start()

    @property
    def id(self) -> int:
        """The process id; another one after start()."""
        return self._process.pid

    def exit_code(self) -> int | None:
        """Return how it ended, or None while it runs."""
        return self._process.poll()

    def start(self) -> None:
        """Start it again, after stop() or kill()."""
        if self.exit_code() is None:
            raise RuntimeError(f"{self.name} (process {self.id}) is still running: stop it first")
        self._process = self._start()

    def stop(self) -> None:
        """End it, gently at first."""
        self._signal(signal.SIGTERM)
        # A frozen process sees no SIGTERM.
        self.thaw()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it without a chance to say goodbye: every connection breaks."""
        self._signal(signal.SIGKILL)
        self._process.wait()

    def freeze(self) -> None:
        """Stop it where it is: connections stay open and nothing answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on after freeze()."""
        self._signal(signal.SIGCONT)

    def tail(self) -> str:
        """Return the last lines of its log."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join([f"last lines of {self.log}:", *lines[-TAIL_LINES:]])

    def _start(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=self._group,
            )

    def _signal(self, number: signal.Signals) -> None:
        if self.exit_code() is None:
            os.kill(self.id, number)


class Guard:
    """A small process that outlives us if we are killed, then ends a process group and deletes a folder.

    It waits for the end of its standard input, which the kernel brings about when we are gone, however
    we went: PR_SET_PDEATHSIG would not delete the folder, is bound to a thread, and only Linux has it.
    """

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-S", str(Path(__file__).with_name("guard.py")), str(folder)],
            stdin=subprocess.PIPE,
            process_group=0,
        )

    def watch_group(self, group: int) -> None:
        """Name the process group that shall not outlive us."""
        self._send(f"{group}\n")

    def release(self) -> None:
        """Let the guard go: the processes are ended; it deletes the folder and exits."""
        self._send("released\n")
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()

    def _send(self, line: str) -> None:
        if self._process.stdin is not None:
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()
