"""Checks against AWS: the credentials, the caller identity, and a token for each default registry's region."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial

from pullkeeper.adapters.aws import Ecr, client_certificate
from pullkeeper.adapters.aws.client_certificate_errors import ClientCertificateError, ClientCertificateUnsuitableError
from pullkeeper.adapters.aws.partitions import partition_of
from pullkeeper.cli import web_identity_file
from pullkeeper.domain.config import role_partitions
from pullkeeper.domain.config.own_sources import WebIdentityFile
from pullkeeper.domain.config.policy import OwnIdentity
from pullkeeper.domain.config.settings import Settings
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.errors.credential_causes import SUITABLE_CERTIFICATE
from pullkeeper.domain.errors.failures import EXPLANATIONS, Reason
from pullkeeper.domain.iam import role_arn
from pullkeeper.domain.iam.identity import CONTROLLER, Identity, own
from pullkeeper.domain.iam.role_arn import RoleArn
from pullkeeper.domain.iam.roles_anywhere import RolesAnywhere
from pullkeeper.domain.secret import entries
from pullkeeper.domain.views.check_result import Check, CheckResult, failed, passed, skipped, warned
from pullkeeper.tokens.demand import Demand, Requester

_WEB_IDENTITY = "web identity token"
_CERTIFICATE = "client certificate"
_MOUNT_CERTIFICATE = "mount a Secret with tls.crt and tls.key"
_ROLES = "roles"


class AwsChecks:
    """Checks AWS with the controller's own identity; tokens are fetched and discarded."""

    def __init__(self, settings: Settings, environment: Mapping[str, str], *, clock: Callable[[], datetime]) -> None:
        self._environment = environment
        self._clock = clock
        self._policy = settings.policy
        self._roles_anywhere = settings.roles_anywhere
        if settings.roles_anywhere:
            environment = settings.roles_anywhere.environment(environment)
        self._role = _role(environment.get("AWS_ROLE_ARN", ""))
        self._scopes = tuple(
            entries.hosts_by_scope({host: self._policy.own_identity(host) for host in self._policy.registries})
        )
        self._ecr = Ecr(
            environment=environment,
            registries=settings.policy.registries,
            allow_node_instance_role=settings.allow_node_instance_role,
            roles_anywhere=settings.roles_anywhere,
            identities=settings.policy.identities,
            clock=clock,
            metrics=_NoMetrics(),
            service_account_token=_no_service_accounts,
        )

    def all(self) -> list[tuple[str, Check]]:
        """Return every check with its name."""
        tokens = [(_token_check(scope), partial(self._token, scope)) for scope in self._scopes]
        identity: list[tuple[str, Check]] = [
            ("AWS credentials", self._credentials),
            self._proof(),
            ("AWS caller", self._caller),
            *(each for named in self._policy.identities for each in self._named(named)),
        ]
        identity += [(_ROLES, self._roles)] if self._policy.roles else []
        return [*identity, *tokens] if tokens else [*identity, ("token", self._no_token)]

    def _named(self, named: OwnIdentity) -> Iterator[tuple[str, Check]]:
        """Return the checks of an identity that the settings name."""
        identity, label = own(named.name), f" of identity {named.name}"
        yield f"AWS credentials{label}", partial(self._named_credentials, identity, f"AWS credentials{label}")
        if isinstance(named.source, WebIdentityFile):
            yield _WEB_IDENTITY + label, partial(self._token_file, named.source, _WEB_IDENTITY + label)
        if isinstance(named.source, RolesAnywhere):
            file = named.source.certificate_file
            yield _CERTIFICATE + label, partial(self._certificate, file, _CERTIFICATE + label)
        yield f"AWS caller{label}", partial(self._named_caller, identity, f"AWS caller{label}")

    async def _named_credentials(self, identity: Identity, check: str) -> Sequence[CheckResult]:
        return [passed(check, f"from {await self._ecr.credential_method(identity)}")]

    async def _named_caller(self, identity: Identity, check: str) -> Sequence[CheckResult]:
        return [passed(check, await self._ecr.caller_arn(identity))]

    async def _token_file(self, source: WebIdentityFile, check: str) -> Sequence[CheckResult]:
        return _judge_file(source.token_file, source.role, self._clock(), check)

    async def _credentials(self) -> Sequence[CheckResult]:
        return [passed("AWS credentials", f"from {await self._ecr.credential_method()}")]

    async def _caller(self) -> Sequence[CheckResult]:
        return self._foreign("AWS caller", self._ecr.region()) or [passed("AWS caller", await self._ecr.caller_arn())]

    def _foreign(self, check: str, region: str) -> Sequence[CheckResult]:
        """Return the failure of a region in which the role cannot be known; that takes no call."""
        own = partition_of(region)
        if self._role is None or self._role.partition == own:
            return []
        detail = f"the role {self._role} is of partition {self._role.partition}, the region {region} of {own}"
        return [failed(check, f"{detail} ({Reason.PARTITION_MISMATCH})", EXPLANATIONS[Reason.PARTITION_MISMATCH].fix)]

    async def _roles(self) -> Sequence[CheckResult]:
        """Compare the partitions of the roles that namespaces may use; that takes no call."""
        own = self._role.partition if self._role else partition_of(self._ecr.region())
        fix = f"{EXPLANATIONS[Reason.PARTITION_MISMATCH].fix}, and one that the controller's identity can assume"
        problems = role_partitions.misfits(self._policy, own)
        results = [failed(_ROLES, f"{each} ({Reason.PARTITION_MISMATCH})", fix) for each in problems]
        return results or [
            passed(_ROLES, f"all {len(self._policy.roles):,} are of a partition of the controller's identities")
        ]

    async def _web_identity(self) -> Sequence[CheckResult]:
        """Say what the projected token says of itself; it is never shown, and nobody is asked."""
        path = web_identity_file.token_file(self._environment)
        if not path:
            return [skipped(_WEB_IDENTITY, "AWS_WEB_IDENTITY_TOKEN_FILE is not set")]
        return _judge_file(path, self._role, self._clock(), _WEB_IDENTITY)

    def _proof(self) -> tuple[str, Check]:
        """Return the check of what the controller proves to AWS who it is with."""
        if self._roles_anywhere is None:
            return _WEB_IDENTITY, self._web_identity
        return _CERTIFICATE, partial(self._certificate, self._roles_anywhere.certificate_file, _CERTIFICATE)

    async def _certificate(self, file: str, check: str) -> Sequence[CheckResult]:
        """Say what the certificate for IAM Roles Anywhere says of itself; whether it works, the caller's check says."""
        try:
            found = client_certificate.read_info(file)
        except ClientCertificateError as error:
            unsuitable = isinstance(error, ClientCertificateUnsuitableError)
            return [failed(check, str(error), SUITABLE_CERTIFICATE if unsuitable else _MOUNT_CERTIFICATE)]
        now, fix = self._clock(), "see why it is not renewed: kubectl describe certificate"
        if now >= found.not_after:
            return [failed(check, f"{found}: expired", fix)]
        detail = f"{found}: {(found.not_after - now).days} days left"
        return [warned(check, detail, fix) if found.is_ending(now) else passed(check, detail)]

    async def _token(self, scope: TokenScope) -> Sequence[CheckResult]:
        check = _token_check(scope)
        if scope.identity == CONTROLLER and (foreign := self._foreign(check, scope.region)):
            return foreign
        token = await self._ecr.fetch(scope, Demand(Requester(namespace="", first=True)))
        return [passed(check, f"fetched, valid until {token.expires_at:%Y-%m-%d %H:%M:%SZ}")]

    async def _no_token(self) -> Sequence[CheckResult]:
        return [skipped("token", "there are no default registries in the settings")]


