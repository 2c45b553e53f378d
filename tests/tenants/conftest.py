"""The servers and the installation of the end-to-end tests."""

from tests.conformance.conftest import api, server
from tests.e2e.conftest import aws, installation, program

__all__ = ["api", "aws", "installation", "program", "server"]
