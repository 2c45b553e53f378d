"""Who is behind the controller's identity, and which pull Secrets hold tokens of somebody else."""

import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from pullkeeper.domain.iam import principal
from pullkeeper.domain.iam.identity import CONTROLLER
from pullkeeper.domain.iam.principal import Current
from pullkeeper.domain.secret.observed_secret import ObservedSecret

logger = logging.getLogger(__name__)


class ControllerPrincipal:
    """The principal behind the controller's identity, as far as this replica knows, and since when."""

    def __init__(
        self,
        *,
        secrets: Callable[[], Iterable[ObservedSecret]],
        enqueue: Callable[[str], None],
        jitter: timedelta,
        clock: Callable[[], datetime],
    ) -> None:
        """`secrets` returns all pull Secrets that are known; `jitter` is the time over which rotations are spread."""
        self._secrets = secrets
        self._enqueue = enqueue
        self._jitter = jitter
        self._clock = clock
        self.current = Current()

    def record(self, name: str) -> None:
        """Take note of the principal, and have each Secret that holds another one's tokens reconciled."""
        self.current = Current(name=name, since=self._clock())
        others = [secret.namespace for secret in self._secrets() if self._is_of_another(secret)]
        if others:
            logger.info(
                "the controller's identity is %s now: %d pull Secrets with tokens of another principal are rotated "
                "within %s",
                *(name, len(others), self._jitter),
            )
        for namespace in others:
            self._enqueue(namespace)

    def start_leading(self) -> None:
        """Spread from now on what is to be rotated: as a follower it may have known for hours."""
        self.current = Current(name=self.current.name, since=self._clock())

    def _is_of_another(self, secret: ObservedSecret) -> bool:
        record = secret.record
        if record is None:
            return False
        return principal.differ(record.principals.get(CONTROLLER.name, principal.UNKNOWN), self.current.name)
