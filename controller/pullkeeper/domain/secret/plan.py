"""What to do about one namespace: the one next action."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType

from pullkeeper.domain.config.policy import Policy
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.ecr.rotation import Rotation
from pullkeeper.domain.errors.failures import FailureError
from pullkeeper.domain.errors.validation import InvalidInputError
from pullkeeper.domain.iam.identity import Identity
from pullkeeper.domain.iam.principal import Current
from pullkeeper.domain.namespace.annotations import ENABLED, REGISTRIES, ROLE_ARN, SERVICE_ACCOUNT
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.secret.desired_state import DesiredState, desired_state
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.secret_record import SecretRecord, Target

_DECISIVE = frozenset({ENABLED, ROLE_ARN, SERVICE_ACCOUNT})
"""Annotations that say whether a namespace is opted in and as whom, which a pull Secret must never decide."""


NOBODY_KNOWN: Mapping[str, Current] = MappingProxyType({})
_AT_ONCE = datetime.min.replace(tzinfo=UTC)


class Priority(StrEnum):
    """Priority of a namespace in the work queue: a first Secret is always served ahead of rotations."""

    NEW = "new"
    ROTATION = "rotation"


class Cause(StrEnum):
    """Why a pull Secret is written."""

    CREATED = "create"
    REPAIRED = "repair"
    CHANGED = "change"
    REFRESHED = "refresh"
    ROTATED = "rotate"


@dataclass(frozen=True, kw_only=True, slots=True)
class NoOp:
    """Nothing to do until this moment, or until something changes."""

    until: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Delete:
    """Delete our Secret: it is no longer desired."""

    secret: ObservedSecret


@dataclass(frozen=True, kw_only=True, slots=True)
class Conflict:
    """A Secret with the pull Secret's name exists and is not ours."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Apply:
    """Write the Secret: create it, or replace the content of the observed one."""

    cause: Cause
    desired: DesiredState
    secret: ObservedSecret | None = None


Step = NoOp | Delete | Conflict | Apply


def plan(
    *,
    namespace: ObservedNamespace | None,
    desired: DesiredState | None,
    secret: ObservedSecret | None,
    now: datetime,
    rotation: Rotation,
    revoked: bool = False,
    current_principals: Mapping[str, Current] = NOBODY_KNOWN,
) -> Step:
    """Decide on the next action.

    `revoked` says that a registry refuses a token in the Secret, `current_principals` who is behind each desired
    identity, by its name: tokens of another one are rotated.
    """
    if namespace is None or namespace.terminating:
        return NoOp()
    if desired is None:
        return Delete(secret=secret) if secret and secret.managed and secret.written else NoOp()
    if secret is None:
        return Apply(cause=Cause.CREATED, desired=desired)
    if not secret.managed:
        return Conflict()
    record = secret.record if secret.intact else None
    cause = change(desired, record) if record else Cause.REPAIRED
    if record and not cause:  # then it holds what is desired, which is never nothing: there is a time to refresh it
        refresh_at = min(_refresh_times(namespace.name, desired, record, rotation, current_principals))
        if now < refresh_at and not revoked:
            return NoOp(until=refresh_at)
    return Apply(cause=cause or Cause.ROTATED, desired=desired, secret=secret)


def fallback_state(
    namespace: ObservedNamespace, secret: ObservedSecret | None, policy: Policy, last_valid: DesiredState | None
) -> DesiredState | None:
    """Return the state in which an existing pull Secret is maintained while its namespace's annotations are invalid.

    That is the last valid one, as far as the policy still allows it. If a restart has lost it, only the registries are
    taken from the Secret, which is the tenant's object: what the annotations say of opt-in and identity must be valid,
    and agree with the Secret.
    """
    if secret is None or secret.target is None:
        return None
    if last_valid is None:
        return _lost_state(namespace, secret, secret.target, policy)
    found = _reauthorized(namespace, last_valid, policy)
    return replace(found, installation_class=policy.installation_class) if found else None


def _reauthorized(namespace: ObservedNamespace, last_valid: DesiredState, policy: Policy) -> DesiredState | None:
    """Return what the identities have become; None if the namespace may use none of them now.

    What is fetched as one of several that it may not use stays as it is; the others go on.
    """
    found: dict[RegistryHost, Identity] = {}
    refused: dict[RegistryHost, str] = {}
    for earlier in last_valid.distinct_identities:
        hosts = [host for host, identity in last_valid.identities.items() if identity == earlier]
        if identity := policy.reauthorize(namespace, earlier, hosts):
            found |= dict.fromkeys(hosts, identity)
        else:
            refused |= dict.fromkeys(hosts, earlier.name)
    return replace(last_valid, identities=found, refused=refused) if found else None


def _lost_state(
    namespace: ObservedNamespace, secret: ObservedSecret, target: Target, policy: Policy
) -> DesiredState | None:
    kept = {key: value for key, value in namespace.annotations.items() if key in _DECISIVE}
    wanted = {REGISTRIES: ",".join(host.name for host in target.registries)}
    view = replace(namespace, annotations=kept | wanted, unknown_keys=0)
    try:
        desired = desired_state(view, policy, partly=True)
    except (InvalidInputError, FailureError):
        return None
    if desired is None:
        return None
    refused = {host: name for host, name in target.identities.items() if host not in desired.identities}
    if {**desired.identity_names, **refused} != target.identities:
        return None
    asked_at = secret.record.refresh_requested_at if secret.record else None
    return replace(desired, refused=refused, refresh_requested_at=asked_at)


def _refresh_times(
    name: str,
    desired: DesiredState,
    record: SecretRecord,
    rotation: Rotation,
    current_principals: Mapping[str, Current],
) -> Iterator[datetime]:
    """Return when each token in a Secret is due, and when all of another principal are."""
    yield from (rotation.refresh_at_for(name, validity) for validity in record.validities_but(desired.refused))
    for identity, current in current_principals.items():
        if record.is_of_another(identity, current.name):
            yield rotation.spread(name, current.since) if current.since else _AT_ONCE


def change(desired: DesiredState, record: SecretRecord) -> Cause | None:
    """Return why something else is desired than what an intact Secret holds; None if only the age of it may count."""
    held = {host: name for host, name in record.identities.items() if host not in desired.refused}
    if held != desired.identity_names:
        return Cause.CHANGED
    if record.opted_in_by is not desired.opted_in_by or record.installation_class != desired.installation_class:
        return Cause.CHANGED
    return Cause.REFRESHED if desired.refresh_requested_at not in (None, record.refresh_requested_at) else None
