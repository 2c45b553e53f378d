"""Reloads the policy part of the settings while the controller runs."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pullkeeper.app.config_loader import Config
from pullkeeper.domain.config.policy import Policy
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.errors.validation import InvalidInputError, Problem
from pullkeeper.domain.namespace.installation_class import described
from pullkeeper.domain.namespace.namespace import ObservedNamespace

logger = logging.getLogger(__name__)

_INTERVAL = 2.0
"""Seconds between two reads of the file: the kubelet takes about a minute to update a mounted ConfigMap anyway."""
_TOLERATED_READS = 2
"""From this many failed reads on the file counts as unreadable."""


class CurrentPolicy:
    """The policy in force: replaced by the PolicyReloader, asked for at each use by everything else."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def __call__(self) -> Policy:
        """Return the policy in force."""
        return self._policy

    def replace(self, policy: Policy) -> None:
        """Put another policy in force."""
        self._policy = policy

    def applies_to(self, namespace: ObservedNamespace) -> bool:
        """Whether the policy in force requests a pull Secret for the namespace."""
        return self._policy.applies_to(namespace)


class PolicyReloader:
    """Replaces the policy in force when the settings file changes.

    An invalid file changes nothing and is logged once. A change of any other setting is logged as needing a restart.
    """

    def __init__(
        self,
        config: Config,
        policy: CurrentPolicy,
        *,
        read: Callable[[bytes], Settings],
        on_change: Callable[[], None],
        set_valid: Callable[[bool], None],
    ) -> None:
        """Compare the file with `config`; `set_valid` records whether it is valid, `on_change` follows a new policy."""
        self._path = config.path
        self._content = config.content
        self._settings = config.settings
        self._failed_reads = 0
        self._policy = policy
        self._read = read
        self._on_change = on_change
        self._set_valid = set_valid
        set_valid(True)

    async def run(self) -> None:
        """Check the file at intervals, until cancelled; returns at once if there is none."""
        while self._path is not None:
            await asyncio.sleep(_INTERVAL)
            await self.reload(self._path)

    async def reload(self, path: Path) -> None:
        """Read the file once and apply what has changed."""
        try:
            content = await asyncio.to_thread(path.read_bytes)
        except OSError as error:
            self._unreadable(error)
            return
        self.take_over(content)

    def take_over(self, content: bytes) -> None:
        """Apply what has changed in the file since it was last read."""
        if content == self._content and self._failed_reads < _TOLERATED_READS:
            self._failed_reads = 0
            return
        self._content, self._failed_reads = content, 0
        try:
            settings = self._read(content)
            _check_opt_in(settings.policy, self._settings.policy)
        except InvalidInputError as error:
            self._set_valid(False)  # noqa: FBT003 -- the gauge's value
            logger.error("settings not reloaded, the previous ones stay in force: %s", error)  # noqa: TRY400 -- no traceback
            return
        self._set_valid(True)  # noqa: FBT003 -- the gauge's value
        self._apply(settings)

    def _unreadable(self, error: OSError) -> None:
        """Report once a file that stays unreadable; one read may fail while the kubelet swaps the ConfigMap."""
        self._failed_reads += 1
        if self._failed_reads == _TOLERATED_READS:
            self._set_valid(False)  # noqa: FBT003 -- the gauge's value
            cause = error.strerror or type(error).__name__
            logger.error("settings file %s cannot be read, the previous ones stay in force: %s", self._path, cause)

    def _apply(self, settings: Settings) -> None:
        # The sources of the controller's identities are opened at the start, so their names and registries stay, too.
        policy = replace(settings.policy, identities=self._settings.policy.identities)
        running = replace(self._settings, policy=policy)
        if running != settings:
            logger.warning("policy reloaded; other changed settings need a restart")
        if running != self._settings:
            _warn_of_class(self._settings.policy, running.policy)
            self._settings = running
            self._policy.replace(running.policy)
            logger.info("policy reloaded")
            self._on_change()


def _warn_of_class(before: Policy, after: Policy) -> None:
    """Log that all that was served is left to others now: by mistake, nothing else would tell until tokens expire."""
    if before.installation_class != after.installation_class:
        logger.warning(
            "this installation serves %s instead of %s: pull Secrets in other namespaces are neither renewed nor "
            "deleted by it any more",
            described(after.installation_class),
            described(before.installation_class),
        )


def _check_opt_in(policy: Policy, in_force: Policy) -> None:
    """Reject a file from which `optIn` has vanished: it may have been cut off, and whoever means it can say so."""
    if policy.opt_in_stated or policy.opt_in == in_force.opt_in:
        return
    expected = "it as before, or `optIn: {namespaces: []}` to opt no namespace in"
    raise InvalidInputError([Problem(where="optIn", found="nothing any more", expected=expected)])
