"""The simulated AWS whose calls fail one by one."""

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

from testsupport.boundaries.journal import AFTER, BEFORE, CRASHES, Fault, Journal
from testsupport.boundaries.server import Interrupt
from testsupport.simulation.aws import Aws
from testsupport.simulation.geography import Endpoint

_T = TypeVar("_T")
_TIMEOUT = 9.0
"""Seconds after which botocore gives up."""


class FailingAws(Aws):
    """Answers, or loses the request or the answer."""

    journal: Journal
    interrupt: Interrupt

    def assume_role(self, endpoint: Endpoint, operation: str, principal: str, request: Mapping[str, Any]) -> str:
        """Return the access key of a new session of a role; raise what botocore raises."""
        real = super().assume_role
        return self._carry(operation, endpoint, lambda: real(endpoint, operation, principal, request))

    def identify(self, endpoint: Endpoint, access_key: str) -> str:
        """Return the ARN of a caller; raise what botocore raises."""
        real = super().identify
        return self._carry("GetCallerIdentity", endpoint, lambda: real(endpoint, access_key))

    def authorize(self, endpoint: Endpoint, access_key: str) -> Mapping[str, Any]:
        """Return a new token; raise what botocore raises."""
        real = super().authorize
        return self._carry("GetAuthorizationToken", endpoint, lambda: real(endpoint, access_key))

    def _carry(self, operation: str, endpoint: Endpoint, real: Callable[[], _T]) -> _T:
        fault = self.journal.cross("aws", f"{operation} {endpoint}")
        url = f"https://{endpoint}"
        if fault in BEFORE:
            self.interrupt(fault)
        if fault in {Fault.LOST_BEFORE, Fault.CRASH_BEFORE}:
            self._seconds += _TIMEOUT
            raise ConnectTimeoutError(endpoint_url=url)
        result = real()
        if fault in AFTER:
            self.interrupt(fault)
        if fault in {Fault.LOST_AFTER, *CRASHES}:
            self._seconds += _TIMEOUT
            raise ReadTimeoutError(endpoint_url=url)
        if fault is Fault.STOP_LOST:
            self._seconds = math.inf
        return result
