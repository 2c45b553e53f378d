"""What a Namespace requests by its annotations, or every problem with them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial

from pullkeeper.domain.config.policy import Policy
from pullkeeper.domain.ecr import registry_host
from pullkeeper.domain.ecr.registry_host import RegistryHost, parse_registries
from pullkeeper.domain.errors.failures import Failure, FailureError, Reason
from pullkeeper.domain.errors.validation import InvalidInputError, Problem, quoted
from pullkeeper.domain.iam.identity import NAME, Identity
from pullkeeper.domain.kube.annotation_lists import parts
from pullkeeper.domain.namespace import service_account_names
from pullkeeper.domain.namespace.annotations import (
    ATTACH,
    CLASS,
    ENABLED,
    INJECT,
    KNOWN,
    MAX_LENGTHS,
    MAX_UNKNOWN,
    REFRESH,
    REGISTRIES,
    ROLE_ARN,
    SERVICE_ACCOUNT,
)
from pullkeeper.domain.namespace.installation_class import CLASS_FORM, DEFAULT_CLASS, class_of
from pullkeeper.domain.namespace.namespace import PREFIX, ObservedNamespace
from pullkeeper.domain.namespace.opt_in import OptIn
from pullkeeper.domain.namespace.service_account_names import NO_SERVICE_ACCOUNTS, ServiceAccountNames
from pullkeeper.domain.secret.role_annotation import parse_roles, registries_by_role

# Words that the chart's admission policy repeats (tools/admission_policies.py).
EXCLUDED = Problem(
    where=f"{PREFIX}*",
    found="a namespace that the installation excludes (`excludedNamespaces` in the settings)",
    expected="no annotation of Pullkeeper here: there is no pull Secret in this namespace, whatever it asks for",
)
UNKNOWN_KEY = "a key that this version does not know"
UNKNOWN_KEYS = " keys that this version does not know"
KNOWN_KEYS = "one of " + ", ".join(PREFIX + key for key in KNOWN)
FLAG = '"true" or "false"'
ACCOUNT_FORM = "the name of a ServiceAccount of this namespace"
NO_HOST = "no registry host"
NO_DEFAULT = "no annotation, and no default in the settings"
NO_EFFECT = (
    f"{PREFIX}{ATTACH} has no effect, because this installation does not change ServiceAccounts: its operator can "
    "enable that in the settings with `serviceAccountAttachment: true`"
)
_Resolver = Callable[[Sequence[RegistryHost]], Identity]
_SHARED, _FEW = 512, 16
"""So many desired states are remembered, of so few registries: namespaces that ask for the same hold one of them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DesiredState:
    """What the pull Secret of a namespace should hold."""

    identities: Mapping[RegistryHost, Identity]
    """Every registry, with the identity that its token is fetched as."""
    refresh_requested_at: str | None = None
    """The value of the `refresh-requested-at` annotation: each new value requests fresh tokens."""
    service_accounts: ServiceAccountNames = NO_SERVICE_ACCOUNTS
    """The ServiceAccounts whose `imagePullSecrets` should name the pull Secret."""
    opted_in_by: OptIn = OptIn.ANNOTATION
    installation_class: str = DEFAULT_CLASS
    """The class of the installation that keeps it."""
    refused: Mapping[RegistryHost, str] = field(default_factory=dict)
    """Registries, beside those, that keep the entry they have: the identity (its name) may not be used any more."""
    left_out: Mapping[RegistryHost, str] = field(default_factory=dict)
    """Default registries of the settings that this namespace may not use, with the reason."""

    @property
    def registries(self) -> tuple[RegistryHost, ...]:
        """Every registry, in order."""
        return tuple(sorted(self.identities))

    @property
    def distinct_identities(self) -> tuple[Identity, ...]:
        """Every identity once."""
        return tuple(dict.fromkeys(self.identities.values()))

    def limited_to(self, host: RegistryHost) -> "DesiredState | None":
        """Return it for one of its registries, for a Secret beside the pull Secret; None if that is not among them."""
        if host not in self.identities:
            return None
        alone = {host: self.identities[host]}
        return replace(self, identities=alone, refused={}, left_out={}, service_accounts=NO_SERVICE_ACCOUNTS)

    @property
    def identity_names(self) -> Mapping[RegistryHost, str]:
        """The name of each registry's identity."""
        return {host: identity.name for host, identity in self.identities.items()}


