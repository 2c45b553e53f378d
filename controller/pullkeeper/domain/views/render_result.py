"""What the controller would do for a Namespace and why, derived from the Namespace and the settings alone."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from pullkeeper.domain.config import role_partitions
from pullkeeper.domain.config.policy import Policy
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.ecr.aws_errors import actions, partition_mismatch
from pullkeeper.domain.ecr.credential import TokenValidity
from pullkeeper.domain.ecr.partitions import partition_of
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.ecr.rotation import LONGEST_LIFE
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.errors.text import printable
from pullkeeper.domain.errors.validation import InvalidInputError
from pullkeeper.domain.iam import principal
from pullkeeper.domain.iam.identity import Identity, Kind
from pullkeeper.domain.iam.role_arn import ROLE_ANNOTATION
from pullkeeper.domain.kube.timestamps import format_timestamp
from pullkeeper.domain.namespace.annotations import ENABLED, REGISTRIES
from pullkeeper.domain.namespace.installation_class import described
from pullkeeper.domain.namespace.namespace import PREFIX, ObservedNamespace
from pullkeeper.domain.namespace.opt_in import OptIn
from pullkeeper.domain.secret import entries
from pullkeeper.domain.secret.desired_state import DesiredState
from pullkeeper.domain.secret.judgement import judge
from pullkeeper.domain.secret.pull_secret import DATA_KEY
from pullkeeper.domain.secret.secret_record import SecretRecord, hosts_by_identity
from pullkeeper.domain.secret.shapes import DockerConfig, manifest, shape_of
from pullkeeper.domain.views.durations import format_duration

_LABEL_WIDTH = 14
_INVALID = "nothing is created, and an existing pull Secret is renewed as it is"


@dataclass(frozen=True, kw_only=True, slots=True)
class RefreshTime:
    """When a token issued now would be replaced."""

    issued_at: datetime
    earliest_at: datetime
    """When the refresh rule applies to the token."""
    refresh_at: datetime
    """When this namespace's Secret is written, after its share of the jitter."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RenderResult:
    """What would be done for one Namespace."""

    namespace: str
    reason: str
    """Why there would be a pull Secret, or none."""
    problems: tuple[str, ...] = ()
    desired: DesiredState | None = None
    default_registries: bool = False
    """Whether the registries come from the settings."""
    allowed_by: Mapping[str, str] = field(default_factory=dict)
    """The setting that allows each identity, by its name."""
    scopes: Mapping[TokenScope, Sequence[RegistryHost]] = field(default_factory=dict)
    """The registries of each scope that a token is needed of."""
    permissions: tuple[str, ...] = ()
    """What IAM has to allow, and to whom."""
    refresh: RefreshTime | None = None
    secret: Mapping[str, Any] | None = None
    """The manifest, without the token."""
    additional: tuple[Mapping[str, Any], ...] = ()
    """The manifests of the additional Secrets, without the token."""


def render_namespace(namespace: ObservedNamespace, settings: Settings, now: datetime) -> RenderResult:
    """Return what the controller would do for the Namespace at `now`."""
    name = namespace.name
    judgement = judge(namespace, None, settings.policy, attaches=settings.service_account_attachment)
    if isinstance(judgement.error, InvalidInputError):
        reason = _excluded(settings) if settings.policy.excludes(namespace) else _INVALID
        return RenderResult(namespace=name, reason=reason, problems=judgement.error.summary)
    failures = (judgement.error.failure,) if judgement.error else judgement.ignored
    problems = tuple(failure.message.removeprefix(f"namespace/{name}: ") for failure in failures)
    if judgement.error:
        return RenderResult(namespace=name, reason=_INVALID, problems=problems)
    if judgement.of_another_class:
        return RenderResult(namespace=name, reason=_other_class(settings))
    if judgement.desired is None:
        return RenderResult(namespace=name, reason=_not_opted_in(namespace, settings))
    result = _opted_in(namespace, judgement.desired, settings, now)
    return replace(result, problems=(*problems, *_mismatches(result.scopes, settings)))


def as_text(result: RenderResult) -> str:
    """Return everything but the Secret, for people."""
    lines = [f"namespace/{result.namespace}: {result.reason}"]
    lines += [f"  {problem}" for problem in result.problems]
    for label, texts in _sections(result):
        lines += [f"  {'' if number else label:<{_LABEL_WIDTH}}{text}" for number, text in enumerate(texts)]
    return "\n".join(map(printable, lines))


