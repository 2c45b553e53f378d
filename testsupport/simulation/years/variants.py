"""Broken variants of the controller, at least two for each invariant, that drawn worlds must tell from the real one."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from unittest import mock

from pullkeeper.adapters.kubernetes import events
from pullkeeper.app import container
from pullkeeper.domain.errors import validation
from pullkeeper.domain.namespace import namespace
from pullkeeper.domain.namespace.annotations import MAX_LENGTHS
from pullkeeper.domain.reporting import event_reasons
from pullkeeper.domain.secret import desired_state, judgement
from pullkeeper.reconcile import cached_kinds, desired_states, status_reporter, watched_roles, work_queue
from pullkeeper.tokens import call_queue
from testsupport.simulation import interference_mutants, mutants
from testsupport.simulation.years import broken
from testsupport.simulation.years.accounts import POLLED, WATCHED
from testsupport.simulation.years.campaign import run_world
from testsupport.simulation.years.crowd import CROWD
from testsupport.simulation.years.drawing import draw

_DAYS = 25.0
_MOST_SEEDS = 20
_Patch = tuple[Any, str, object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """Something broken, by the classes of the container's module or by patches."""

    classes: Mapping[str, object] = field(default_factory=dict)
    patches: Sequence[_Patch] = ()
    trait: str = ""
    """What a world needs so that it matters; "" if it matters in any."""
    days: float = _DAYS
    also: str = ""
    """The number of another invariant that tells it as well."""

    def breaks(self, name: str) -> set[str]:
        """Return the numbers of the invariants that a variant of this name breaks."""
        return {name[:2], self.also}

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Break the controller for as long as this context lasts."""
        patches = [*((container, name, each) for name, each in self.classes.items()), *self.patches]
        with ExitStack() as stack:
            for owner, name, each in patches:
                stack.enter_context(mock.patch.object(owner, name, each))
            yield

    def seeds(self) -> Iterator[int]:
        """Yield the first seeds of those worlds in which it may matter."""
        found = (seed for seed in range(1, 400) if self._may_matter(seed))
        yield from (seed for seed, _ in zip(found, range(_MOST_SEEDS), strict=False))

    def _may_matter(self, seed: int) -> bool:
        traits = draw(seed, days=1).traits
        return self.trait in traits if self.trait else "losses" in traits or len(traits) > 1


def _client(broken_class: type, **others: Any) -> Variant:
    return Variant(classes={"PullSecretClient": broken_class}, **others)


def _patched(*patches: _Patch, **others: Any) -> Variant:
    return Variant(patches=patches, **others)


def _of_roles(broken_class: type) -> Variant:
    """Break the caches of ServiceAccounts that are watched for their roles."""
    return _patched(
        (watched_roles, "service_account_cache", partial(broken.role_cache, broken_class)), trait=WATCHED, days=120
    )


_UNLIMITED = interference_mutants.Unlimited
VARIANTS: Mapping[str, Variant] = {
    "01 rotates too late": Variant(classes={"Reconciler": broken.RotatesTooLate}),
    "01 gives up after a failure": Variant(classes={"Worker": broken.GivesUp}, trait="refusals", days=60),
    "02 drops a registry": _client(mutants.DropsARegistry),
    "02 drops what cannot be renewed": _client(broken.DropsWhatCannotBeRenewed, days=60),
    "03 ignores labels": Variant(classes={"secret_cache": mutants.IgnoresLabels}, days=90),
    "03 creates over what is there": _client(broken.CreatesOverWhatIsThere, days=90),
    "04 deletes and creates": _client(mutants.DeletesAndCreates),
    "04 recreates to repair": _client(broken.RecreatesToRepair, days=60),
    "05 touches Namespaces": _client(mutants.TouchesNamespaces),
    "05 puts finalizers": _client(broken.PutsFinalizers, days=60),
    "06 reads other Secrets": _client(broken.ReadsOtherSecrets),
    "06 watches every Secret": _patched((container, "secrets_list_watch", broken.every_secret)),
    "07 logs what it writes": _client(mutants.LogsWhatItWrites),
    "07 keeps what it writes": _client(broken.KeepsWhatItWrites),
    "08 shares no token": Variant(classes={"TokenCache": mutants.FetchesForEachCaller}),
    "08 reads before writing": _client(broken.ReadsBeforeWriting),
    "09 has one priority": Variant(classes={"Reconciler": mutants.HasOnePriority}, trait=CROWD),
    "09 calls AWS in order": _patched((call_queue, "_rank", broken.first_come_first_served), trait=CROWD),
    "10 guesses on bad input": _patched(
        (judgement, "desired_state", mutants.guess_on_bad_input(desired_state.desired_state)), days=180
    ),
    "10 says nothing of bad input": _patched(
        (status_reporter, "event_reason", broken.without_bad_input(event_reasons.event_reason)), days=60
    ),
    "10 gives up on bad input": _patched(
        (desired_states, "fallback_state", broken.nothing_to_fall_back_to), days=90, also="01"
    ),
    "11 never deletes": Variant(classes={"Reconciler": mutants.NeverDeletes}, days=60),
    "11 deletes blindly": _client(mutants.DeletesBlindly, days=60),
    "11 waits for nothing": Variant(
        classes={"DesiredStates": broken.WaitsForNothing}, trait="opt-in by settings", days=90
    ),
    "11 takes out everybody's names": Variant(
        classes={"ServiceAccountClient": broken.ClearsPullSecrets}, trait="attachment", days=90
    ),
    "12 never relists": Variant(
        classes={"NamespaceRelister": mutants.NeverRelists}, trait="losses", days=10, also="10"
    ),
    "12 never begins anew": _patched(
        (cached_kinds, "ResourceCache", broken.NeverBeginsAnew), trait="restores", days=120, also="01"
    ),
    "12 ignores another role": _of_roles(broken.IgnoresRoles),
    "12 lists ServiceAccounts once": _of_roles(broken.ListsRolesOnce),
    "12 relies on a denied watch": _of_roles(broken.ReliesOnWhatIsDenied),
    "12 reads no ServiceAccount": Variant(
        classes={"ServiceAccountPoller": broken.PollsNothing}, trait=POLLED, days=120
    ),
    "14 says nothing of a lost role": Variant(
        classes={"WatchedRoles": broken.MissesAccounts}, trait=WATCHED, days=120, also="12"
    ),
    "13 has no token bucket": _patched(
        (work_queue, "RateLimiter", _UNLIMITED),
        (status_reporter, "RateLimiter", _UNLIMITED),
        (events, "RateLimiter", _UNLIMITED),
        trait="hostile",
    ),
    "13 says all that it is told": _patched(
        (validation, "MAX_REPORTED", 1_000_000),
        (validation, "MAX_QUOTED", 1_000_000),
        (validation, "_MAX_PART", 1_000_000),
        (namespace, "MAX_LENGTHS", dict.fromkeys(MAX_LENGTHS, 1_000_000)),
        trait="hostile",
    ),
    "14 says nothing": Variant(classes={"EventRecorder": broken.SaysNothing}, days=180),
    "14 is always ready": Variant(classes={"StatusReporter": broken.IsAlwaysReady}, days=180),
    "14 blames AWS": _patched((status_reporter, "event_reason", broken.blames_aws), trait="refusals", days=180),
}


def caught_by(name: str) -> int | None:
    """Return the first seed whose world shows that a variant breaks its invariant, None if none of a few does."""
    variant = VARIANTS[name]
    for seed in variant.seeds():
        world = draw(seed, days=variant.days)
        with variant.in_force():
            found = run_world(world).found
        if any(invariant[:2] in variant.breaks(name) for invariant, _ in found):
            return seed
    return None
