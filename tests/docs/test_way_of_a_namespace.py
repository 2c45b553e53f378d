"""The way of a namespace in docs/architecture.md is the way that the code takes."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from testsupport.simulation.scenarios import IRELAND, opted_in, quiet
from testsupport.simulation.world import simulate
from testsupport.virtual_time import HOUR, MINUTE

PAGE = Path("docs/architecture.md")
_SECTION = re.compile(r"^## The way of a namespace$(.*?)(?=^## )", re.MULTILINE | re.DOTALL)
_STEP = re.compile(r"^\d+\. `([\w.]+)`", re.MULTILINE)


def documented_steps() -> list[str]:
    """Return the qualified names of the functions that the steps of the section begin with, in order."""
    (section,) = _SECTION.findall(PAGE.read_text())
    return _STEP.findall(section)


@contextmanager
def recording(names: list[str]) -> Iterator[list[str]]:
    """Record the first call of each of these functions of the controller, from the first call of the first one on."""
    calls: list[str] = []

    def profile(frame: FrameType, event: str, _: object) -> None:
        name = frame.f_code.co_qualname
        wanted = name == names[0] if not calls else name in names and name not in calls
        if event == "call" and wanted and frame.f_globals["__name__"].startswith("pullkeeper."):
            calls.append(name)

    sys.setprofile(profile)
    try:
        yield calls
    finally:
        sys.setprofile(None)


def test_functions_are_called_in_the_documented_order() -> None:
    """A Namespace is created and opted in while the controller runs, and gets its first Secret."""
    steps = documented_steps()
    with recording(steps) as calls:
        record = simulate(quiet(opted_in(1, IRELAND, at=HOUR), HOUR + MINUTE))
    assert record.secrets
    assert len(steps) > 10
    assert calls == steps