def as_document(result: RenderResult) -> Mapping[str, Any]:
    """Return everything for machines, including the Secret."""
    desired, refresh = result.desired, result.refresh
    return {
        "namespace": result.namespace,
        "ok": not result.problems,
        "reason": result.reason,
        "problems": list(result.problems),
        "registries": [host.name for host in desired.registries] if desired else [],
        "leftOut": {host.name: why for host, why in sorted(desired.left_out.items())} if desired else {},
        "identities": [_identity_document(result, name, hosts) for name, hosts in _hosts_by_identity(result).items()],
        "tokens": [
            {"scope": scope.label, "identity": scope.identity.name, "registries": [host.name for host in hosts]}
            for scope, hosts in result.scopes.items()
        ],
        "permissions": list(result.permissions),
        "earliestRefreshAt": format_timestamp(refresh.earliest_at) if refresh else None,
        "refreshAt": format_timestamp(refresh.refresh_at) if refresh else None,
        "secret": result.secret,
        "additionalSecrets": list(result.additional),
    }


def _other_class(settings: Settings) -> str:
    return f"of another class than this installation, which serves {described(settings.policy.installation_class)}"


def _mismatches(scopes: Iterable[TokenScope], settings: Settings) -> Iterator[str]:
    """Return which tokens would not be asked for, as far as the settings say of which partition an identity is."""
    of_unnamed = settings.roles_anywhere.role.partition if settings.roles_anywhere else ""
    partitions = role_partitions.of_identities(settings.policy, of_unnamed)
    for scope in scopes:
        own, theirs = partitions.get(scope.identity.taken_by, ""), partition_of(scope.region).name
        if own not in ("", theirs):
            yield partition_mismatch(scope, str(scope.identity.taken_by), own, theirs).message


def _not_opted_in(namespace: ObservedNamespace, settings: Settings) -> str:
    if ENABLED in namespace.annotations:
        return "opted out by its annotation: there is no pull Secret, and one created by the controller is deleted"
    if settings.policy.excludes(namespace):
        return _excluded(settings)
    grace = format_duration(settings.opt_out_grace)
    return (
        "not opted in: there is no pull Secret, and one created by the controller is deleted, "
        f"after {grace} if `optIn` in the settings had opted it in"
    )


def _excluded(settings: Settings) -> str:
    grace = format_duration(settings.opt_out_grace)
    return (
        "excluded by `excludedNamespaces` in the settings: there is no pull Secret, and one created by the controller "
        f"is deleted after {grace}"
    )


def _opted_in(namespace: ObservedNamespace, desired: DesiredState, settings: Settings, now: datetime) -> RenderResult:
    name, scopes = namespace.name, entries.hosts_by_scope(desired.identities)
    validity = TokenValidity(issued_at=now, expires_at=now + LONGEST_LIFE)
    by_annotation = desired.opted_in_by is OptIn.ANNOTATION
    return RenderResult(
        namespace=name,
        reason=f"opted in by {f'its annotation {PREFIX}{ENABLED}' if by_annotation else '`optIn` in the settings'}",
        desired=desired,
        default_registries=REGISTRIES not in namespace.annotations,
        allowed_by=_allowed_by(namespace, desired, settings.policy),
        scopes=scopes,
        permissions=tuple(_permissions(scopes)),
        refresh=RefreshTime(
            issued_at=now,
            earliest_at=settings.rotation.refresh_at(validity),
            refresh_at=settings.rotation.refresh_at_for(name, validity),
        ),
        secret=manifest(
            DockerConfig(name=settings.secret_name),
            name,
            _record(desired, validity),
            {DATA_KEY: _redacted(desired)},
            installation=settings.installation,
        ),
        additional=tuple(_additional(namespace, desired, settings, validity)),
    )


def _record(desired: DesiredState, validity: TokenValidity) -> SecretRecord:
    return SecretRecord(
        held=dict.fromkeys(desired.registries, validity),
        identities=desired.identity_names,
        refresh_requested_at=desired.refresh_requested_at,
        opted_in_by=desired.opted_in_by,
        installation_class=desired.installation_class,
    )


def _additional(
    namespace: ObservedNamespace, desired: DesiredState, settings: Settings, validity: TokenValidity
) -> Iterator[Mapping[str, Any]]:
    for each in settings.additional_secrets:
        own = desired.limited_to(each.registry) if each.namespaces.matches(namespace) else None
        if own:
            shape = shape_of(each)
            data = {key: f"base64 of {text}" for key, text in shape.masked.items()}
            record = _record(own, validity)
            yield manifest(shape, namespace.name, record, data, installation=settings.installation)


def _allowed_by(namespace: ObservedNamespace, desired: DesiredState, policy: Policy) -> Mapping[str, str]:
    return {
        identity.name: policy.granted_by(
            namespace, [host for host, own in desired.identities.items() if own == identity], identity
        )
        for identity in desired.distinct_identities
    }


def _permissions(scopes: Iterable[TokenScope]) -> Iterator[str]:
    for identity in dict.fromkeys(scope.identity for scope in scopes):
        yield from _permissions_of(identity, [scope for scope in scopes if scope.identity == identity])