def desired_state(namespace: ObservedNamespace, policy: Policy, *, partly: bool = False) -> DesiredState | None:
    """Return what a namespace of the installation's class requests, as the policy allows; None if it is not opted in.

    `enabled: "false"` opts out whatever the other annotations say; in an excluded namespace any other annotation is one
    problem, and the only one. Raise InvalidInputError with every problem, or FailureError (RoleNotAllowed). A default
    registry that the namespace may not use is left out instead, while another is left; so is any registry, if `partly`.
    """
    annotations = namespace.annotations
    if annotations.get(ENABLED) == "false":
        return None
    if policy.excludes(namespace):
        if namespace.is_requested:
            raise InvalidInputError([EXCLUDED])
        return None
    problems = [*_unknown_key_problems(namespace), *_flag_problems(annotations), *_class_problems(annotations)]
    if too_long := _length_problems(annotations):
        raise InvalidInputError([*problems, *too_long])
    if ENABLED not in annotations and not problems and not policy.opts_in(namespace):
        return None
    registries, registry_problems = _registries(annotations, policy.registries)
    accounts, account_problems = _service_accounts(annotations, policy)
    problems += [*registry_problems, *_identity_problems(annotations, registries), *account_problems]
    if problems:
        raise InvalidInputError(problems)
    may_leave_out = partly or REGISTRIES not in annotations
    identities, left_out = _identities(namespace, sorted(registries), policy, may_leave_out=may_leave_out)
    opted_in_by = OptIn.ANNOTATION if ENABLED in annotations else OptIn.SETTINGS
    if not (left_out or accounts or REFRESH in annotations) and len(identities) <= _FEW:
        return share_desired(tuple(identities.items()), opted_in_by, policy.installation_class)
    return DesiredState(
        identities=identities,
        refresh_requested_at=annotations.get(REFRESH),
        service_accounts=accounts,
        opted_in_by=opted_in_by,
        installation_class=policy.installation_class,
        left_out=left_out,
    )


@lru_cache(maxsize=_SHARED)
def share_desired(
    identities: tuple[tuple[RegistryHost, Identity], ...], opted_in_by: OptIn, installation_class: str
) -> DesiredState:
    """Return the one desired state of these, which many namespaces hold; `desired_state` bounds their number."""
    return DesiredState(identities=dict(identities), opted_in_by=opted_in_by, installation_class=installation_class)


def _identities(
    namespace: ObservedNamespace, registries: Sequence[RegistryHost], policy: Policy, *, may_leave_out: bool
) -> tuple[Mapping[RegistryHost, Identity], Mapping[RegistryHost, str]]:
    """Return each registry's identity, as valid annotations request it, and why a registry has none.

    Raise FailureError (RoleNotAllowed) where none has one, or where one has none that may not be left out.
    """
    found: dict[RegistryHost, Identity] = {}
    left_out: dict[RegistryHost, FailureError] = {}
    for hosts, identity in _groups(namespace, registries, policy):
        try:
            found |= dict.fromkeys(hosts, identity(hosts))
        except FailureError as error:
            if not may_leave_out:
                raise
            allowed = [host for host in hosts if _allows(identity, host)]
            found |= dict.fromkeys(allowed, identity(allowed)) if allowed else {}
            left_out |= {host: error for host in hosts if host not in allowed}
    if left_out and not found:
        raise next(iter(left_out.values()))
    prefix = f"namespace/{namespace.name}: "
    return found, {host: error.failure.message.removeprefix(prefix) for host, error in left_out.items()}


def _allows(identity: _Resolver, host: RegistryHost) -> bool:
    try:
        identity([host])
    except FailureError:
        return False
    return True


