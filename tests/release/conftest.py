"""What a release publishes, built once."""

import pytest

from testsupport import helm_tools
from testsupport.helm_tools import Tools
from tools.release import source
from tools.release.build import Artefacts, build
from tools.release.source import Source


@pytest.fixture(scope="session")
def programs() -> Tools:
    """Give both Helms and kubectl."""
    return helm_tools.find()


@pytest.fixture(scope="session")
def tree() -> Source:
    """Give the names and the version that are released."""
    return source.read()


@pytest.fixture(scope="session")
def built(programs: Tools) -> Artefacts:
    """Build it as `make release-artefacts` does, and where that does."""
    return build(programs.helm4)
