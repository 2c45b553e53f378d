"""A tenant that does whatever its rights allow, as fast as the API server takes it.

Its rights are those of an owner: everything in its own namespaces, and its own Namespace objects, which it may delete
and have again.
"""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from testsupport import objects
from testsupport.access import create_role, create_user, rule
from testsupport.fake_aws import ACCOUNT
from testsupport.rest import Answer, RestClient

ROLE = f"arn:aws:iam::{ACCOUNT}:role/hostile"
"""A role that a tenant may use; all others that it names belong to somebody else or to nobody."""
ROLE_KEY = "eks.amazonaws.com/role-arn"
HEALTHY = f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com"
NOT_ENABLED, SILENT = "me-south-1", "ap-northeast-3"
"""Regions that the test disables, or cuts off."""
_BROKEN = (
    f"{ACCOUNT}.dkr.ecr.{NOT_ENABLED}.amazonaws.com",
    f"{ACCOUNT}.dkr.ecr.{SILENT}.amazonaws.com",
    f"{ACCOUNT}.dkr.ecr.eu-north-7.amazonaws.com",
    f"{ACCOUNT}.dkr.ecr-fips.eu-west-1.amazonaws.com",
    f"{ACCOUNT}.dkr-ecr.eu-central-1.on.aws",
    f"{ACCOUNT}.dkr.ecr.cn-north-1.amazonaws.com.cn",
)
_HUGE: tuple[Mapping[str, str], ...] = (
    {"enabled": "true", "registries": "a," * 120_000},
    {"enabled": "true", "registries": f"{ACCOUNT}.dkr.ecr.{'x' * 240_000}.amazonaws.com"},
    {"enabled": "\x1b[2J\n" * 40_000},
    {f"x{number}": "y" * 40 for number in range(3000)},
    {"enabled": "true", "attach-to-service-accounts": ",".join(f"a{number}" for number in range(20_000))},
    {"enabled": "true", "role-arn": f"arn:aws:iam::{ACCOUNT}:role/{'r' * 200_000}"},
)
_EVERYTHING = ("get", "list", "create", "update", "patch", "delete")
AT_ONCE = 4
"""Requests that one tenant makes at a time."""


@dataclass(kw_only=True)
class HostileTenant:
    """One tenant with two namespaces."""

    admin: RestClient
    """Makes a namespace for the tenant whenever it wants one, as a self-service portal does."""
    user: RestClient
    name: str
    home: str
    """Where the tenant's own ServiceAccount is."""
    secret_name: str
    namespaces: tuple[str, ...]
    others: tuple[str, ...]
    """Roles and identities of somebody else."""
    rng: random.Random
    requests: int = 0
    """Requests that were answered."""

    @classmethod
    async def create(
        cls, admin: RestClient, *, name: str, secret_name: str, others: tuple[str, ...], rng: random.Random
    ) -> Self:
        """Create the tenant and its namespaces."""
        home = await objects.create_namespace(admin)
        namespaces = tuple(f"{name}-{number}" for number in range(2))
        own = {**rule("namespaces", "get", "patch", "update", "delete"), "resourceNames": list(namespaces)}
        user = await create_user(admin, home, own, account=name)
        tenant = cls(
            admin=admin,
            user=user,
            name=name,
            home=home,
            secret_name=secret_name,
            namespaces=namespaces,
            others=others,
            rng=rng,
        )
        for namespace in namespaces:
            await tenant.have(namespace)
        return tenant

    async def have(self, namespace: str) -> None:
        """Have a namespace made, with an owner's rights in it; one that is still going away is left alone."""
        answer = await self.admin.post("/api/v1/namespaces", {"metadata": {"name": namespace}})
        if answer.status != 201:
            return
        granted = [rule(resource, *_EVERYTHING) for resource in ("secrets", "serviceaccounts")]
        granted.append(rule("events", *_EVERYTHING, group="events.k8s.io"))
        # It may have been deleted again meanwhile.
        with suppress(AssertionError):
            await create_role(
                self.admin,
                self.home,
                granted,
                account=self.name,
                account_namespace=self.home,
                namespace=namespace,
            )

    async def hammer(self, count: int) -> None:
        """Make this many requests, several at a time."""
        end = self.requests + count

        async def go_on() -> None:
            while self.requests < end:
                await self.rng.choice(_KINDS)(self)
                self.requests += 1

        await asyncio.gather(*(go_on() for _ in range(AT_ONCE)))

    async def annotate(self, namespace: str, annotations: Mapping[str, str]) -> Answer:
        """Replace all annotations of a Namespace of its own."""
        own = {f"pullkeeper.dev/{key}": value for key, value in annotations.items()}
        operation = {"op": "add", "path": "/metadata/annotations", "value": own}
        return await self.user.json_patch(f"/api/v1/namespaces/{namespace}", operation)

    def any_namespace(self) -> str:
        """Return one of its namespaces."""
        return self.rng.choice(self.namespaces)

    def secret_path(self, namespace: str) -> str:
        """Return the path of the pull Secret."""
        return f"{objects.secrets_in(namespace)}/{self.secret_name}"


