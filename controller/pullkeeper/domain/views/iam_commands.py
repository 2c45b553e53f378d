"""A plan as a script for AWS's command line."""

import json
import shlex
from collections.abc import Iterator

from pullkeeper.domain.views.commented import comment, without_comments
from pullkeeper.domain.views.iam_plan import Account, Plan, Role, Statement
from pullkeeper.domain.views.iam_resources import account_comments, comments

_HEAD = """\
#!/usr/bin/env bash
# Run it in each account that it names: it does the part of the account that the AWS CLI is logged in to. It can be run
# again.
set -euo pipefail

provider() { # ARN URL AUDIENCE...
  if aws iam get-open-id-connect-provider --open-id-connect-provider-arn "$1" >/dev/null 2>&1; then
    for audience in "${@:3}"; do
      aws iam add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn "$1" --client-id "$audience"
    done
  else
    aws iam create-open-id-connect-provider --url "$2" --client-id-list "${@:3}"
  fi
}

role() { # NAME PATH TRUST-POLICY
  if aws iam get-role --role-name "$1" >/dev/null 2>&1; then
    aws iam update-assume-role-policy --role-name "$1" --policy-document "$3"
  else
    aws iam create-role --role-name "$1" --path "$2" --assume-role-policy-document "$3"
  fi
}

policy() { # ROLE NAME DOCUMENT
  aws iam put-role-policy --role-name "$1" --policy-name "$2" --policy-document "$3"
}"""


def as_script(plan: Plan) -> str:
    """Return a script for Bash that can be run again."""
    head = [_HEAD.partition("\n")[0], *comments(plan.notes), _HEAD.partition("\n")[2]]
    functions = ["\n".join(_account(each)) for each in plan.accounts]
    return "\n\n".join(["\n".join(head), *functions, "\n".join(_choice(plan))])


def _account(account: Account) -> Iterator[str]:
    yield comment(f"Account {account.number} of partition {account.partition}")
    yield from account_comments(account)
    yield f"account_{account.label}() {{"
    for provider in account.providers:
        yield f"  provider {shlex.join([provider.arn, provider.issuer, *provider.audiences])}"
    for role in account.roles:
        yield from (f"  {line}" for line in _role(role))
    if not account.providers and not account.roles:
        yield "  :"
    yield "}"


def _role(role: Role) -> Iterator[str]:
    yield comment(role.why)
    if not role.exists:
        yield from _reasons(role.trust)
        yield f"role {shlex.join([role.name, role.path, _compact(role.trust_document())])}"
    if role.permissions:
        yield from _reasons(role.permissions)
        yield f"policy {shlex.join([role.name, role.policy_name, _compact(role.permission_document())])}"


def _reasons(statements: tuple[Statement, ...]) -> Iterator[str]:
    yield from (comment(f"  {each.sid}: {each.why}") for each in statements)


def _compact(document: object) -> str:
    return json.dumps(without_comments(document))


def _choice(plan: Plan) -> Iterator[str]:
    labels = {f"{each.partition}:{each.number}": each.label for each in plan.accounts}
    yield "account=$(aws sts get-caller-identity --query Arn --output text | cut -d: -f2,5)"
    yield 'case "$account" in'
    yield from (f"{account}) account_{label} ;;" for account, label in labels.items())
    yield f'*) echo "account $account is none of {" ".join(labels)}" >&2; exit 1 ;;'
    yield "esac"
