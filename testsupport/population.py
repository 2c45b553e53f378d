"""Namespaces in every state that `status` reports, with Secrets of any age, written as the controller would."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pullkeeper.domain.ecr import registry_host
from pullkeeper.domain.ecr.credential import Password, TokenValidity
from pullkeeper.domain.iam import identity
from pullkeeper.domain.iam.identity import CONTROLLER
from pullkeeper.domain.secret.pull_secret import PullSecret
from testsupport.examples import record_of
from testsupport.fake_aws import ACCOUNT
from testsupport.installation import IRELAND, VIRGINIA, Installation, written
from testsupport.objects import encoded, events_in, warning_event

HOUR = timedelta(hours=1)
BLUE = f"arn:aws:iam::{ACCOUNT}:role/blue"
POLICY: Mapping[str, object] = {
    "roles": [{"role": BLUE, "namespaces": ["*"]}],
    "serviceAccountIdentity": {"namespaces": ["*"]},
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Population:
    """The namespaces of one test, named by prefix, and the moment that their ages count from."""

    installation: Installation
    suffix: str
    now: datetime

    def name(self, prefix: str) -> str:
        """Return the full name of a namespace."""
        return f"{prefix}-{self.suffix}"

    async def create_namespace(self, prefix: str, **annotations: str) -> str:
        """Create a namespace and return its full name."""
        name = self.name(prefix)
        self.installation.namespaces.append(name)
        body = {"metadata": {"name": name, "annotations": written(annotations)}}
        (await self.installation.api.post("/api/v1/namespaces", body)).ok()
        return name

    async def write_secret(
        self, namespace: str, *hosts: str, age: timedelta, identity_of: Callable[[str], str] = lambda _: CONTROLLER.name
    ) -> None:
        """Write a pull Secret whose tokens have this age and a life of 12 hours."""
        registries = tuple(sorted(map(registry_host.parse, hosts)))
        issued, who = self.now - age, identity_of(namespace)
        validity = TokenValidity(issued_at=issued, expires_at=issued + 12 * HOUR)
        record = record_of(dict.fromkeys(registries, validity), who)
        auth = Password(encoded("AWS:of-the-population"))
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": self.installation.secret_name,
                "labels": {"app.kubernetes.io/managed-by": "pullkeeper"},
                "annotations": record.annotations(),
            },
            "type": "kubernetes.io/dockerconfigjson",
            "data": PullSecret(record=record, auths=dict.fromkeys(registries, auth)).data(),
        }
        (await self.installation.api.apply(self.installation.path(namespace), body)).ok()

    async def create_served(self, prefix: str, *hosts: str, age: timedelta, **annotations: str) -> str:
        """Create a namespace that is opted in and has its pull Secret for these hosts, IRELAND by default."""
        name = await self.create_namespace(prefix, **{"enabled": "true", **annotations})
        await self.write_secret(name, *(hosts or [IRELAND]), age=age)
        return name

    async def post_warning(self, namespace: str, note: str) -> None:
        """Post a warning as the controller would, and another one of somebody else's."""
        at = self.now.isoformat(timespec="microseconds").replace("+00:00", "Z")
        ours = warning_event(namespace, "warning-0", f"namespace/{namespace}: {note}", at=at)
        theirs = {"metadata": {"name": "warning-1"}, "reportingController": "example.org/other", "reason": "Other"}
        for body in (ours, ours | theirs):
            (await self.installation.api.post(events_in(namespace), body)).ok()


async def populate(installation: Installation) -> Population:
    """Create one namespace in each state that can be had without waiting."""
    # Ages are a second more than whole hours, so that their minutes change only after another 59 seconds.
    now = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=1)
    population = Population(installation=installation, suffix=installation.secret_name.rpartition("-")[2], now=now)
    both = f"{IRELAND}, {VIRGINIA}"
    await population.create_served("a-ready", age=2 * HOUR)
    role = await population.create_namespace("b-role", enabled="true", role_arn=BLUE, registries=both)
    await population.write_secret(role, IRELAND, VIRGINIA, age=HOUR, identity_of=lambda _: BLUE)
    account = await population.create_namespace("c-account", enabled="true", service_account_name="puller")
    await population.write_secret(
        account, IRELAND, age=HOUR, identity_of=lambda name: identity.service_account(name, "puller").name
    )
    await population.create_namespace("d-pending", enabled="true")
    await population.create_served("e-outdated", IRELAND, age=HOUR, registries=both)
    overdue = await population.create_served("f-overdue", age=8 * HOUR)
    denial = 'ECR refused GetAuthorizationToken: allow ecr:GetAuthorizationToken on "*" to that role'
    await population.post_warning(overdue, denial)
    await population.create_served("g-expiring", age=11.5 * HOUR)
    await population.create_served("h-expired", age=14 * HOUR)
    await population.create_namespace("i-wrong", enabled="yes", registries="nonsense", colour="blue")
    await population.create_namespace("j-denied", enabled="true", role_arn=f"arn:aws:iam::{ACCOUNT}:role/red")
    conflict = await population.create_namespace("k-conflict", enabled="true")
    await installation.create_foreign_secret(conflict)
    await population.create_served("l-orphan", age=HOUR, enabled="false")
    await population.create_namespace("m-nobody")
    return population


def normalize(population: Population, text: str) -> str:
    """Remove from an output what differs between runs; moments stay as long as they are, for the columns."""
    text = text.replace(population.suffix, "x" * len(population.suffix))
    text = re.sub(r"\b\d+s ago", "9s ago", text)
    text = re.sub(r"\b(\d+m)\d\ds\b", r"\g<1>99s", text)
    return _MOMENT.sub(lambda match: _offset(population, match[0]), text)


_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def _offset(population: Population, text: str) -> str:
    """Write a moment as its distance from when the population was built; what is within ten minutes is now."""
    minutes = round((datetime.fromisoformat(text) - population.now) / timedelta(minutes=1))
    distance = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    return f"NOW{distance if abs(minutes) > 10 else ''}".ljust(len(text), "_")
