"""A plan as JSON and as CloudFormation."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pullkeeper.domain.iam.roles_anywhere import RolesAnywhere
from pullkeeper.domain.views.commented import COMMENT, as_yaml, comment, without_comments
from pullkeeper.domain.views.iam_plan import Account, Plan, Provider, Role
from pullkeeper.domain.views.iam_resources import (
    PROVIDER_HINT,
    account_comments,
    comments,
    dependencies,
    provider_name,
    role_name,
)


def as_json(plan: Plan) -> str:
    """Return the plan for machines."""
    document = {"accounts": [_account(each) for each in plan.accounts], "notes": list(plan.notes)}
    return json.dumps(without_comments(document), indent=2)


def _account(account: Account) -> Mapping[str, Any]:
    return {
        "partition": account.partition,
        "account": account.number,
        "oidcProviders": [
            {"arn": each.arn, "url": each.issuer, "clientIds": list(each.audiences)} for each in account.providers
        ],
        "roles": [_role(each) for each in account.roles],
        **({"rolesAnywhere": list(map(_anywhere, account.anywhere))} if account.anywhere else {}),
        "repositoryPolicies": [
            {"region": each.region, "statement": each.statement.as_document()} for each in account.grants
        ],
    }


def _anywhere(given: RolesAnywhere) -> Mapping[str, Any]:
    return {"trustAnchorArn": given.trust_anchor, "profileArn": given.profile, "roleArns": [given.role.text]}


def _role(role: Role) -> Mapping[str, Any]:
    return {
        "arn": role.arn.text,
        "exists": role.exists,
        "why": role.why,
        **({} if role.exists else {"trustPolicy": role.trust_document()}),
        "policies": [{"name": role.policy_name, "document": role.permission_document()}] if role.permissions else [],
    }


def as_cloudformation(plan: Plan) -> str:
    """Return a template for each account."""
    head = "\n".join(comments(plan.notes))
    return "\n---\n".join([*([head] if head else []), *(_template(each) for each in plan.accounts)])


def _template(account: Account) -> str:
    providers = {provider_name(each): _cfn_provider(each) for each in account.providers}
    roles = {
        role_name(role): _cfn_role(role, [name for _, name in dependencies(role, account)]) for role in account.roles
    }
    template = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"What Pullkeeper needs in account {account.number}",
        "Resources": providers | roles,
    }
    heading = comment(
        f"Account {account.number} of partition {account.partition}; roles with names need --capabilities "
        "CAPABILITY_NAMED_IAM"
    )
    body = as_yaml(template) if providers | roles else comment("Nothing to create")
    return "\n".join([heading, *account_comments(account), body])


def _cfn_provider(provider: Provider) -> Mapping[str, Any]:
    return {
        COMMENT: PROVIDER_HINT,
        "Type": "AWS::IAM::OIDCProvider",
        "Properties": {"Url": provider.issuer, "ClientIdList": list(provider.audiences)},
    }


def _cfn_role(role: Role, earlier: Sequence[str]) -> Mapping[str, Any]:
    policy = {"PolicyName": role.policy_name, "PolicyDocument": role.permission_document()}
    if role.exists:
        return {
            COMMENT: role.why,
            "Type": "AWS::IAM::RolePolicy",
            "Properties": {"RoleName": role.name, **policy},
        }
    return {
        COMMENT: role.why,
        "Type": "AWS::IAM::Role",
        **({"DependsOn": list(earlier)} if earlier else {}),
        "Properties": {
            "RoleName": role.name,
            "Path": role.path,
            "AssumeRolePolicyDocument": role.trust_document(),
            **({"Policies": [policy]} if role.permissions else {}),
        },
    }
