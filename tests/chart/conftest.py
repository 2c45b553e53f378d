"""Both Helms, once for all tests of the chart."""

from collections.abc import Iterator

import pytest

from testsupport.helm import CI_VALUES, Helms, ci_values
from testsupport.helm_tools import find


@pytest.fixture(scope="session")
def helms() -> Iterator[Helms]:
    """Give both Helms, which begin to render ci/ at once."""
    both = Helms(find())
    both.prepare(ci_values(path) for path in CI_VALUES)
    yield both
    both.close()