def _groups(
    namespace: ObservedNamespace, registries: Sequence[RegistryHost], policy: Policy
) -> Iterator[tuple[Sequence[RegistryHost], _Resolver]]:
    """Return the registries of each identity, with what returns it for some of them."""
    identity = partial(policy.identity, namespace)
    if account := namespace.annotations.get(SERVICE_ACCOUNT):
        yield registries, partial(identity, account=account)
    elif ROLE_ARN in namespace.annotations:
        roles, _ = parse_roles(namespace.annotations[ROLE_ARN], registries)
        for role, hosts in registries_by_role(roles, registries).items():
            yield hosts, partial(identity, role=role)
    else:
        yield from ((hosts, identity) for hosts in policy.by_own_identity(registries).values())


def ignored_annotations(namespace: ObservedNamespace) -> tuple[Failure, ...]:
    """Return a failure for each annotation that has no effect in this installation; the pull Secret is not affected."""
    if ATTACH not in namespace.annotations:
        return ()
    return (Failure(reason=Reason.INVALID_ANNOTATION, message=f"namespace/{namespace.name}: {NO_EFFECT}"),)


def _service_accounts(annotations: Mapping[str, str], policy: Policy) -> tuple[ServiceAccountNames, list[Problem]]:
    if (value := annotations.get(ATTACH)) is None:
        return policy.attach_to, []
    accounts, findings = service_account_names.parse(parts(value))
    where, expected = PREFIX + ATTACH, service_account_names.FORM
    return accounts, [Problem(where=where, found=found, expected=expected) for found in findings]


def _identity_problems(annotations: Mapping[str, str], registries: Sequence[RegistryHost]) -> list[Problem]:
    if ROLE_ARN in annotations and SERVICE_ACCOUNT in annotations:
        found, expected = f"{PREFIX}{SERVICE_ACCOUNT} beside it", "one of the two"
        return [Problem(where=PREFIX + ROLE_ARN, found=found, expected=expected)]
    if (account := annotations.get(SERVICE_ACCOUNT)) is not None and not NAME.fullmatch(account):
        return [Problem(where=PREFIX + SERVICE_ACCOUNT, found=quoted(account), expected=ACCOUNT_FORM)]
    return parse_roles(annotations[ROLE_ARN], registries)[1] if ROLE_ARN in annotations else []


def _length_problems(annotations: Mapping[str, str]) -> list[Problem]:
    return [
        Problem(where=PREFIX + key, found=quoted(annotations[key]), expected=f"at most {limit:,} characters")
        for key, limit in MAX_LENGTHS.items()
        if len(annotations.get(key, "")) > limit
    ]


def _unknown_key_problems(namespace: ObservedNamespace) -> list[Problem]:
    found = {key: UNKNOWN_KEY for key in sorted(namespace.annotations) if key not in KNOWN}
    if namespace.unknown_keys > MAX_UNKNOWN:
        found = {"*": f"{namespace.unknown_keys}{UNKNOWN_KEYS}"}
    return [Problem(where=f"{PREFIX}{key}", found=text, expected=KNOWN_KEYS) for key, text in found.items()]


def _flag_problems(annotations: Mapping[str, str]) -> list[Problem]:
    return [
        Problem(where=PREFIX + key, found=quoted(annotations[key]), expected=FLAG)
        for key in (ENABLED, INJECT)
        if annotations.get(key, "true") not in {"true", "false"}
    ]


def _class_problems(annotations: Mapping[str, str]) -> list[Problem]:
    if class_of(annotations) is not None or len(annotations[CLASS]) > MAX_LENGTHS[CLASS]:
        return []
    return [Problem(where=PREFIX + CLASS, found=quoted(annotations[CLASS]), expected=CLASS_FORM)]


def _registries(
    annotations: Mapping[str, str], defaults: Sequence[RegistryHost]
) -> tuple[tuple[RegistryHost, ...], list[Problem]]:
    where = PREFIX + REGISTRIES
    value = annotations.get(REGISTRIES)
    hosts, problems = (tuple(defaults), []) if value is None else parse_registries(value, where)
    if not hosts and not problems:
        found = NO_HOST if value is not None else NO_DEFAULT
        problems = [Problem(where=where, found=found, expected=f"at least one host: {registry_host.FORM}")]
    return hosts, problems
