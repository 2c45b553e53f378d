"""IAM: roles, who may assume them and what they may do."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypedDict

from testsupport.fake_aws.arns import account_of, check_iam_arn, like, partition_of
from testsupport.fake_aws.errors import access_denied
from testsupport.fake_aws.oidc import WebIdentity
from testsupport.fake_aws.policies import Access, Policy
from testsupport.fake_aws.records import Principal


@dataclass(frozen=True, kw_only=True, slots=True)
class Grants:
    """What the policies of a user or a role allow. `ecr_regions` None means every region."""

    ecr: bool = True
    ecr_public: bool = True
    service_bearer_token: bool = True
    ecr_regions: frozenset[str] | None = None

    def ecr_in(self, region: str) -> bool:
        """Whether ecr:GetAuthorizationToken is allowed in the region."""
        return self.ecr and (self.ecr_regions is None or region in self.ecr_regions)


@dataclass(frozen=True, kw_only=True, slots=True)
class Role:
    """A role: its trust policy, its grants and the longest session that it allows."""

    arn: str
    grants: Grants
    trusted_subjects: tuple[str, ...] = ()
    audience: str = "sts.amazonaws.com"
    issuer: str | None = None
    trusted_principals: tuple[str, ...] = ()
    external_id: str | None = None
    max_session: timedelta = timedelta(hours=1)
    trusted_certificates: tuple[str, ...] = ()
    trust: Policy | None = None
    """The trust policy as a document, which then counts alone."""
    permissions: tuple[Policy, ...] | None = None
    """Its policies as documents, which then count instead of the grants."""

    @property
    def role_id(self) -> str:
        """The unique id that IAM would have given it."""
        return "AROA" + hashlib.sha256(self.arn.encode()).hexdigest()[:17].upper()

    def trusts_web_identity(self, *, issuer: str, audience: str, subject: str) -> bool:
        """Whether the trust policy allows AssumeRoleWithWebIdentity with these claims."""
        issuer_fits = self.issuer is None or self.issuer == issuer
        return issuer_fits and audience == self.audience and any(like(each, subject) for each in self.trusted_subjects)

    def trusts_certificate(self, tags: Mapping[str, str], trust_anchor: str) -> bool:
        """Whether the trust policy allows IAM Roles Anywhere to a certificate with these session tags."""
        if self.trust is not None:
            named = {f"aws:PrincipalTag/{name}": [value] for name, value in tags.items()}
            context = {"aws:SourceArn": [trust_anchor], **named}
            asked = [
                Access(action=action, principals=frozenset({"rolesanywhere.amazonaws.com"}), context=context)
                for action in ("sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity")
            ]
            return all(self.trust.allows(each) for each in asked)
        names = [tags[tag] for tag in ("x509Subject/CN", "x509SAN/URI") if tag in tags]
        return any(like(each, name) for each in self.trusted_certificates for name in names)

    def trusts_principal(self, caller: Principal, external_id: str | None) -> bool:
        """Whether the trust policy allows AssumeRole to this caller with this ExternalId."""
        if self.external_id is not None and external_id != self.external_id:
            return False
        names = {
            caller.arn,
            caller.identity,
            f"arn:{caller.arn.split(':')[1]}:iam::{caller.account}:root",
            caller.account,
            "*",
        }
        return any(each in names for each in self.trusted_principals)


class GrantOptions(TypedDict, total=False):
    """What a role may do anywhere, as keywords: see `Grants`."""

    ecr: bool
    ecr_public: bool
    service_bearer_token: bool


class Directory:
    """The users and roles of every account."""

    def __init__(self) -> None:
        self._roles: dict[str, Role] = {}
        self._users: dict[str, Grants] = {}
        self.oidc_providers: dict[str, frozenset[str]] = {}
        """By ARN the audiences of the providers that roles with documents trust."""
        self.repositories: dict[tuple[str, str], tuple[Policy, ...]] = {}
        """By account and region what each of its repositories allows to other accounts."""

    def put_role(self, role: Role) -> None:
        """Create a role, or replace it with its sessions living on."""
        check_iam_arn(role.arn, "role")
        self._roles[role.arn] = role

    def put_user(self, arn: str, grants: Grants) -> None:
        """Create a user, or replace what it may do."""
        self._users[check_iam_arn(arn, "user")] = grants

    def remove(self, arn: str) -> None:
        """Delete a user or a role."""
        self._roles.pop(arn, None)
        self._users.pop(arn, None)

    def role(self, arn: str | None) -> Role | None:
        """Give the role of this ARN, if there is one."""
        return self._roles.get(arn or "")

    def grants(self, principal: Principal) -> Grants:
        """Say what a principal may do; nothing if it is unknown."""
        role = self._roles.get(principal.identity)
        nothing = Grants(ecr=False, ecr_public=False, service_bearer_token=False)
        return role.grants if role else self._users.get(principal.identity, nothing)

    def trusts_web_identity(self, role: Role, identity: WebIdentity) -> bool:
        """Whether a role may be taken with a web identity token of these claims."""
        issuer = identity.issuer.removeprefix("https://")
        if role.trust is None:
            return role.trusts_web_identity(
                issuer=identity.issuer, audience=identity.audience, subject=identity.subject
            )
        provider = f"arn:{partition_of(role.arn)}:iam::{account_of(role.arn)}:oidc-provider/{issuer}"
        access = Access(
            action="sts:AssumeRoleWithWebIdentity",
            principals=frozenset({provider}),
            context={f"{issuer}:aud": [identity.audience], f"{issuer}:sub": [identity.subject]},
        )
        return identity.audience in self.oidc_providers.get(provider, ()) and role.trust.allows(access)

    def may_assume(self, caller: Principal, role: Role, action: str, context: Mapping[str, Sequence[str]]) -> bool:
        """Whether both sides allow an action of AssumeRole.

        In the caller's own account a trust policy that names it is enough (STS API reference, AssumeRole).
        """
        if role.trust is None:
            return action != "sts:AssumeRole" or role.trusts_principal(
                caller, next(iter(context["sts:ExternalId"]), None)
            )
        named = frozenset({caller.arn, caller.identity})
        root = f"arn:{partition_of(caller.arn)}:iam::{caller.account}:root"
        access = Access(action=action, principals=named | {root, caller.account}, context=context)
        if not role.trust.allows(access):
            return False
        direct = caller.account == account_of(role.arn) and role.trust.allows(replace(access, principals=named))
        return direct or self.permits(caller, action, role.arn)

    def permits(self, principal: Principal, action: str, resource: str) -> bool:
        """Whether a principal's own policies allow an action; whose are no documents may do anything but get tokens."""
        role = self._roles.get(principal.identity)
        access = Access(action=action, resource=resource)
        return role is None or role.permissions is None or any(each.allows(access) for each in role.permissions)

    def may_pull(self, principal: Principal, action: str, *, account: str, region: str, repository: str) -> bool:
        """Whether a principal may pull from a repository; one of another account has to allow it too."""
        arn = f"arn:{partition_of(principal.arn)}:ecr:{region}:{account}:repository/{repository}"
        access = Access(action=action, principals=frozenset({principal.arn, principal.identity}))
        policies = self.repositories.get((account, region), ())
        foreign = account != principal.account
        return self.permits(principal, action, arn) and (not foreign or any(each.allows(access) for each in policies))

    def require(self, principal: Principal, service: str, region: str) -> None:
        """Raise AccessDeniedException unless the principal may fetch a token of this service here."""
        role = self._roles.get(principal.identity)
        if role and role.permissions is not None:
            actions = [f"{service}:GetAuthorizationToken", *(["sts:GetServiceBearerToken"] * (service == "ecr-public"))]
            for action in actions:
                if not self.permits(principal, action, "*"):
                    raise access_denied(service, action, principal.arn)
            return
        grants = self.grants(principal)
        allowed = grants.ecr_public if service == "ecr-public" else grants.ecr_in(region)
        if not allowed:
            raise access_denied(service, f"{service}:GetAuthorizationToken", principal.arn)
        if service == "ecr-public" and not grants.service_bearer_token:
            raise access_denied(service, "sts:GetServiceBearerToken", principal.arn)


def tuple_of(values: str | Iterable[str]) -> tuple[str, ...]:
    """Give a tuple of one string or of several."""
    return (values,) if isinstance(values, str) else tuple(values)
