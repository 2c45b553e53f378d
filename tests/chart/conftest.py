"""Both Helm versions, shared by all tests of the chart."""

from collections.abc import Iterator

import pytest

from testsupport.helm import CI_VALUES, Helms, ci_values
from testsupport.helm_tools import find


@pytest.fixture(scope="session")
def helms() -> Iterator[Helms]:
    """Provide both Helm versions, which start to render ci/ in the background."""
    both = Helms(find())
    both.prepare(ci_values(path) for path in CI_VALUES)
    yield both
    both.close()
