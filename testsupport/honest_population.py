"""Namespaces that ask for what they may have, by every kind of identity."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from testsupport.fake_aws import ACCOUNT
from testsupport.installation import ROLE, Installation, auths
from testsupport.secret_recorder import SecretRecorder

HOSTS = (
    f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com",
    f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com",
    f"{ACCOUNT}.dkr.ecr-fips.us-east-1.amazonaws.com",
    f"{ACCOUNT}.dkr.ecr.eu-central-1.amazonaws.com",
)
_NOTHING = {"data": {".dockerconfigjson": "e30="}}


def role_of(number: int) -> str:
    """Return the role of an honest namespace, which no other one may use."""
    return f"arn:aws:iam::{ACCOUNT}:role/honest-{number}"


def grants(count: int) -> list[dict[str, Any]]:
    """Return what the installation grants to so many honest namespaces."""
    return [{"role": role_of(number), "namespaces": ["team-*"]} for number in range(count)]


@dataclass(kw_only=True)
class HonestPopulation:
    """The honest namespaces, each with the principal that its tokens belong to, and its registry."""

    installation: Installation
    expected: dict[str, tuple[str, str]] = field(default_factory=dict)

    async def add(self) -> str:
        """Create the next namespace and return its name."""
        number = len(self.expected)
        kind, host, role = number % 3, HOSTS[number % len(HOSTS)], role_of(number)
        name = await self.installation.create_namespace()
        wanted = {"enabled": "true", "registries": host}
        if kind == 1:
            self.installation.aws.allow_role(role, trusted_principals=ROLE)
            wanted["role_arn"] = role
        if kind == 2:
            await self._create_account(name, role)
            wanted["service_account_name"] = "puller"
        self.expected[name] = (role if kind else ROLE, host)
        await self.installation.annotate(name, **wanted)
        return name

    async def faults(self) -> list[str]:
        """Return every namespace whose Secret is not as it should be now."""
        found = []
        for name, (principal, host) in self.expected.items():
            held = auths(await self.installation.secret(name) or _NOTHING)
            issued = {token.authorization_token: token for token in self.installation.aws.tokens}
            token = issued.get(held.get(host, ""))
            if set(held) != {host} or token is None or (token.role_arn or token.principal) != principal:
                found.append(f"{name}: {set(held)} as {token}")
            elif token.expires_at < datetime.now(UTC):
                found.append(f"{name}: expired")
        return found

    def interrupted(self, recorder: SecretRecorder) -> Iterator[str]:
        """Return each namespace whose Secret was replaced by another object, or its token only after it had expired."""
        for name in self.expected:
            versions = recorder.of(name)
            if len({version.uid for version in versions}) > 1:
                yield f"{name}: another Secret"
            if any(after.seen_at > held.expires_at for held, after in pairwise(versions)):
                yield f"{name}: an expired token"

    async def _create_account(self, namespace: str, role: str) -> None:
        api, aws = self.installation.api, self.installation.aws
        issuer = (await api.get("/.well-known/openid-configuration")).ok()["issuer"]
        aws.allow_role(role, trusts_subjects=f"system:serviceaccount:{namespace}:puller", issuer=issuer)
        metadata = {"name": "puller", "annotations": {"eks.amazonaws.com/role-arn": role}}
        (await api.post(f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": metadata})).ok()
