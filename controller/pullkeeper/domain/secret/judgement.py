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
    of_another_class: bool = False
    """Another installation acts for it, or nobody does: this one asks, writes and reports nothing."""
    opt_in_lost: bool = False
    """It gets nothing any more because the settings do not opt it in, or exclude it: that may be a slip, and waits."""


def judge(
    namespace: ObservedNamespace, secret: ObservedSecret | None, policy: Policy, *, attaches: bool = True
) -> Judgement:
    """Judge what a namespace asks for; `secret` is the one of the pull Secret's name.

    `attaches` says whether the installation changes ServiceAccounts.
    """
    if not policy.serves(namespace, secret.installation_class if secret else None):
        return Judgement(of_another_class=True)
    try:
        desired = desired_state(namespace, policy)
    except (InvalidInputError, FailureError) as error:
        lost = policy.excludes(namespace) and _settings_ended_it(namespace, secret, policy)
        return Judgement(error=error, opt_in_lost=lost)
    ignored = ignored_annotations(namespace) if desired and not attaches else ()
    lost = desired is None and _settings_ended_it(namespace, secret, policy)
    return Judgement(desired=desired, ignored=ignored, opt_in_lost=lost)


def opt_in_lost(namespace: ObservedNamespace, secret: ObservedSecret | None, policy: Policy) -> bool:
    """Return `judge(…).opt_in_lost`, at little cost where it is not."""
    if policy.opts_in(namespace) or namespace.terminating or not _settings_ended_it(namespace, secret, policy):
        return False
    return judge(namespace, secret, policy).opt_in_lost


def _settings_ended_it(namespace: ObservedNamespace, secret: ObservedSecret | None, policy: Policy) -> bool:
    """Whether a namespace without a desired state lost it by the settings, as far as its pull Secret says.

    A Secret that does not say who opted in may have been edited. To wait for nothing is better than to delete by
    mistake.
    """
    if secret is None or not (secret.managed and secret.written):
        return False
    if ENABLED in namespace.annotations:
        return policy.excludes(namespace) and not namespace.opted_out
    return secret.opted_in_by is not OptIn.ANNOTATION
