"""A copy of the working tree in which faults are put back and tests are run."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from testsupport.trials.table import Edit, EditError

_NO_VERDICTS = ("ImportError", "ModuleNotFoundError", "NameError", "SyntaxError", "IndentationError")
"""What a test fails with where an edit has only broken the code."""
_FAILED = 1
"""Exit status of pytest where tests have failed, rather than its own start, the collection, or nothing was run."""
_SECONDS = 300
"""A guard: a fault with which nothing ends any more is not one that a test notices."""
_ANOTHER_SECOND = 2.0
"""Added to the time of modification of an edited file."""
_OPTIONS = ("-q", "--tb=no", "--color=no", "-rf", "-p", "no:cacheprovider", "-o", "timeout=120")


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """What became of some tests."""

    status: int
    """Exit status of pytest."""
    failures: Sequence[str]
    """Each test that failed itself, with the reason: not one that could not be set up."""
    output: str

    @property
    def passed(self) -> bool:
        """Whether all of them did."""
        return self.status == 0

    @property
    def has_noticed(self) -> bool:
        """Whether a test failed for another reason than broken code."""
        return self.status == _FAILED and any(_is_verdict(each) for each in self.failures)


@dataclass(frozen=True, slots=True)
class Checkout:
    """The copy."""

    root: Path

    @classmethod
    def of(cls, source: Path, root: Path) -> "Checkout":
        """Copy what git has or would take of a working tree, as it is now."""
        shutil.rmtree(root, ignore_errors=True)
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        for name in subprocess.run(command, cwd=source, check=True, stdout=subprocess.PIPE, text=True).stdout.split(
            "\0"
        ):
            if name and (source / name).is_file():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source / name, root / name)
        return cls(root)

    @contextmanager
    def edited(self, edits: Sequence[Edit]) -> Iterator[None]:
        """Make edits and take them back; raise EditError if one does not fit, or leaves no Python."""
        files = {self.root / each.file for each in edits}
        before = {path: (path.read_text(), path.stat().st_mtime) for path in files}
        try:
            for each in edits:
                path = self.root / each.file
                path.write_text(each.apply(path.read_text()))
                _check_syntax(path)
            for path, (_, modified) in before.items():
                # Python goes by whole seconds and the size: bytecode of the file as it was would pass for the edit.
                os.utime(path, (modified + _ANOTHER_SECOND, modified + _ANOTHER_SECOND))
            yield
        finally:
            for path, (text, modified) in before.items():
                path.write_text(text)
                os.utime(path, (modified, modified))

    def run(self, tests: Sequence[str], *, to_the_first: bool = False) -> Run:
        """Run tests in the copy, on its own code."""
        path = os.pathsep.join(str(each) for each in (self.root / "controller", self.root))
        # Bytecode of an edit would be taken for that of the next one within the same second.
        without_bytecode = "1" if to_the_first else ""
        environment = os.environ | {
            "PYTHONPATH": path,
            "COLUMNS": "400",  # no reason of a failure is cut off
            "PYTHONDONTWRITEBYTECODE": without_bytecode,
        }
        command = [sys.executable, "-m", "pytest", *_OPTIONS, *(("-x",) if to_the_first else ()), *tests]
        try:
            done = subprocess.run(
                command, cwd=self.root, env=environment, check=False, capture_output=True, text=True, timeout=_SECONDS
            )
        except subprocess.TimeoutExpired as error:
            return Run(status=-1, failures=(), output=str(error))
        failures = [line.removeprefix("FAILED ") for line in done.stdout.splitlines() if line.startswith("FAILED ")]
        return Run(status=done.returncode, failures=failures, output=done.stdout + done.stderr)


def _is_verdict(failure: str) -> bool:
    return not failure.partition(" - ")[2].startswith(_NO_VERDICTS)


def _check_syntax(path: Path) -> None:
    try:
        if path.suffix == ".py":
            compile(path.read_text(), path, "exec")
    except SyntaxError as error:
        raise EditError(f"{path.name} is no Python after the edit: {error}") from None
