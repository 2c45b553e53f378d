"""What a namespace asks for under the settings in force: the one judgement for the controller and the commands."""

from dataclasses import dataclass

from pullkeeper.domain.config.policy import Policy
from pullkeeper.domain.errors.failures import Failure, FailureError
from pullkeeper.domain.errors.validation import InvalidInputError
from pullkeeper.domain.namespace.annotations import ENABLED
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.namespace.opt_in import OptIn
from pullkeeper.domain.secret.desired_state import DesiredState, desired_state, ignored_annotations
from pullkeeper.domain.secret.observed_secret import ObservedSecret


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """What a namespace asks for: a desired state, an error, or nothing."""

    desired: DesiredState | None = None
    error: InvalidInputError | FailureError | None = None
    """Why what it asks for cannot be done."""
    ignored: tuple[Failure, ...] = ()
    """A failure for each annotation that has no effect in this installation; the pull Secret is not affected."""
    opt_in_lost: bool = False
    """It asks for nothing any more because the settings do not opt it in: that may be a slip, and waits."""


def judge(
    namespace: ObservedNamespace, secret: ObservedSecret | None, policy: Policy, *, attaches: bool = True
) -> Judgement:
    """Judge what a namespace asks for; `secret` is the one of the pull Secret's name.

    `attaches` says whether the installation changes ServiceAccounts.
    """
    try:
        desired = desired_state(namespace, policy)
    except (InvalidInputError, FailureError) as error:
        return Judgement(error=error)
    ignored = ignored_annotations(namespace) if desired and not attaches else ()
    return Judgement(
        desired=desired, ignored=ignored, opt_in_lost=desired is None and _was_opted_in_by_settings(namespace, secret)
    )


def opt_in_lost(namespace: ObservedNamespace, secret: ObservedSecret | None, policy: Policy) -> bool:
    """Return `judge(…).opt_in_lost`, at little cost where it is not."""
    if policy.opts_in(namespace) or namespace.terminating or not _was_opted_in_by_settings(namespace, secret):
        return False
    return judge(namespace, secret, policy).opt_in_lost


def _was_opted_in_by_settings(namespace: ObservedNamespace, secret: ObservedSecret | None) -> bool:
    """Whether a namespace that is not opted in was so by the settings, as far as its pull Secret says.

    A Secret that does not say it may have been edited. To wait for nothing is better than to delete by mistake.
    """
    if secret is None or not (secret.managed and secret.written):
        return False
    return ENABLED not in namespace.annotations and secret.opted_in_by is not OptIn.ANNOTATION