_Kind = Callable[[HostileTenant], Awaitable[Answer]]


async def _ask(tenant: HostileTenant) -> Answer:
    """Ask for registries that cannot be had, or for one that can, by any identity, again and again."""
    rng = tenant.rng
    hosts = rng.choice((HEALTHY, ",".join(rng.sample(_BROKEN, 3)), _made_up(rng)))
    identity = rng.choice(
        (
            {},
            {"role-arn": rng.choice((ROLE, f"{ROLE}-{rng.randint(0, 99)}", *tenant.others))},
            {"service-account-name": rng.choice(("own", "puller", "nobody"))},
        )
    )
    wanted = {"enabled": "true", "registries": hosts, "refresh-requested-at": str(tenant.requests)}
    return await tenant.annotate(tenant.any_namespace(), {**wanted, **identity})


def _made_up(rng: random.Random) -> str:
    return ",".join(f"{ACCOUNT}.dkr.ecr.eu-west-{rng.randint(10, 9999)}.amazonaws.com" for _ in range(50))


async def _misspell(tenant: HostileTenant) -> Answer:
    wrong = {"enabled": f"yes {tenant.requests}", f"x{tenant.requests}": ""}
    return await tenant.annotate(tenant.any_namespace(), wrong)


async def _flood(tenant: HostileTenant) -> Answer:
    return await tenant.annotate(tenant.any_namespace(), tenant.rng.choice(_HUGE))


async def _forge(tenant: HostileTenant) -> Answer:
    """Apply a pull Secret of its own by the controller's manager name."""
    rng, namespace = tenant.rng, tenant.any_namespace()
    issued, expires = rng.choice(
        (("9999-01-01T00:00:00.000Z", "0001-01-01T00:00:00.000Z"), ("2026-01-01T00:00:00.000Z",) * 2)
    )
    annotations = {
        "registries": HEALTHY,
        "identity": rng.choice(("controller", *tenant.others, "\x1b[31m")),
        "issued-at": issued,
        "expires-at": expires,
        "tokens": json.dumps({"eu-west-1": {"issued-at": issued, "expires-at": expires}}),
    }
    own = {f"pullkeeper.dev/{key}": value for key, value in annotations.items()}
    body = objects.pull_secret(tenant.secret_name, annotations=own)
    return await tenant.user.apply(tenant.secret_path(namespace), body, force=True)


async def _delete_secret(tenant: HostileTenant) -> Answer:
    return await tenant.user.delete(tenant.secret_path(tenant.any_namespace()))


async def _relabel_secret(tenant: HostileTenant) -> Answer:
    labels = tenant.rng.choice(({objects.MANAGED_BY: None}, {objects.MANAGED_BY: "pullkeeper"}))
    return await tenant.user.merge(tenant.secret_path(tenant.any_namespace()), {"metadata": {"labels": labels}})


async def _make_account(tenant: HostileTenant) -> Answer:
    role = tenant.rng.choice((ROLE, *tenant.others, "nonsense"))
    metadata = {"name": tenant.rng.choice(("own", "puller")), "annotations": {ROLE_KEY: role}}
    path = f"/api/v1/namespaces/{tenant.any_namespace()}/serviceaccounts"
    return await tenant.user.post(path, {"metadata": metadata})


async def _delete_account(tenant: HostileTenant) -> Answer:
    path = f"/api/v1/namespaces/{tenant.any_namespace()}/serviceaccounts"
    return await tenant.user.delete(f"{path}/{tenant.rng.choice(('own', 'puller'))}")


async def _claim(tenant: HostileTenant) -> Answer:
    """Post an Event that claims to be the controller's, from the future."""
    namespace = tenant.any_namespace()
    name, note, at = f"claim-{tenant.requests}", "\x1b[2J\nall is lost", "2099-01-01T00:00:00.000000Z"
    body = objects.warning_event(namespace, name, note, at=at, regarding=tenant.secret_name)
    return await tenant.user.post(objects.events_in(namespace), body)


async def _start_over(tenant: HostileTenant) -> Answer:
    """Delete a Namespace, now and then, and have it again."""
    namespace = tenant.any_namespace()
    await tenant.have(namespace)
    if tenant.rng.random() < 0.1:
        return await tenant.user.delete(f"/api/v1/namespaces/{namespace}")
    return await tenant.user.get(f"/api/v1/namespaces/{namespace}")


_KINDS: tuple[_Kind, ...] = (
    _ask,
    _ask,
    _misspell,
    _flood,
    _forge,
    _delete_secret,
    _relabel_secret,
    _make_account,
    _delete_account,
    _claim,
    _start_over,
)
