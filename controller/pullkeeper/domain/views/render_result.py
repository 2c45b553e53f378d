"""What the controller would do for a Namespace and why, derived from the Namespace and the settings alone."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.ecr.aws_errors import actions
from pullkeeper.domain.ecr.credential import TokenValidity
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
from pullkeeper.domain.namespace.namespace import PREFIX, ObservedNamespace
from pullkeeper.domain.namespace.opt_in import OptIn
from pullkeeper.domain.secret import entries
from pullkeeper.domain.secret.desired_state import DesiredState
from pullkeeper.domain.secret.judgement import judge
from pullkeeper.domain.secret.pull_secret import DATA_KEY, SecretRecord, manifest
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
    allowed_by: str = ""
    """The setting that allows the identity."""
    scopes: tuple[TokenScope, ...] = ()
    permissions: tuple[str, ...] = ()
    """What IAM has to allow, and to whom."""
    refresh: RefreshTime | None = None
    secret: Mapping[str, Any] | None = None
    """The manifest, without the token."""


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
    if judgement.desired is None:
        return RenderResult(namespace=name, reason=_not_opted_in(namespace, settings))
    return replace(_opted_in(namespace, judgement.desired, settings, now), problems=problems)


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
        "identity": desired.identity.name if desired else None,
        "principal": principal.of_identity(desired.identity.name) or None if desired else None,
        "allowedBy": result.allowed_by or None,
        "tokens": [{"scope": scope.label, "registries": _hosts_in(result, scope)} for scope in result.scopes],
        "permissions": list(result.permissions),
        "earliestRefreshAt": format_timestamp(refresh.earliest_at) if refresh else None,
        "refreshAt": format_timestamp(refresh.refresh_at) if refresh else None,
        "secret": result.secret,
    }


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
    name, scopes = namespace.name, entries.token_scopes(desired)
    validity = TokenValidity(issued_at=now, expires_at=now + LONGEST_LIFE)
    record = SecretRecord(
        registries=desired.registries,
        identity=desired.identity.name,
        tokens={scope.label: validity for scope in scopes},
        refresh_requested_at=desired.refresh_requested_at,
        opted_in_by=desired.opted_in_by,
    )
    by_annotation = desired.opted_in_by is OptIn.ANNOTATION
    return RenderResult(
        namespace=name,
        reason=f"opted in by {f'its annotation {PREFIX}{ENABLED}' if by_annotation else '`optIn` in the settings'}",
        desired=desired,
        default_registries=REGISTRIES not in namespace.annotations,
        allowed_by=settings.policy.granted_by(namespace, desired.registries, desired.identity),
        scopes=scopes,
        permissions=tuple(_permissions(desired.identity, scopes)),
        refresh=RefreshTime(
            issued_at=now,
            earliest_at=settings.rotation.refresh_at(validity),
            refresh_at=settings.rotation.refresh_at_for(name, validity),
        ),
        secret=manifest(
            settings.secret_name, name, record, {DATA_KEY: _redacted(desired)}, installation=settings.installation
        ),
    )


def _permissions(identity: Identity, scopes: Sequence[TokenScope]) -> Iterator[str]:
    session, who = identity.session, identity.role_arn or "the controller's own role"
    if identity.kind is Kind.ROLE:
        actions_on_role = ["sts:AssumeRole"]
        actions_on_role += ["sts:TagSession"] if session and session.tags else []
        actions_on_role += ["sts:SetSourceIdentity"] if session and session.source_identity else []
        assume = " and ".join(actions_on_role)
        condition = f", with the ExternalId {session.external_id}" if session and session.external_id else ""
        yield f"the controller's own role: {assume} on {who}"
        yield f"{who}: a trust policy that allows {assume} to the controller's own role{condition}"
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
    if result.desired is None or result.refresh is None:
        return
    source = ", from `registries` in the settings" if result.default_registries else ""
    yield "registries", [f"{host}{source}" for host in result.desired.registries]
    yield "identity", [f"{result.desired.identity}, allowed by `{result.allowed_by}` in the settings"]
    yield "principal", [_principal(result.desired.identity)]
    yield (
        "tokens",
        [f"{scope.label}{_endpoint(scope)}: {', '.join(_hosts_in(result, scope))}" for scope in result.scopes],
    )
    yield "permissions", result.permissions
    yield "rotation", [_rotation(result.refresh)]


def _principal(identity: Identity) -> str:
    """Return who the tokens are issued to, or where that is to be seen: this command asks nobody."""
    if identity.kind is Kind.SERVICE_ACCOUNT:
        return f"{_role_of(identity)}; `pullkeeper status --output wide` shows whose tokens there are"
    return principal.of_identity(identity.name) or "the controller's own; `pullkeeper check` names it"


def _role_of(identity: Identity) -> str:
    namespace, name = identity.service_account
    return f"the role in {ROLE_ANNOTATION} of the ServiceAccount {namespace}/{name}"


def _hosts_in(result: RenderResult, scope: TokenScope) -> list[str]:
    hosts: Sequence[RegistryHost] = result.desired.registries if result.desired else ()
    return [host.name for host in hosts if TokenScope.of(host, scope.identity) == scope]


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
