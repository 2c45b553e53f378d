"""What is said of a namespace: one log line, one Event and the metrics for each thing that happened to it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Protocol

from controller.core.observed_secret import ObservedSecret
from controller.core.plan import Cause
from controller.core.reasons import TOKEN_REASONS, Failure, Reason
from controller.core.state import State

logger = logging.getLogger(__name__)


_EVENT_REASONS = {
    Reason.INVALID_ANNOTATION: "InvalidAnnotation",
    Reason.ACCESS_DENIED: "AccessDenied",
    Reason.ROLE_NOT_ALLOWED: "RoleNotAllowed",
    Reason.SECRET_CONFLICT: "SecretConflict",
}
_SAID = {
    Cause.CREATED: ("PullSecretCreated", "created"),
    Cause.REPAIRED: ("PullSecretUpdated", "put right after somebody had changed it"),
    Cause.CHANGED: ("PullSecretUpdated", "changed"),
    Cause.REFRESHED: ("PullSecretUpdated", "refreshed on request"),
}
"""A rotation is not among them: it is what is expected."""


class Events(Protocol):
    """Whoever posts Events; it never fails and never waits."""

    def post(
        self,
        namespace: str,
        reason: str,
        note: str,
        *,
        warning: bool,
        secret: ObservedSecret | None,
        detail: str = "",
    ) -> None:
        """Post an Event in the namespace, regarding its pull Secret; the detail makes no other Event of it."""


class Meters(Protocol):
    """Whoever counts."""

    def secret_write(self, operation: str, result: str) -> None:
        """A Secret was written, or was not."""

    def stands(self, namespace: str, state: str | None, expires_at: datetime | None) -> None:
        """How a namespace stands; None where there is nothing to keep."""

    def first_secret(self, wait: timedelta) -> None:
        """A namespace got its first Secret, so long after it was seen to ask."""


class Report:
    """Turns what happens into words and figures; the same trouble is logged once, not at every try."""

    def __init__(self, events: Events, meters: Meters) -> None:
        self._events = events
        self._meters = meters
        self._told: dict[str, tuple[Failure, ...]] = {}

    @contextmanager
    def writing(self, operation: str) -> Iterator[None]:
        """Count a write of a Secret by how it ends."""
        result = "error"
        try:
            yield
            result = "success"
        finally:
            self._meters.secret_write(operation, result)

    def wrote(self, name: str, cause: Cause, secret: ObservedSecret, waited: timedelta | None) -> None:
        """Tell that the pull Secret was written; `waited` is how long a first one took."""
        if waited is not None:
            self._meters.first_secret(waited)
        if cause is Cause.ROTATED:
            logger.debug("namespace/%s: pull Secret rotated%s", name, _holding(secret))
            return
        reason, what = _SAID[cause]
        note = f"pull Secret {what}{_holding(secret)}"
        logger.info("namespace/%s: %s", name, note)
        self._events.post(name, reason, note, warning=False, secret=secret)

    def removed(self, name: str, secret: ObservedSecret) -> None:
        """Tell that the pull Secret was deleted because nobody asks for it any more."""
        note = "pull Secret deleted: the namespace is opted out"
        logger.info("namespace/%s: %s", name, note)
        self._events.post(name, "PullSecretDeleted", note, warning=False, secret=secret)

    def stands(self, name: str, secret: ObservedSecret | None, failures: tuple[Failure, ...]) -> None:
        """Tell how the namespace stands now."""
        ours = secret if secret and secret.managed else None
        published = ours.published if ours else None
        expires_at = published.expires_at if published else None
        self._meters.stands(name, _state(ours, failures), expires_at)
        self._tell(name, secret, failures)

    def forget(self, name: str) -> None:
        """Drop what was said of a namespace that asks for nothing any more."""
        self._told.pop(name, None)
        self._meters.stands(name, None, None)

    def _tell(self, name: str, secret: ObservedSecret | None, failures: tuple[Failure, ...]) -> None:
        told = self._told.get(name, ())
        for failure in failures:
            if failure not in told:
                logger.warning("namespace/%s: %s", name, failure)
            if reason := _event_reason(failure):
                self._events.post(name, reason, failure.message, warning=True, secret=secret, detail=failure.aside)
        if told and not failures:
            logger.info("namespace/%s: all is well again", name)
        if failures:
            self._told[name] = failures
        else:
            self._told.pop(name, None)


def _event_reason(failure: Failure) -> str | None:
    fallback = "TokenFetchFailed" if failure.reason in TOKEN_REASONS else None
    return _EVENT_REASONS.get(failure.reason, fallback)


def _state(ours: ObservedSecret | None, failures: tuple[Failure, ...]) -> State:
    reasons = {failure.reason for failure in failures}
    if reasons & {Reason.INVALID_ANNOTATION, Reason.ROLE_NOT_ALLOWED}:
        return State.MISCONFIGURED
    if Reason.SECRET_CONFLICT in reasons:
        return State.CONFLICT
    if ours is None:
        return State.PENDING
    return State.FAILING if reasons else State.READY


def _holding(secret: ObservedSecret) -> str:
    held = secret.published
    if held is None:
        return ""
    hosts = ", ".join(host.name for host in held.registries)
    return f" for {hosts}; the token is good until {held.expires_at:%Y-%m-%d %H:%M:%SZ}"
