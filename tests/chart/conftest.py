"""Both Helm versions, shared by all tests of the chart."""

import functools
from collections.abc import Callable, Iterator

import kubernetes_validate
import pytest

from testsupport.helm import CI_VALUES, Helms, Object, ci_values
from testsupport.helm_tools import find


@pytest.fixture(scope="session")
def helms() -> Iterator[Helms]:
    """Provide both Helm versions, which start to render ci/ in the background."""
    both = Helms(find())
    both.prepare(ci_values(path) for path in CI_VALUES)
    yield both
    both.close()


@pytest.fixture(scope="session")
def validate() -> Iterator[Callable[[Object, str], None]]:
    """Provide kubernetes-validate, with a cache: it would read its schemas again for every object."""
    with pytest.MonkeyPatch.context() as patch:
        utils = kubernetes_validate.utils
        patch.setattr(utils, "schema_contents", functools.cache(utils.schema_contents))
        yield lambda each, version: kubernetes_validate.validate(each, version, strict=True)
