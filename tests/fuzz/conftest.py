"""How many examples are tried, and from where the drawing starts; both are reported at the end."""

import secrets
from collections.abc import Callable

import pytest

from testsupport.fuzzing import Fuzzer

EXAMPLES = "examples of "


def pytest_configure(config: pytest.Config) -> None:
    if config.option.fuzz_seed is None:  # as each worker gets it from where it is chosen
        config.option.fuzz_seed = secrets.randbelow(2**32)


@pytest.fixture
def fuzzer(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> Fuzzer:
    """Return what draws the examples; it is seeded anew for each test, so that each can be repeated by itself."""
    examples, seed = (request.config.getoption(name) for name in ("--examples", "--fuzz-seed"))
    return Fuzzer(seed=seed, examples=examples, record=lambda name, tried: record_property(EXAMPLES + name, tried))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.stats.get(outcome, [])]
    tried = dict(each for report in reports for each in report.user_properties if each[0].startswith(EXAMPLES))
    for name, count in sorted(tried.items()):
        terminalreporter.write_line(f"{count:>9,} {name}")
    terminalreporter.write_line(f"{sum(tried.values()):>9,} in all, with --fuzz-seed={config.option.fuzz_seed}")
