"""A plan as Terraform, which OpenTofu reads too."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pullkeeper.domain.views.commented import Raw, as_hcl, comment, hcl_assignments, hcl_text
from pullkeeper.domain.views.iam_plan import Account, Plan, Provider, Role
from pullkeeper.domain.views.iam_resources import (
    PROVIDER,
    PROVIDER_HINT,
    account_comments,
    comments,
    dependencies,
    provider_name,
    role_name,
)

_REQUIREMENT = """terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
      # From this version on an OIDC provider needs no thumbprint.
      version = ">= 5.81"
    }
  }
}"""


def as_terraform(plan: Plan) -> str:
    """Return one configuration, with a provider for each account."""
    accounts = ["\n\n".join(_account(each)) for each in plan.accounts]
    notes = "\n".join(comments(plan.notes))
    return "\n\n".join(filter(None, [notes, _REQUIREMENT, *accounts]))


def _account(account: Account) -> Iterator[str]:
    alias = f"account_{account.label}"
    heading = comment(f"Account {account.number} of partition {account.partition}: add a profile or assume_role")
    arguments = [
        ("alias", hcl_text(alias)),
        *([("region", hcl_text(account.region))] if account.region else []),
        ("allowed_account_ids", f"[{hcl_text(account.number)}]"),
    ]
    yield "\n".join([*account_comments(account), heading, _block('provider "aws"', arguments)])
    for provider in account.providers:
        yield _provider(provider, alias)
    for role in account.roles:
        yield from _role(role, alias, [f"{_type(kind)}.{name}" for kind, name in dependencies(role, account)])


def _type(kind: str) -> str:
    return "aws_iam_openid_connect_provider" if kind == PROVIDER else "aws_iam_role"


def _provider(provider: Provider, alias: str) -> str:
    name = provider_name(provider)
    arguments = [
        ("provider", f"aws.{alias}"),
        ("url", hcl_text(provider.issuer)),
        ("client_id_list", as_hcl(list(provider.audiences))),
    ]
    return _block(f'resource "aws_iam_openid_connect_provider" "{name}"', arguments, why=PROVIDER_HINT)


def _role(role: Role, alias: str, earlier: Sequence[str]) -> Iterator[str]:
    name = role_name(role)
    if not role.exists:
        arguments = [
            ("provider", f"aws.{alias}"),
            ("name", hcl_text(role.name)),
            ("path", hcl_text(role.path)),
            ("assume_role_policy", _encoded(role.trust_document())),
            *([("depends_on", as_hcl([Raw(each) for each in earlier]))] if earlier else []),
        ]
        yield _block(f'resource "aws_iam_role" "{name}"', arguments, why=role.why)
    if role.permissions:
        arguments = [
            ("provider", f"aws.{alias}"),
            ("name", hcl_text(role.policy_name)),
            ("role", hcl_text(role.name) if role.exists else f"aws_iam_role.{name}.name"),
            ("policy", _encoded(role.permission_document())),
        ]
        yield _block(f'resource "aws_iam_role_policy" "{name}"', arguments, why=role.why if role.exists else "")


def _encoded(document: Any) -> str:
    return f"jsonencode({as_hcl(document)})"


def _block(head: str, arguments: Iterable[tuple[str, str]], *, why: str = "") -> str:
    lines = hcl_assignments(arguments)
    return "\n".join([*([comment(why)] if why else []), f"{head} {{", *(f"  {line}" for line in lines), "}"])
