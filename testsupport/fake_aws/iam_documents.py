"""What `pullkeeper iam -o json` prints, put into the accounts of the fake."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from testsupport.fake_aws.fake import AwsFake
from testsupport.fake_aws.iam import Grants, Role
from testsupport.fake_aws.policies import Policy, parse


def load(fake: AwsFake, document: Mapping[str, Any]) -> None:
    """Give the accounts of a document what it says, and raise ValueError where IAM would refuse it.

    A role that exists already gets further policies, one that nobody may take cannot exist, and all repositories of
    an account and a region allow the same.
    """
    for account in document["accounts"]:
        for provider in account["oidcProviders"]:
            fake.directory.oidc_providers[provider["arn"]] = frozenset(provider["clientIds"])
        for role in account["roles"]:
            _put_role(fake, role)
        _put_grants(fake, account["account"], account["repositoryPolicies"])


def _put_role(fake: AwsFake, given: Mapping[str, Any]) -> None:
    policies = _policies(given["policies"])
    if given["exists"]:
        found = fake.directory.role(given["arn"])
        assert found is not None, f"there is no {given['arn']} yet"
        fake.directory.put_role(replace(found, permissions=(*(found.permissions or ()), *policies)))
    elif given["trustPolicy"]["Statement"]:
        trust = parse(given["trustPolicy"], of_identity=False)
        fake.directory.put_role(Role(arn=given["arn"], grants=Grants(), trust=trust, permissions=policies))
    else:
        fake.directory.remove(given["arn"])


def _put_grants(fake: AwsFake, account: str, given: Sequence[Mapping[str, Any]]) -> None:
    found: dict[tuple[str, str], list[Policy]] = defaultdict(list)
    for grant in given:
        document = {"Version": "2012-10-17", "Statement": [grant["statement"]]}
        found[account, grant["region"]].append(parse(document, of_identity=False))
    others = {key: each for key, each in fake.directory.repositories.items() if key[0] != account}
    fake.directory.repositories = others | {key: tuple(each) for key, each in found.items()}


def _policies(given: Sequence[Mapping[str, Any]]) -> tuple[Policy, ...]:
    return tuple(parse(each["document"], of_identity=True) for each in given)
