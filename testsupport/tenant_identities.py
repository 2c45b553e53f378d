"""IAM roles of tenants, and the policies that let namespaces use them."""

from collections.abc import Mapping
from typing import Any

from testsupport.fake_aws import ACCOUNT
from testsupport.installation import ROLE, Installation, auths

BLUE = f"arn:aws:iam::{ACCOUNT}:role/team-blue"
GREEN = f"arn:aws:iam::{ACCOUNT}:role/team-green"
OWN = "arn:aws:iam::210987654321:role/own"
EXTERNAL_ID = "external-id-of-blue"


def principals(installation: Installation, secret: dict[str, Any]) -> set[str]:
    return set(issued_to(installation, auths(secret)).values())


def issued_to(installation: Installation, entries: Mapping[str, str]) -> dict[str, str]:
    """Return the principal of each registry's token."""
    issued = {token.authorization_token: token.role_arn or token.principal for token in installation.aws.tokens}
    return {host: issued[auth] for host, auth in entries.items()}


def policy(*roles: dict[str, Any], **others: Any) -> dict[str, Any]:
    return {"clusterName": "test", "roles": list(roles), **others}


def blue(installation: Installation, **others: Any) -> dict[str, Any]:
    installation.aws.allow_role(BLUE, trusted_principals=ROLE, external_id=EXTERNAL_ID)
    return {"role": BLUE, "namespaces": ["blue-*"], "externalId": EXTERNAL_ID, **others}


async def own_account(installation: Installation, team: str, name: str = "puller", **annotations: str) -> None:
    """Create a ServiceAccount that IAM lets assume OWN, and grant the controller the rights to use it."""
    await account_with_role(installation, team, name, **annotations)
    await installation.allow_service_accounts(name)


async def account_with_role(installation: Installation, team: str, name: str, **annotations: str) -> None:
    """Create a ServiceAccount that IAM lets assume OWN."""
    metadata = {"name": name, "annotations": annotations or {"eks.amazonaws.com/role-arn": OWN}}
    (await installation.api.post(f"/api/v1/namespaces/{team}/serviceaccounts", {"metadata": metadata})).ok()
    issuer = (await installation.api.get("/.well-known/openid-configuration")).ok()["issuer"]
    installation.aws.allow_role(OWN, trusts_subjects=f"system:serviceaccount:{team}:{name}", issuer=issuer)
