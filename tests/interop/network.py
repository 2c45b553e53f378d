"""A network in which ECR's host names are ours, without a trace of it on the rest of the machine."""

import asyncio
import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from testsupport.waiting import HANG_GUARD


class NetworkError(Exception):
    """The machine lets nobody have a network of their own; the message says what that takes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How a command ended, and all that it said."""

    status: int
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Network:
    """User, mount and network namespaces, held open by a process; one socket in them listens on port 443."""

    holder: int
    socket: socket.socket

    def inside(self, command: Sequence[str], folder: Path) -> list[str]:
        """Give the command line that runs a command in there, as root of there, started in a folder."""
        spaces = ["--user", "--preserve-credentials", "--mount", "--net"]
        # Only from inside: a folder that was entered outside is nowhere in there.
        return ["nsenter", f"--target={self.holder}", *spaces, "--", "env", f"--chdir={folder}", *command]

    async def run(self, *command: str, environment: Mapping[str, str], folder: Path, entered: bytes = b"") -> Outcome:
        """Run a command in there, started in a folder and with something entered on its input, to its end."""
        return await run(self.inside(command, folder), environment=environment, entered=entered)


async def run(command: Sequence[str], *, environment: Mapping[str, str], entered: bytes = b"") -> Outcome:
    """Run a command to its end."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env=dict(environment),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(HANG_GUARD):
            said, _ = await process.communicate(entered)
    except TimeoutError:
        process.kill()
        raise AssertionError(f"{shlex.join(command)} has not ended within {HANG_GUARD:g} s") from None
    return Outcome(status=process.returncode or 0, text=said.decode(errors="replace"))


@contextmanager
def open_network(folder: Path, names: Sequence[str]) -> Iterator[Network]:
    """Open a network in which these names mean the listening socket; raises NetworkError."""
    hosts = folder / "hosts"
    hosts.write_text("".join(f"127.0.0.1 {name}\n" for name in ("localhost", *names)))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = _start(hosts, theirs)
        # Ours is the only end from now on, so a holder that cannot start is seen as the end of the talk.
        theirs.close()
        try:
            yield Network(holder=process.pid, socket=_received(ours, process))
        finally:
            ours.close()
            process.communicate()


def _start(hosts: Path, control: socket.socket) -> subprocess.Popen[bytes]:
    program = [sys.executable, "-S", str(Path(__file__).with_name("holder.py")), str(hosts), str(control.fileno())]
    spaces = ["unshare", "--user", "--map-root-user", "--mount", "--net"]
    # unshare becomes the program, so that its process id is the program's.
    return subprocess.Popen([*spaces, "--", *program], pass_fds=[control.fileno()], stderr=subprocess.PIPE)


def _received(control: socket.socket, process: subprocess.Popen[bytes]) -> socket.socket:
    said, descriptors, _, _ = socket.recv_fds(control, 16, 1)
    if not said:
        _, words = process.communicate()
        raise NetworkError(
            f"no network namespace can be had here ({words.decode().strip()}): run as root, or allow user namespaces"
        )
    os.set_inheritable(descriptors[0], False)  # noqa: FBT003 -- the function's only form
    return socket.socket(fileno=descriptors[0])
