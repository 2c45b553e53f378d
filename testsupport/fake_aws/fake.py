"""AwsFake: what tests hold in their hands."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Final, Unpack

from testsupport.fake_aws import environment
from testsupport.fake_aws.arns import like
from testsupport.fake_aws.call_log import CallLog
from testsupport.fake_aws.controls import FaultControls
from testsupport.fake_aws.ecr import Ecr
from testsupport.fake_aws.exchange import Exchange
from testsupport.fake_aws.faults import FaultBoard
from testsupport.fake_aws.iam import Directory, GrantOptions, Grants, Role, tuple_of
from testsupport.fake_aws.metadata import Association, Surroundings
from testsupport.fake_aws.network import Network
from testsupport.fake_aws.oidc import JwksSource, Provider, Providers
from testsupport.fake_aws.records import Call, IssuedToken, Principal, Session
from testsupport.fake_aws.registry import Registry
from testsupport.fake_aws.roles_anywhere import RolesAnywhere
from testsupport.fake_aws.sessions import SessionStore
from testsupport.fake_aws.sts import Sts
from testsupport.fake_aws.tokens import TokenMint

ACCOUNT: Final = "123456789012"
USER_ARN: Final = f"arn:aws:iam::{ACCOUNT}:user/pullkeeper"
TOKEN_LIFETIME: Final = timedelta(hours=12)


def utcnow() -> datetime:
    """Give the time, with its zone."""
    return datetime.now(UTC)


class AwsFake(FaultControls):
    """AWS, as far as it concerns pull tokens. Start one with `serve` or `serve_in_thread`.

    Safe to call from any thread. At the start there is one user (`USER_ARN`) with static keys that may do
    everything, and no role, no OIDC provider and no fault.
    """

    def __init__(self, *, loop: asyncio.AbstractEventLoop, clock: Callable[[], datetime], network: Network) -> None:
        super().__init__(FaultBoard(loop))
        self.network = network
        self.url = ""
        self.clock = clock
        self.lifetime = TOKEN_LIFETIME
        self._secrets: set[str] = set()
        self.disabled_regions: set[str] = set()
        self.rejected_subjects: set[str] = set()
        self.directory = Directory()
        self.sessions = SessionStore(clock, self._secrets)
        self.providers = Providers(clock)
        self._call_log = CallLog()
        self._mint = TokenMint(clock, self._secrets)
        self._build(clock)
        self.static_credentials = self.add_user(USER_ARN)

    def _build(self, clock: Callable[[], datetime]) -> None:
        self.exchange = Exchange(self._board, self._call_log, clock)
        self.ecr = Ecr(
            directory=self.directory,
            sessions=self.sessions,
            mint=self._mint,
            disabled_regions=self.disabled_regions,
        )
        self.sts = Sts(
            directory=self.directory,
            sessions=self.sessions,
            providers=self.providers,
            disabled_regions=self.disabled_regions,
            rejected_subjects=self.rejected_subjects,
        )
        self.roles_anywhere = RolesAnywhere(directory=self.directory, sessions=self.sessions, clock=clock)
        self.surroundings = Surroundings(
            directory=self.directory,
            sessions=self.sessions,
            providers=self.providers,
            clock=clock,
            secrets=self._secrets,
        )
        self.registry = Registry(mint=self._mint, directory=self.directory, clock=clock)

    @property
    def calls(self) -> list[Call]:
        """Every call, in the order of arrival; a copy."""
        return self._call_log.all()

    @property
    def secrets(self) -> set[str]:
        """Every secret string that was handed out, encoded forms of tokens included; a copy."""
        return set(self._secrets)

    @property
    def tokens(self) -> list[IssuedToken]:
        """Every ECR token issued, in the order of issue; a copy."""
        return self._mint.all()

    def token_of(self, secret: str) -> IssuedToken | None:
        """Give the ECR token with this password or base64 form, or None."""
        return self._mint.find(secret)

    def count(
        self,
        operation: str | None = None,
        *,
        region: str | None = None,
        since: datetime | None = None,
        service: str | None = None,
        faulted: bool | None = None,
        outcome: str | None = None,
    ) -> int:
        """How many calls fit, faulted ones included; without operation and service only API calls."""
        return self._call_log.count(
            operation, region=region, since=since, service=service, faulted=faulted, outcome=outcome
        )

    def forget_calls(self) -> None:
        """Count from nothing again."""
        self._call_log.forget()

    def environment(
        self,
        *,
        web_identity_token_file: str | None = None,
        role_arn: str | None = None,
        region: str | None = "eu-west-1",
        container_token_file: str | None = None,
        instance_metadata: bool = False,
        credentials: Session | None = None,
    ) -> dict[str, str]:
        """Give a process the fake for AWS: with IRSA, Pod Identity, the node's role, or static keys.

        A pod's own variables and those of one behind a proxy; no endpoint, so names follow from regions and hosts.
        Without a region there is no variable for one, as EKS' webhook leaves it by default.
        """
        found = self.network.environment | environment.configuration(region)
        found |= environment.instance_metadata(self.url, enabled=instance_metadata)
        if web_identity_token_file is not None:
            if role_arn is None:
                raise ValueError("IRSA needs role_arn beside web_identity_token_file")
            return found | environment.web_identity(web_identity_token_file, role_arn)
        if container_token_file is not None:
            return found | environment.pod_identity(self.url, container_token_file)
        return found if instance_metadata else found | environment.static_keys(credentials or self.static_credentials)

    def add_user(self, arn: str, grants: Grants | None = None) -> Session:
        """Create an IAM user and give it static keys. Raises ValueError for what is no user's ARN."""
        self.directory.put_user(arn, grants or Grants())
        return self.sessions.add_user(arn)

    def allow_role(
        self,
        arn: str,
        *,
        trusts_subjects: str | Iterable[str] = (),
        audience: str = "sts.amazonaws.com",
        issuer: str | None = None,
        trusted_principals: str | Iterable[str] = (),
        external_id: str | None = None,
        trusted_certificates: str | Iterable[str] = (),
        max_session: timedelta = timedelta(hours=1),
        ecr_regions: str | Iterable[str] | None = None,
        **grants: Unpack[GrantOptions],
    ) -> Role:
        """Create a role, or replace its policies (its sessions live on). Raises ValueError for a bad ARN.

        `trusts_subjects` are StringLike patterns on a web identity's `sub`; `trusted_principals` are ARNs of
        users, roles, sessions or account roots, account numbers, or `*`;
        `trusted_certificates` are patterns of common names or URIs. All grants are given unless taken away.
        """
        regions = None if ecr_regions is None else frozenset(tuple_of(ecr_regions))
        role = Role(
            arn=arn,
            grants=Grants(ecr_regions=regions, **grants),
            trusted_subjects=tuple_of(trusts_subjects),
            audience=audience,
            issuer=issuer,
            trusted_principals=tuple_of(trusted_principals),
            external_id=external_id,
            trusted_certificates=tuple_of(trusted_certificates),
            max_session=max_session,
        )
        self.directory.put_role(role)
        return role

    def remove(self, arn: str) -> None:
        """Delete a user or a role; its credentials are unknown from now on."""
        self.directory.remove(arn)
        self.sessions.forget(arn)

    def trust_issuer(
        self,
        issuer: str,
        jwks: JwksSource,
        *,
        audiences: str | Iterable[str] = ("sts.amazonaws.com",),
    ) -> None:
        """Register an OIDC provider. `jwks` is a key set, a function that gives one, or a `JwksUrl`."""
        self.providers.put(Provider(issuer=issuer, jwks=jwks, audiences=frozenset(tuple_of(audiences))))

    def reject_subject(self, subject: str) -> None:
        """Answer this subject's web identity tokens with IDPRejectedClaim."""
        self.rejected_subjects.add(subject)

    def set_node_role(self, role_arn: str | None, *, region: str = "eu-west-1") -> None:
        """Give the node an instance profile with this role (see `allow_role`), or take it away."""
        self.surroundings.node_role, self.surroundings.node_region = role_arn, region

    def associate(self, role_arn: str, *, token: str | None = None, subject: str | None = None) -> None:
        """Associate a role with pods: of a fixed token, or of a subject (pattern) of a trusted issuer."""
        self.surroundings.associations.append(Association(role_arn=role_arn, token=token, subject=subject))

    def disable_region(self, region: str) -> None:
        """Treat a region as not enabled for the account."""
        self.disabled_regions.add(region)

    def expire_credentials(self, principal: str | None = None) -> int:
        """End the temporary credentials (of principals like this) now; says how many. New ones work."""
        return self.sessions.expire(lambda who: principal is None or _is(who, principal))

    def refuse(self, host: str, status: int = 403) -> None:
        """Let a registry refuse every token; ECR does so with 400, 401 or 403."""
        self.registry.refusing[host] = status

    def accept(self, host: str) -> None:
        """Let a registry go by the tokens again."""
        self.registry.refusing.pop(host, None)

    def probes(self, host: str | None = None) -> list[Call]:
        """Give the calls to one registry, or to all, in the order of arrival."""
        return [call for call in self.calls if call.service == "registry" and host in {None, call.host}]

    def revoke(self, token: IssuedToken | str) -> None:
        """Make registries refuse an ECR token (itself, its password or base64 form). Raises KeyError."""
        found = self.token_of(token) if isinstance(token, str) else token
        if found is None:
            raise KeyError("the fake has not issued this token")
        self._mint.revoke(found.serial)


def _is(who: Principal, pattern: str) -> bool:
    return like(pattern, who.arn) or like(pattern, who.identity)
