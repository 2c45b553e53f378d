"""The status of a namespace as seen from outside: from its metadata, its Secret's metadata and the settings alone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pullkeeper.domain.config.additional_secrets import AdditionalSecret
from pullkeeper.domain.config.injection import Injection, injection
from pullkeeper.domain.config.own_sources import Profile
from pullkeeper.domain.config.policy import ANYBODY, EVERY_NAMESPACE, NO_NAMESPACE, OwnIdentity, Policy, RoleGrant
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.ecr.rotation import Rotation
from pullkeeper.domain.errors.failures import FailureError
from pullkeeper.domain.errors.validation import summarized
from pullkeeper.domain.iam import principal, role_arn
from pullkeeper.domain.iam.identity import Identity
from pullkeeper.domain.namespace import annotations
from pullkeeper.domain.namespace.installation_class import DEFAULT_CLASS, class_of, described
from pullkeeper.domain.namespace.namespace import PREFIX, ObservedNamespace
from pullkeeper.domain.namespace.namespace_request import NamespaceRequest
from pullkeeper.domain.reporting.last_warning import LastWarning
from pullkeeper.domain.reporting.state import State
from pullkeeper.domain.secret.desired_state import DesiredState
from pullkeeper.domain.secret.judgement import judge
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.secret_record import SecretRecord, hosts_by_identity
from pullkeeper.domain.secret.shapes import PULL_SECRET
from pullkeeper.domain.views.additional_status import AdditionalStatus, Asked, Observed, additional_statuses
from pullkeeper.domain.views.durations import format_duration
from pullkeeper.domain.views.secret_state import is_unhealthy, late_state, refresh_at_of, state_of

_GRACE_PERIOD = timedelta(minutes=1)
"""How long a namespace may wait for what it has requested before it counts as unhealthy."""
_SELF_EXPLANATORY = frozenset({State.MISCONFIGURED, State.CONFLICT, State.OPTING_OUT, State.ORPHANED, State.NOT_FOUND})
"""States whose cause the metadata shows; for the others only the controller's Events tell the cause."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StatusRules:
    """The installation's policy and refresh rule; None where the settings are not known."""

    policy: Policy | None = None
    """None allows everything."""
    rotation: Rotation | None = None
    """None leaves overdue renewals undetected."""
    attaches: bool = True
    """Whether the installation changes ServiceAccounts."""
    additional: tuple[AdditionalSecret, ...] = ()
    """The Secrets that the installation keeps beside the pull Secret."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NamespaceStatus:
    """Status of one namespace."""

    namespace: str
    state: State
    unhealthy: bool
    """Whether somebody should look into it or an additional Secret: false while a request is less than a minute old."""
    registries: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Default registries that the namespace may not use, with the reason."""
    identities: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The registries of each identity, by its name; without any where they cannot be told."""
    principals: Mapping[str, str] = field(default_factory=dict)
    """Who each identity's tokens in the pull Secret were issued to, as it says itself; without those not known."""
    issued_at: datetime | None = None
    """When the oldest token in the pull Secret was issued."""
    expires_at: datetime | None = None
    """When the first token in the pull Secret expires."""
    refresh_at: datetime | None = None
    """When the first token is to be replaced; None where the refresh rule is not known."""
    problems: tuple[str, ...] = ()
    additional: tuple[AdditionalStatus, ...] = ()
    """The additional Secrets that are wanted or there, as far as the settings are known."""
    last_warning: LastWarning | None = None
    injection: Injection | None = None
    """Whether new pods get the pull Secret by themselves; None where the settings are not known."""

    @property
    def needs_events(self) -> bool:
        """Whether only the controller's Events can tell why the namespace is unhealthy."""
        return self.unhealthy and self.state not in _SELF_EXPLANATORY


@dataclass(frozen=True, kw_only=True, slots=True)
class _Request:
    """What the annotations ask for: a desired state, or problems, or neither where the namespace is opted out."""

    desired: DesiredState | None
    identities: tuple[str, ...] = ()
    """The names of the identities, where the registries cannot be told."""
    problems: tuple[str, ...] = ()
    opt_in_lost: bool = False
    other_class: str = ""
    """What to say of a namespace of another class."""


