"""The statements of the policies that `pullkeeper iam` prints."""

import re
from collections.abc import Iterable, Iterator, Sequence

from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.errors.text import listed
from pullkeeper.domain.iam.identity import Session
from pullkeeper.domain.iam.role_arn import RoleArn
from pullkeeper.domain.views.iam_plan import Condition, Statement

PULL = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
"""What a pull does with its token."""
_EQUAL = "StringEquals"
_MARKS = re.compile(r"[*?$]")
# IAM's "Policy variables": ${*}, ${?} and ${$} stand for the characters themselves.
_CLUSTER_TAG, _NAMESPACE_TAG = "pullkeeper-cluster", "pullkeeper-namespace"


def pulls(partition: str, hosts: Iterable[RegistryHost]) -> Iterator[Statement]:
    """Return what is needed to log in to these registries and to pull; those of other partitions are left out."""
    usable = sorted(host for host in hosts if host.partition == partition)
    private = [host for host in usable if not host.public]
    if private:
        yield Statement(
            sid="LogIn",
            why="Tokens of private registries: this action knows no narrower resource",
            actions=("ecr:GetAuthorizationToken",),
            resources=("*",),
        )
        yield Statement(
            sid="Pull",
            why=f"Pulls with those tokens, from {listed(private)}",
            actions=PULL,
            resources=_repositories(private),
        )
    if len(private) < len(usable):
        yield Statement(
            sid="LogInToPublic",
            why="Tokens of ECR Public; its repositories need no permission",
            actions=("ecr-public:GetAuthorizationToken", "sts:GetServiceBearerToken"),
            resources=("*",),
        )


def _repositories(hosts: Iterable[RegistryHost]) -> tuple[str, ...]:
    found = {f"arn:{host.partition}:ecr:{host.region}:{host.account}:repository/*" for host in hosts}
    return tuple(sorted(found))


def assumptions(roles: Sequence[tuple[RoleArn, Session]]) -> Iterator[Statement]:
    """Return what the controller's role needs to open sessions of other roles."""
    yield from _assumption("AssumeRoles", "sts:AssumeRole", "Sessions of the roles of namespaces", roles)
    tagged = [each for each in roles if each[1].tags]
    yield from _assumption("TagSessions", "sts:TagSession", "`sessionTags` of the settings", tagged)
    named = [each for each in roles if each[1].source_identity]
    yield from _assumption("SetSourceIdentity", "sts:SetSourceIdentity", "`sourceIdentity` of the settings", named)


def _assumption(sid: str, action: str, why: str, roles: Sequence[tuple[RoleArn, Session]]) -> Iterator[Statement]:
    if roles:
        resources = tuple(sorted({_literal(role.text) for role, _ in roles}))
        yield Statement(sid=sid, why=why, actions=(action,), resources=resources)


def _literal(text: str) -> str:
    """Return a pattern of IAM's that matches this text alone: paths of roles may contain its marks."""
    return _MARKS.sub(lambda found: f"${{{found[0]}}}", text)


def controller_trust(principals: Sequence[str], session: Session) -> Iterator[Statement]:
    """Return the trust policy of a role that the controller opens sessions of.

    Each action has a statement of its own, since the keys of their conditions differ.
    """
    given = session.external_id
    external_id = (Condition(operator=_EQUAL, key="sts:ExternalId", values=(given,)),) if given else ()
    yield Statement(
        sid="Pullkeeper",
        why="The controller's role" + (", which sends the ExternalId of the settings" if given else ""),
        actions=("sts:AssumeRole",),
        principal_kind="AWS",
        principals=tuple(principals),
        conditions=external_id,
    )
    if tags := dict(session.tags):
        yield Statement(
            sid="SessionTags",
            why=f"It says from which cluster it comes, and for which namespace ({_NAMESPACE_TAG})",
            actions=("sts:TagSession",),
            principal_kind="AWS",
            principals=tuple(principals),
            conditions=(
                Condition(operator=_EQUAL, key=f"aws:RequestTag/{_CLUSTER_TAG}", values=(tags[_CLUSTER_TAG],)),
                Condition(
                    operator="ForAllValues:StringEquals", key="aws:TagKeys", values=(_CLUSTER_TAG, _NAMESPACE_TAG)
                ),
            ),
        )
    if session.source_identity:
        yield Statement(
            sid="SourceIdentity",
            why="CloudTrail names the cluster in whatever the session does",
            actions=("sts:SetSourceIdentity",),
            principal_kind="AWS",
            principals=tuple(principals),
            conditions=(Condition(operator=_EQUAL, key="sts:SourceIdentity", values=(session.source_identity,)),),
        )


def web_trust(provider_arn: str, audience: str, subjects: Iterable[str], *, sid: str) -> Statement:
    """Return who may take a role with a token of the cluster's issuer: exactly these subjects."""
    issuer = provider_arn.partition(":oidc-provider/")[2]
    exact = tuple(sorted(subjects))
    return Statement(
        sid=sid,
        why=f"Tokens of the cluster for {listed(exact)}, issued for {audience}",
        actions=("sts:AssumeRoleWithWebIdentity",),
        principal_kind="Federated",
        principals=(provider_arn,),
        conditions=(
            Condition(operator=_EQUAL, key=f"{issuer}:aud", values=(audience,)),
            Condition(operator=_EQUAL, key=f"{issuer}:sub", values=exact),
        ),
    )


def certificate_trust(trust_anchor: str, common_name: str, *, sid: str) -> Statement:
    """Return who may take a role by IAM Roles Anywhere, which needs all three actions of the trust policy.

    Source: IAM Roles Anywhere User Guide, "Trust model". Without a name it is any certificate below the trust anchor.
    """
    named = (Condition(operator=_EQUAL, key="aws:PrincipalTag/x509Subject/CN", values=(common_name,)),)
    return Statement(
        sid=sid,
        why=f"A certificate {f'for {common_name} ' if common_name else ''}below the trust anchor {trust_anchor}",
        actions=("sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"),
        principal_kind="Service",
        principals=("rolesanywhere.amazonaws.com",),
        conditions=(
            Condition(operator="ArnEquals", key="aws:SourceArn", values=(trust_anchor,)),
            *(named if common_name else ()),
        ),
    )


def repository_trust(roles: Sequence[str]) -> Statement:
    """Return what the policy of a repository must allow to roles of other accounts."""
    return Statement(
        sid="Pullkeeper",
        actions=PULL,
        principal_kind="AWS",
        principals=tuple(roles),
    )
