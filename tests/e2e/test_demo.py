"""`make demo`: it shows the main job and ends with 0, it can fail, and it leaves nothing behind."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

_TREE = Path(__file__).parents[2]


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """How a run ended, and what it printed."""

    status: int
    output: str

    def marked(self, mark: str) -> list[str]:
        """Give the lines of the summary with this mark."""
        return [line for line in self.output.splitlines() if line.startswith(mark)]


@contextmanager
def _running(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run the demo in a process group of its own, with its temporary files in this folder."""
    folder.mkdir()
    with subprocess.Popen(
        [sys.executable, "-m", "tools.demo", *arguments],
        cwd=_TREE,
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()


def _ending(process: subprocess.Popen[str]) -> Ending:
    output, _ = process.communicate()
    return Ending(status=process.returncode, output=output)


@pytest.fixture(scope="module")
def endings(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ending, Ending]:
    """Run it twice at the same time: as it is, and with AWS throttling whoever asks for a token."""
    folder = tmp_path_factory.mktemp("demo")
    with _running(folder / "good") as good, _running(folder / "sabotaged", "--sabotage") as sabotaged:
        return _ending(good), _ending(sabotaged)


def test_demo_keeps_every_promise(endings: tuple[Ending, Ending]) -> None:
    """Without a terminal it prints plain lines, a tick for each promise, and ends with 0."""
    ending, _ = endings
    assert ending.status == 0, ending.output
    assert len(ending.marked("✓")) == 12
    assert ending.output.endswith("12 of 12 promises kept.\n")
    assert "\x1b" not in ending.output


def test_demo_shows_a_refusal_an_attack_and_the_status_as_people_see_them(endings: tuple[Ending, Ending]) -> None:
    """The Event with AWS's operation and the fix, the role that is not given, and the command with its output."""
    ending, _ = endings
    shown, _, status = ending.output.partition("$ pullkeeper status\n")
    assert "reports     Event AccessDenied: ECR refused GetAuthorizationToken for arn:aws" in shown
    assert 'allow ecr:GetAuthorizationToken on "*"' in shown
    assert "mallory     Event RoleNotAllowed: " in shown
    assert "300 edits: 0 calls to AWS, 0 writes, " in shown
    # The first line of each name is that of the table.
    lines = {line.split()[0]: line for line in reversed(status.splitlines()) if line and line[0].isalpha()}
    assert " ready " in lines["shop"]
    assert " misconfigured " in lines["mallory"]
    assert " pending " in lines["reports"]  # unhealthy after a minute


def test_demo_fails_at_the_promise_that_is_not_kept(endings: tuple[Ending, Ending]) -> None:
    """With rotation made impossible its cross, and no other, is at rotation, and the status says so."""
    _, ending = endings
    assert ending.status == 1, ending.output
    (cross,) = ending.marked("✗")
    assert "Every Secret rotates in place" in cross
    assert "0 of 7 rotated" in cross
    assert len(ending.marked("✓")) == 11


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_demo_that_is_interrupted_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    """In the middle of the show, a signal to it alone ends the controller too, and no file stays."""
    folder = tmp_path / "temporary"
    with _running(folder) as process:
        assert process.stdout is not None
        next(line for line in process.stdout if "Secret created" in line)
        process.send_signal(number)
        process.communicate()
    assert process.returncode == 130
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, 0)
        pytest.fail("a process of the demo is still running")
    assert list(folder.iterdir()) == []