def namespace_status(
    request: NamespaceRequest,
    secret: ObservedSecret | None,
    rules: StatusRules,
    now: datetime,
    additional: Sequence[Observed] = (),
) -> NamespaceStatus | None:
    """Return the status of a namespace; None where it requests nothing and has no Secret of ours.

    `additional` are the additional Secrets to judge, with what is there of each.
    """
    name = request.namespace.name
    secret, recent = secret.as_of(now) if secret else None, _is_recent(request, now)
    wanted = _request(request.namespace, secret, rules)
    managed = secret if secret and secret.managed else None
    if wanted.other_class:
        wanted_by_somebody = request.namespace.is_requested or managed
        return _of_another_class(name, wanted.other_class) if wanted_by_somebody else None
    asked = Asked(
        namespace=request.namespace,
        desired=wanted.desired,
        invalid=wanted.desired is None and bool(wanted.problems),
        opt_in_lost=wanted.opt_in_lost,
        recent=recent,
    )
    others = () if request.namespace.terminating else tuple(additional_statuses(asked, additional, rules.rotation, now))
    if wanted.desired is None and not wanted.problems and managed is None and not others:
        return None
    record = managed.record if managed else None
    refresh_at = refresh_at_of(managed, rules.rotation)
    state, problems = _state(request, secret, wanted, refresh_at, now)
    return NamespaceStatus(
        namespace=name,
        state=state,
        unhealthy=is_unhealthy(state, recent=recent) or any(each.unhealthy for each in others),
        registries=_registries(wanted, record),
        left_out={host.name: why for host, why in sorted(wanted.desired.left_out.items())} if wanted.desired else {},
        identities=_identities(wanted, record),
        principals=_principals(record),
        issued_at=min(validity.issued_at for validity in record.validities) if record else None,
        expires_at=record.expires_at if record else None,
        refresh_at=refresh_at,
        problems=problems,
        additional=others,
        injection=injection(request.namespace, rules.policy) if rules.policy else None,
    )


def _of_another_class(name: str, problem: str) -> NamespaceStatus:
    return NamespaceStatus(namespace=name, state=State.OTHER_CLASS, unhealthy=False, problems=(problem,))


def not_found(name: str) -> NamespaceStatus:
    """Return the status of a namespace that was named and does not exist."""
    return NamespaceStatus(
        namespace=name, state=State.NOT_FOUND, unhealthy=True, problems=("there is no such namespace",)
    )


def with_warning(status: NamespaceStatus, warning: LastWarning | None) -> NamespaceStatus:
    """Add the controller's last warning to a status that needs it."""
    return replace(status, last_warning=warning) if warning and status.needs_events else status


def _is_recent(request: NamespaceRequest, now: datetime) -> bool:
    return request.first_requested_at is not None and abs(now - request.first_requested_at) < _GRACE_PERIOD


def _state(
    request: NamespaceRequest,
    secret: ObservedSecret | None,
    wanted: _Request,
    refresh_at: datetime | None,
    now: datetime,
) -> tuple[State, tuple[str, ...]]:
    record = secret.record if secret and secret.managed else None
    late = late_state(record, PULL_SECRET, refresh_at, now) if record else None
    if request.namespace.terminating:
        return State.TERMINATING, ()
    if wanted.problems:
        return State.MISCONFIGURED, (*wanted.problems, *(late[1] if late else ()))
    if wanted.desired is None:
        return _not_opted_in(wanted, secret)
    if secret is None:
        return State.PENDING, (f"no pull Secret yet{_requested_ago(request, now)}",)
    return state_of(secret, wanted.desired, PULL_SECRET, refresh_at, now)


def _not_opted_in(wanted: _Request, secret: ObservedSecret | None) -> tuple[State, tuple[str, ...]]:
    if wanted.opt_in_lost:
        return State.OPTING_OUT, (_OPTING_OUT,)
    left = "the pull Secret has" if secret and secret.managed else "additional Secrets have"
    return State.ORPHANED, (f"the namespace is not opted in, but {left} not been deleted",)


_OPTING_OUT = (
    "the settings do not opt the namespace in any more: its pull Secret is deleted when `optOutGrace` has passed; "
    "opt it in again, by `optIn` or by its annotation, to keep it"
)