def _token_check(scope: TokenScope) -> str:
    name = scope.identity.own_name
    return f"token in {scope.label}" + (f" of identity {name}" if name else "")


def _judge_file(path: str, role: RoleArn | None, now: datetime, check: str) -> Sequence[CheckResult]:
    try:
        found = web_identity_file.read(path)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        return [failed(check, f"{path}: {why}", "mount a projected ServiceAccount token there")]
    if problem := found.problem(now):
        return [failed(check, f"{found}: {problem[0]}", problem[1])]
    if role is None:
        fix = "set it to the role's ARN: arn:PARTITION:iam::ACCOUNT:role/NAME"
        return [failed(check, f"{found}; AWS_ROLE_ARN names no role", fix)]
    return [passed(check, f"{found}; {found.needs(role)}")]


def _role(text: str) -> RoleArn | None:
    try:
        return role_arn.parse(text)
    except ValueError:
        return None


async def _no_service_accounts(identity: Identity) -> str:
    """Raise AssertionError: only the controller's own identity is checked."""
    raise AssertionError(identity)


class _NoMetrics:
    """Records nothing: a command has no metrics."""

    def record_token_request(self, scope: TokenScope, seconds: float, reason: str | None) -> None:
        """Record nothing."""

    def record_aws_request(self, service: str, operation: str, code: int) -> None:
        """Record nothing."""

    def record_token(self, scope: TokenScope, now: datetime, expires_at: datetime) -> None:
        """Record nothing."""
