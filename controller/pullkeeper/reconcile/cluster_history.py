"""Notices that the cluster's history went back, as when etcd is restored, and has everything observed anew."""

import logging
from collections.abc import Callable

logger = logging.getLogger(__name__)


class ClusterHistory:
    """Whom to tell when resourceVersions go back.

    Versions only grow, unless etcd was restored from a backup. Then nothing that was observed before can be compared
    with what is observed now, and a watch that resumes from a version of the past stays silent until the versions have
    caught up. Whoever notices it tells all others, for their versions come from the same etcd.
    """

    def __init__(self, record_reset: Callable[[], None]) -> None:
        """Count with `record_reset` how often it has happened."""
        self._record_reset = record_reset
        self._observers: list[Callable[[], None]] = []

    def add(self, start_anew: Callable[[], None]) -> None:
        """Have this called when the versions have gone back, after what was added before."""
        self._observers.append(start_anew)

    def went_back(self, what: str, version: int) -> None:
        """Take note that something was seen at an older version than before."""
        message = "%s: resourceVersions went back to %d, as when etcd is restored: everything is observed anew"
        logger.warning(message, what, version)
        self._record_reset()
        for start_anew in self._observers:
            start_anew()