def _permissions_of(identity: Identity, scopes: Sequence[TokenScope]) -> Iterator[str]:
    session, who = identity.session, identity.role_arn or _own_role(identity)
    if identity.kind is Kind.ROLE:
        actions_on_role = ["sts:AssumeRole"]
        actions_on_role += ["sts:TagSession"] if session and session.tags else []
        actions_on_role += ["sts:SetSourceIdentity"] if session and session.source_identity else []
        assume = " and ".join(actions_on_role)
        condition = f", with the ExternalId {session.external_id}" if session and session.external_id else ""
        own = _own_role(identity.assuming)
        yield f"{own}: {assume} on {who}"
        yield f"{who}: a trust policy that allows {assume} to {own}{condition}"
    if identity.kind is Kind.SERVICE_ACCOUNT:
        who = _role_of(identity)
        yield f"{who}: a trust policy that allows sts:AssumeRoleWithWebIdentity to {identity}"
    for action in sorted({actions(scope) for scope in scopes}):
        yield f'{who}: {action} on "*"'
    pull = "ecr:BatchCheckLayerAvailability, ecr:BatchGetImage and ecr:GetDownloadUrlForLayer"
    yield f"{who}: {pull} on the repositories to pull from"


def _redacted(desired: DesiredState) -> str:
    auths = {host.name: {"auth": "***"} for host in sorted(desired.registries)}
    return f"base64 of {json.dumps({'auths': auths})}"


def _sections(result: RenderResult) -> Iterator[tuple[str, Sequence[str]]]:
    desired, refresh = result.desired, result.refresh
    if desired is None or refresh is None:
        return
    source = ", from `registries` in the settings" if result.default_registries else ""
    yield "registries", [f"{host}{source}" for host in desired.registries]
    if left_out := desired.left_out:
        yield "left out", [f"{host}: {why}" for host, why in sorted(left_out.items())]
    found = _hosts_by_identity(result)
    several = len(found) > 1
    yield (
        "identities" if several else "identity",
        [
            f"{name}, allowed by `{result.allowed_by[name]}` in the settings{_listed_after(hosts) if several else ''}"
            for name, hosts in found.items()
        ],
    )
    yield (
        "principals" if several else "principal",
        [f"{f'{each.name}: ' if several else ''}{_principal(each)}" for each in _identities(desired)],
    )
    yield (
        "tokens",
        [
            f"{scope.label}{_endpoint(scope)}{f' as {scope.identity}' if several else ''}{_listed_after(hosts)}"
            for scope, hosts in result.scopes.items()
        ],
    )
    yield "permissions", result.permissions
    yield "rotation", [_rotation(refresh)]
    if result.additional:
        yield "additional", [f"Secret {each['metadata']['name']} of `additionalSecrets`" for each in result.additional]


def _principal(identity: Identity) -> str:
    """Return who the tokens are issued to, or where that is to be seen: this command asks nobody."""
    if identity.kind is Kind.SERVICE_ACCOUNT:
        return f"{_role_of(identity)}; `pullkeeper status --output wide` shows whose tokens there are"
    return principal.of_identity(identity.name) or "the controller's own; `pullkeeper check` names it"


def _own_role(identity: Identity) -> str:
    return (
        f"the role of the controller's identity {identity.own_name}"
        if identity.own_name
        else "the controller's own role"
    )


def _role_of(identity: Identity) -> str:
    namespace, name = identity.service_account
    return f"the role in {ROLE_ANNOTATION} of the ServiceAccount {namespace}/{name}"


def _identities(desired: DesiredState) -> Sequence[Identity]:
    return sorted(desired.distinct_identities, key=lambda identity: identity.name)


def _identity_document(result: RenderResult, name: str, hosts: Sequence[RegistryHost]) -> Mapping[str, Any]:
    return {
        "identity": name,
        "principal": principal.of_identity(name) or None,
        "allowedBy": result.allowed_by[name],
        "registries": [host.name for host in hosts],
    }


def _hosts_by_identity(result: RenderResult) -> Mapping[str, Sequence[RegistryHost]]:
    return hosts_by_identity(result.desired.identity_names if result.desired else {})


def _listed_after(hosts: Sequence[RegistryHost]) -> str:
    return f": {', '.join(host.name for host in hosts)}"


def _endpoint(scope: TokenScope) -> str:
    variants = [name for name, used in (("FIPS", scope.fips), ("dual-stack", scope.dual_stack)) if used]
    return f" from the {' and '.join(variants)} endpoint" if variants else ""


def _rotation(refresh: RefreshTime) -> str:
    age = format_duration(refresh.refresh_at - refresh.issued_at)
    jitter = format_duration(refresh.refresh_at - refresh.earliest_at)
    lifetime = format_duration(LONGEST_LIFE)
    return (
        f"a token issued at {format_timestamp(refresh.issued_at)} with a lifetime of {lifetime} is replaced "
        f"after {age} (including {jitter} of jitter for this namespace): {format_timestamp(refresh.refresh_at)}"
    )