def _request(namespace: ObservedNamespace, secret: ObservedSecret | None, rules: StatusRules) -> _Request:
    policy = rules.policy
    prefix = f"namespace/{namespace.name}: "
    allowed = policy or _permissive_policy(namespace, secret)
    judgement = judge(namespace, secret, allowed, attaches=rules.attaches)
    if judgement.of_another_class:
        return _Request(desired=None, other_class=_other_class(namespace, allowed))
    if judgement.error is None:
        problems = tuple(failure.message.removeprefix(prefix) for failure in judgement.ignored)
        return _Request(desired=judgement.desired, problems=problems, opt_in_lost=judgement.opt_in_lost)
    if isinstance(judgement.error, FailureError):
        return _Request(desired=None, problems=(judgement.error.failure.message.removeprefix(prefix),))
    invalid = judgement.error.problems
    if policy is None and annotations.REGISTRIES not in namespace.annotations:
        # Without the settings the default registries are unknown, so their absence is no problem.
        invalid = tuple(each for each in invalid if each.where != f"{PREFIX}{annotations.REGISTRIES}")
    if invalid:
        return _Request(desired=None, problems=summarized(invalid))
    return _Request(desired=DesiredState(identities={}), identities=_named_identities(namespace, allowed))


def _other_class(namespace: ObservedNamespace, policy: Policy) -> str:
    named = class_of(namespace.annotations)
    return (
        f"of {'a class that is invalid' if named is None else described(named)}, and this installation serves "
        f"{described(policy.installation_class)}: an installation of that class acts for it, if there is one"
    )


def _permissive_policy(namespace: ObservedNamespace, secret: ObservedSecret | None) -> Policy:
    """Return a policy that allows everything; a namespace with a pull Secret may be opted in by the settings."""
    managed = secret is not None and secret.managed
    held = secret.target.identities if secret and secret.target else {}
    return Policy(
        installation_class=_any_class(namespace, secret),
        registries=tuple(sorted(held)),
        identities=tuple(_believed(held)),
        roles=(RoleGrant(role="*"),),
        service_accounts=ANYBODY,
        opt_in=EVERY_NAMESPACE if managed else NO_NAMESPACE,
        excluded_namespaces=(),
    )


def _believed(held: Mapping[RegistryHost, str]) -> Iterator[OwnIdentity]:
    """Return the controller's identities as a pull Secret shows them: only the settings tell whether they are right."""
    for host, name in held.items():
        label = Identity(name=name).own_name
        if label:
            yield OwnIdentity(name=label, registries=(host.name,), source=Profile(name=label))


def _any_class(namespace: ObservedNamespace, secret: ObservedSecret | None) -> str:
    """Return a class whose installation acts for the namespace."""
    named = class_of(namespace.annotations)
    held = secret.installation_class if secret and secret.installation_class else DEFAULT_CLASS
    return held if named is None else named


def _named_identities(namespace: ObservedNamespace, policy: Policy) -> tuple[str, ...]:
    account = namespace.annotations.get(annotations.SERVICE_ACCOUNT, "")
    roles = role_arn.parts(namespace.annotations.get(annotations.ROLE_ARN, "")) or [""]
    return tuple(policy.identity(namespace, (), role=role, account=account).name for role in roles)


def _registries(wanted: _Request, record: SecretRecord | None) -> tuple[str, ...]:
    desired = wanted.desired.registries if wanted.desired else ()
    return tuple(host.name for host in desired or (record.registries if record else ()))


def _identities(wanted: _Request, record: SecretRecord | None) -> Mapping[str, Sequence[str]]:
    if wanted.identities:
        return dict.fromkeys(wanted.identities, ())
    names = wanted.desired.identity_names if wanted.desired else record.identities if record else {}
    return {name: [host.name for host in hosts] for name, hosts in hosts_by_identity(names).items()}


def _principals(record: SecretRecord | None) -> Mapping[str, str]:
    names = sorted(set(record.identities.values())) if record else ()
    found = {name: record.principals.get(name) or principal.of_identity(name) for name in names if record}
    return {name: known for name, known in found.items() if known}


def _requested_ago(request: NamespaceRequest, now: datetime) -> str:
    since = request.first_requested_at
    return f"; requested {format_duration(now - since)} ago" if since else ""
