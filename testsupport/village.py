"""Namespaces in every state that `status` can tell, with Secrets of any age, written as the controller would."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pullkeeper.domain.ecr import registry_host
from pullkeeper.domain.ecr.credential import Password, TokenValidity
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.iam import identity
from pullkeeper.domain.iam.identity import CONTROLLER, Identity
from pullkeeper.domain.secret.pull_secret import PullSecret, SecretRecord
from testsupport.fake_aws import ACCOUNT
from testsupport.installation import IRELAND, VIRGINIA, Installation
from testsupport.objects import encoded, foreign_secret

HOUR = timedelta(hours=1)
BLUE = f"arn:aws:iam::{ACCOUNT}:role/blue"
POLICY: Mapping[str, object] = {
    "roles": [{"role": BLUE, "namespaces": ["*"]}],
    "serviceAccountIdentity": {"namespaces": ["*"]},
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Village:
    """What was built, and when."""

    installation: Installation
    suffix: str
    now: datetime

    def name(self, prefix: str) -> str:
        """Give the full name of a namespace."""
        return f"{prefix}-{self.suffix}"

    async def settle(self, prefix: str, **annotations: str) -> str:
        """Create a namespace."""
        name = self.name(prefix)
        self.installation.namespaces.append(name)
        written = {f"pullkeeper.dev/{key.replace('_', '-')}": value for key, value in annotations.items()}
        body = {"metadata": {"name": name, "annotations": written}}
        (await self.installation.api.post("/api/v1/namespaces", body)).ok()
        return name

    async def keep(
        self, namespace: str, *hosts: str, age: timedelta, who: Callable[[str], Identity] = lambda _: CONTROLLER
    ) -> None:
        """Write a pull Secret whose tokens are of this age and live for 12 hours."""
        found = tuple(sorted(map(registry_host.parse, hosts)))
        issued = self.now - age
        times = TokenValidity(issued_at=issued, expires_at=issued + 12 * HOUR)
        tokens = {TokenScope.of(host, who(namespace)): times for host in found}
        held = SecretRecord(registries=found, identity=who(namespace), tokens=tokens)
        auth = Password(encoded("AWS:of-the-village"))
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": self.installation.secret_name,
                "labels": {"app.kubernetes.io/managed-by": "pullkeeper"},
                "annotations": held.annotations(),
            },
            "type": "kubernetes.io/dockerconfigjson",
            "data": PullSecret(record=held, auths=dict.fromkeys(found, auth)).data(),
        }
        (await self.installation.api.apply(self.installation.path(namespace), body)).ok()

    async def warn(self, namespace: str, note: str) -> None:
        """Post a warning as the controller would, and one of somebody else's."""
        path = f"/apis/events.k8s.io/v1/namespaces/{namespace}/events"
        for number, reporter in enumerate(("pullkeeper.dev/controller", "example.org/other")):
            body = {
                "metadata": {"name": f"warning-{number}", "namespace": namespace},
                "eventTime": self.now.isoformat(timespec="microseconds").replace("+00:00", "Z"),
                "reportingController": reporter,
                "reportingInstance": "one",
                "action": "Keep",
                "reason": "AccessDenied" if number == 0 else "Other",
                "note": f"namespace/{namespace}: {note}",
                "type": "Warning",
                "regarding": {"apiVersion": "v1", "kind": "Secret", "name": "x", "namespace": namespace},
            }
            (await self.installation.api.post(path, body)).ok()


async def build(installation: Installation) -> Village:
    """Build one namespace in each state that can be had without waiting."""
    # The half minute keeps ages away from where their words change.
    now = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=30)
    village = Village(installation=installation, suffix=installation.secret_name.rpartition("-")[2], now=now)
    await village.keep(await village.settle("a-ready", enabled="true"), IRELAND, age=2 * HOUR)
    role = await village.settle("b-role", enabled="true", role_arn=BLUE, registries=f"{IRELAND}, {VIRGINIA}")
    await village.keep(role, IRELAND, VIRGINIA, age=HOUR, who=lambda _: identity.parse(BLUE))
    account = await village.settle("c-account", enabled="true", service_account_name="puller")
    await village.keep(account, IRELAND, age=HOUR, who=lambda name: identity.service_account(name, "puller"))
    await village.settle("d-pending", enabled="true")
    outdated = await village.settle("e-outdated", enabled="true", registries=f"{IRELAND},{VIRGINIA}")
    await village.keep(outdated, IRELAND, age=HOUR)
    overdue = await village.settle("f-overdue", enabled="true")
    await village.keep(overdue, IRELAND, age=8 * HOUR)
    await village.warn(
        overdue, 'ECR refused GetAuthorizationToken: allow ecr:GetAuthorizationToken on "*" to that role'
    )
    await village.keep(await village.settle("g-expiring", enabled="true"), IRELAND, age=11.5 * HOUR)
    await village.keep(await village.settle("h-expired", enabled="true"), IRELAND, age=14 * HOUR)
    await village.settle("i-wrong", enabled="yes", registries="nonsense", colour="blue")
    await village.settle("j-denied", enabled="true", role_arn=f"arn:aws:iam::{ACCOUNT}:role/red")
    conflict = await village.settle("k-conflict", enabled="true")
    secrets = f"/api/v1/namespaces/{conflict}/secrets"
    (await installation.api.post(secrets, foreign_secret(installation.secret_name))).ok()
    await village.keep(await village.settle("l-orphan", enabled="false"), IRELAND, age=HOUR)
    await village.settle("m-nobody")
    return village


def plain(village: Village, text: str) -> str:
    """Take out of an output what differs from one run to the next; moments keep their length, for the columns."""
    text = text.replace(village.suffix, "x" * len(village.suffix))
    text = re.sub(r"\b\d+s ago", "9s ago", text)
    text = re.sub(r"\b(\d+m)\d\ds\b", r"\g<1>99s", text)
    return _MOMENT.sub(lambda match: _offset(village, match[0]), text)


_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def _offset(village: Village, text: str) -> str:
    """Write a moment as its distance from when the village was built; what is within ten minutes is now."""
    minutes = round((datetime.fromisoformat(text) - village.now) / timedelta(minutes=1))
    distance = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    return f"NOW{distance if abs(minutes) > 10 else ''}".ljust(len(text), "_")
