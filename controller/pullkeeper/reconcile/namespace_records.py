"""What is remembered of each Namespace between two reconciliations; all of it may be lost with the process."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pullkeeper.domain.config.policy import Policy
from pullkeeper.domain.errors.failures import Failure
from pullkeeper.domain.iam.identity import Identity
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.reporting.state import State
from pullkeeper.domain.secret.desired_state import DesiredState
from pullkeeper.domain.secret.judgement import Judgement
from pullkeeper.domain.secret.repairs import Repairs
from pullkeeper.domain.secret.service_account_patch import ObservedServiceAccount
from pullkeeper.domain.secret.undone_writes import UndoneWrites


@dataclass(frozen=True, kw_only=True, slots=True)
class RefreshRequest:
    """A value of the `refresh-requested-at` annotation."""

    value: str | None
    requested_at: datetime | None
    """When it was first seen to ask for more than the first token; None where it asks for nothing more."""


@dataclass(kw_only=True, slots=True)
class NamespaceRecord:
    """What is remembered of one Namespace object."""

    uid: str = ""
    first_requested_at: datetime | None = None
    """When a pull Secret was first seen to be requested; None while none is."""
    failed_attempts: int = 0
    """Reconciliations that have failed since the last one that succeeded."""
    failed_attempts_of: dict[str, int] = field(default_factory=dict)
    """The same of each additional Secret, by its name; without those that succeeded."""
    refresh: RefreshRequest | None = None
    judged: tuple[ObservedNamespace, Policy, str | None, Judgement] | None = None
    """The judgement by which a pull Secret was last desired, and of what: Namespace, policy, class of the Secret."""
    last_valid: DesiredState | None = None
    """What the annotations requested when they were last valid."""
    opt_in_lost_at: datetime | None = None
    """When this replica first acted on an opt-in that the settings have lost."""
    of_another_class: bool = False
    """Another installation acts for it."""
    service_account: Identity | None = None
    """The ServiceAccount's identity that tokens were last requested as."""
    reported_failures: tuple[Failure, ...] = ()
    """What was reported to fail and goes on failing, so that it is reported once."""
    reported_state: State | None = None
    undone: dict[str, UndoneWrites] = field(default_factory=dict)
    """How often somebody has undone what was written to each Secret, by the name of the Secret."""
    deselected_at: dict[str, datetime] = field(default_factory=dict)
    """When this replica first acted on it that the settings do not select the namespace for an additional Secret any
    more, by the name of the Secret."""
    attached: dict[str, Repairs] = field(default_factory=dict)
    """How often each ServiceAccount was attached again, for the latest `MAX_ATTACHED` of them."""
    last_patched: str = ""
    """Name of the ServiceAccount with which the last turn ended, while more have to be patched than in one."""
    missing_service_accounts: Mapping[str, datetime] = field(default_factory=dict)
    """When to report each ServiceAccount that is named and does not exist."""

    def undone_of(self, secret_name: str) -> UndoneWrites:
        """Return what is known of the writes to one Secret."""
        return self.undone.get(secret_name, _NOTHING_UNDONE)

    @property
    def has_written(self) -> bool:
        """Whether any Secret was written or deleted, which somebody may undo."""
        return any(each.left_version is not None for each in self.undone.values())

    def record_attached(self, account: ObservedServiceAccount, now: datetime) -> None:
        """Take note that a ServiceAccount was attached; not for the first time if it is marked or known already."""
        known = self.attached.pop(account.name, None)
        again = known is not None or account.mark is not None
        self.attached[account.name] = (known or Repairs()).after(now, account.writer) if again else Repairs()
        if len(self.attached) > MAX_ATTACHED:
            del self.attached[next(iter(self.attached))]


_NOTHING_UNDONE = UndoneWrites()
MAX_ATTACHED = 500
"""Of more ServiceAccounts of a namespace than these the repairs are not counted."""


class NamespaceRecords:
    """One record for each Namespace, by its uid: a Namespace that is made anew under its name starts afresh."""

    def __init__(self, *, applies_to: Callable[[ObservedNamespace], bool], clock: Callable[[], datetime]) -> None:
        """Start without records; `applies_to` tells whether the policy in force requests a pull Secret."""
        self._applies_to = applies_to
        self._clock = clock
        self._uids: dict[str, str] = {}
        self._records: dict[str, NamespaceRecord] = {}

    def get(self, name: str) -> NamespaceRecord:
        """Return the record of the Namespace of this name; an unkept one where there is no such Namespace."""
        uid = self._uids.get(name)
        if uid is None:
            return NamespaceRecord()
        # Not by setdefault: asked for many times in each reconciliation, and made once.
        if (record := self._records.get(uid)) is None:
            record = self._records[uid] = NamespaceRecord(uid=uid)
        return record

    def observe(self, namespace: ObservedNamespace) -> None:
        """Record since when a pull Secret is requested; to be called for every change of Namespace or policy."""
        if self._uids.get(namespace.name) != namespace.uid:
            self.forget(namespace)
            self._uids[namespace.name] = namespace.uid
        if self._applies_to(namespace) and not namespace.opted_out:
            record = self.get(namespace.name)
            record.first_requested_at = record.first_requested_at or self._clock()
        elif namespace.uid in self._records:
            self._records[namespace.uid].first_requested_at = None

    def forget(self, namespace: ObservedNamespace) -> None:
        """Drop the record of a Namespace that is gone."""
        self._records.pop(self._uids.pop(namespace.name, ""), None)

    def reset(self, name: str) -> None:
        """Drop what is remembered of a Namespace for which no pull Secret is requested, or not any more."""
        record = self._records.pop(self._uids.get(name, ""), None)
        if record and (record.first_requested_at or record.has_written):
            # Requested again since it was found not to be; or deleted, which somebody may undo.
            first, undone = record.first_requested_at, record.undone
            self._records[record.uid] = NamespaceRecord(uid=record.uid, first_requested_at=first, undone=undone)

    def reset_reported(self) -> None:
        """Forget what was reported, because another replica reports from now on."""
        for record in self._records.values():
            record.reported_failures, record.reported_state = (), None
            # What another replica does meanwhile is not known: a grace begins anew.
            record.opt_in_lost_at = None
            record.deselected_at.clear()
