"""What must exist in AWS: OIDC providers, roles with their policies, and grants of other accounts' repositories."""

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pullkeeper.domain.iam.role_arn import RoleArn
from pullkeeper.domain.iam.roles_anywhere import RolesAnywhere
from pullkeeper.domain.views.commented import COMMENT, without_comments

VERSION = "2012-10-17"
"""The version of the policy language; there is no newer one."""
MAX_TRUST_LENGTH = 2048
"""IAM's default quota for a trust policy, in characters without blanks."""
MAX_POLICY_LENGTH = 10_240
"""IAM's limit for all inline policies of a role, in characters without blanks."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """One line of a statement's Condition."""

    operator: str
    key: str
    values: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """A statement that allows something, and why it is needed."""

    sid: str
    actions: tuple[str, ...]
    why: str = ""
    """A comment; empty in a repository's policy, of which only the command is shown."""
    resources: tuple[str, ...] = ()
    """Empty in a trust policy and in a repository's policy, which are about what they are attached to."""
    principal_kind: str = ""
    """`AWS`, `Federated` or `Service`; empty in the policy of an identity, which is about whom it is attached to."""
    principals: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()

    def as_document(self) -> Mapping[str, Any]:
        """Return the statement in IAM's form, with its comment."""
        kind = self.principal_kind
        return {
            COMMENT: self.why,
            "Sid": self.sid,
            "Effect": "Allow",
            **({"Principal": {kind: _one_or_all(self.principals)}} if kind else {}),
            "Action": _one_or_all(self.actions),
            **({"Resource": _one_or_all(self.resources)} if self.resources else {}),
            **({"Condition": self._conditions()} if self.conditions else {}),
        }

    def _conditions(self) -> Mapping[str, Any]:
        operators = dict.fromkeys(each.operator for each in self.conditions)
        return {
            operator: {each.key: _one_or_all(each.values) for each in self.conditions if each.operator == operator}
            for operator in operators
        }


def policy_document(statements: Iterable[Statement]) -> Mapping[str, Any]:
    """Return a policy in IAM's form, with comments."""
    return {"Version": VERSION, "Statement": [each.as_document() for each in statements]}


@dataclass(frozen=True, kw_only=True, slots=True)
class Provider:
    """An IAM OIDC provider: whose tokens an account believes, and for which audiences."""

    arn: str
    issuer: str
    audiences: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Role:
    """A role, who may assume it, and what it may do."""

    arn: RoleArn
    why: str
    policy_name: str
    permissions: tuple[Statement, ...]
    trust: tuple[Statement, ...] = ()
    """Empty for a role that exists and only gets another policy."""

    @property
    def exists(self) -> bool:
        """Whether only a policy is added to the role."""
        return not self.trust

    @property
    def name(self) -> str:
        """The name without the path."""
        return self.arn.text.rpartition("/")[2]

    @property
    def path(self) -> str:
        """The path, "/" for none."""
        return f"/{self.arn.text.partition(':role/')[2].rpartition('/')[0]}/".replace("//", "/")

    def trust_document(self) -> Mapping[str, Any]:
        """Return the trust policy, with comments."""
        return policy_document(self.trust)

    def permission_document(self) -> Mapping[str, Any]:
        """Return the permissions, with comments."""
        return policy_document(self.permissions)

    def problems(self) -> Sequence[str]:
        """Return which of IAM's limits its policies exceed."""
        sizes = (
            ("trust policy", self.trust_document(), MAX_TRUST_LENGTH, "; the quota can be raised to 4,096"),
            ("permissions", self.permission_document(), MAX_POLICY_LENGTH, ""),
        )
        return [
            f"{self.arn}: its {what} has {length:,} characters, and IAM takes {most:,}{more}"
            for what, document, most, more in sizes
            if (length := len(json.dumps(without_comments(document), separators=(",", ":")))) > most
        ]


@dataclass(frozen=True, kw_only=True, slots=True)
class RepositoryGrant:
    """What the policy of each repository in another account must allow."""

    region: str
    account: str
    partition: str
    statement: Statement

    def command(self) -> str:
        """Return the command that sets it for one repository."""
        text = json.dumps(without_comments(policy_document([self.statement])), separators=(",", ":"))
        return (
            f"aws ecr set-repository-policy --region {self.region} --registry-id {self.account}"
            f" --repository-name NAME --policy-text {shlex.quote(text)}"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """Everything in one account."""

    partition: str
    number: str
    region: str
    """A region of its registries or of those that its roles read; "" if none is known. IAM itself has no regions."""
    providers: tuple[Provider, ...] = ()
    roles: tuple[Role, ...] = ()
    grants: tuple[RepositoryGrant, ...] = ()
    """What its repositories must allow to roles of other accounts."""
    anywhere: tuple[RolesAnywhere, ...] = ()
    """By which trust anchors and profiles the controller takes its roles here."""

    @property
    def label(self) -> str:
        """A name of letters, digits and `_`: partitions may have accounts of the same number."""
        return self.number if self.partition == "aws" else f"{self.number}_{self.partition.replace('-', '_')}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """Everything that must exist, by account, and what could not be told."""

    accounts: tuple[Account, ...]
    notes: tuple[str, ...] = ()

    def of_account(self, number: str) -> "Plan":
        """Return the part of one account."""
        return Plan(accounts=tuple(each for each in self.accounts if each.number == number), notes=self.notes)


def _one_or_all(values: Sequence[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else list(values)
