"""Who is behind the controller's identities, and which pull Secrets hold tokens of somebody else."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from pullkeeper.domain.iam.identity import Identity
from pullkeeper.domain.iam.principal import Current
from pullkeeper.domain.secret.observed_secret import ObservedSecret

_NOT_KNOWN = Current()
logger = logging.getLogger(__name__)


class ControllerPrincipal:
    """The principal behind each of the controller's identities, as far as this replica knows, and since when."""

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
        self._current: dict[str, Current] = {}

    def current(self, identity: Identity) -> Current:
        """Return who is behind an identity of the controller's."""
        return self._current.get(identity.name, _NOT_KNOWN)

    def record(self, identity: str, name: str) -> None:
        """Take note of an identity's principal, and have each Secret that holds another one's tokens reconciled."""
        self._current[identity] = Current(name=name, since=self._clock())
        others = [secret.namespace for secret in self._secrets() if _is_of_another(secret, identity, name)]
        if others:
            label = Identity(name=identity).own_name
            logger.info(
                "the controller's identity%s is %s now: %d pull Secrets with tokens of another principal are rotated "
                "within %s",
                *(f" {label}" if label else "", name, len(others), self._jitter),
            )
        for namespace in others:
            self._enqueue(namespace)

    def start_leading(self) -> None:
        """Spread from now on what is to be rotated: as a follower it may have known for hours."""
        since = self._clock()
        self._current = {identity: replace(current, since=since) for identity, current in self._current.items()}


def _is_of_another(secret: ObservedSecret, identity: str, name: str) -> bool:
    record = secret.record
    return record is not None and record.is_of_another(identity, name)
