"""Reading the ServiceAccounts in use again and again."""

import asyncio
from dataclasses import replace

from pullkeeper.domain.config.policy import Policy
from pullkeeper.domain.errors.failures import Failure, FailureError, Reason
from pullkeeper.domain.iam import principal
from pullkeeper.domain.iam.identity import CONTROLLER, Identity, service_account
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.secret.desired_state import DesiredState
from pullkeeper.reconcile.namespace_records import NamespaceRecords
from pullkeeper.reconcile.service_account_poller import INTERVAL, SHORTEST_PAUSE, ServiceAccountPoller
from testsupport.examples import EU, NOW

ON = {"enabled": "true", "service-account-name": "puller"}


class Cluster:
    """Namespaces, the roles of their ServiceAccounts, and what was read and enqueued."""

    def __init__(self, **namespaces: Identity) -> None:
        self.records = NamespaceRecords(applies_to=Policy().applies_to, clock=lambda: NOW)
        self.namespaces = [
            ObservedNamespace(name=name, uid=name, resource_version=1, annotations=ON) for name in namespaces
        ]
        for namespace in self.namespaces:
            self.records.observe(namespace)
            identity = namespaces[namespace.name]
            self.records.get(namespace.name).last_valid = DesiredState(identities={EU: identity})
        self.watched: set[tuple[str, str]] = set()
        self.roles: dict[str, str] = {}
        self.unusable: set[str] = set()
        self.unreachable: set[str] = set()
        self.read: list[str] = []
        self.read_at: list[float] = []
        self.enqueued: list[str] = []

    def items(self) -> list[ObservedNamespace]:
        return self.namespaces

    async def resolve(self, identity: Identity) -> Identity:
        name = identity.service_account[0]
        self.read.append(name)
        self.read_at.append(asyncio.get_running_loop().time())
        if name in self.unreachable:
            raise FailureError(Failure(reason=Reason.KUBERNETES_UNAVAILABLE, message="no answer"))
        if name in self.unusable:
            raise FailureError(Failure(reason=Reason.SERVICE_ACCOUNT_UNUSABLE, message="no role"))
        return replace(identity, principal=self.roles.get(name, "arn"))

    async def poll(self, seconds: float) -> None:
        """Run it for a time."""
        poller = ServiceAccountPoller(
            namespaces=self,
            records=self.records,
            service_accounts=self,
            is_watched=lambda *account: account in self.watched,
            enqueue=self.enqueued.append,
        )
        run = asyncio.create_task(poller.run())
        await asyncio.sleep(seconds)
        run.cancel()


async def test_namespace_is_enqueued_when_its_service_account_has_changed() -> None:
    """Once; also one that could not be read before, and nobody else."""
    cluster = Cluster(a=service_account("a", "puller"), b=service_account("b", "puller"))
    cluster.unreachable = {"b"}
    await cluster.poll(60)
    assert cluster.enqueued == ["a"]
    cluster.roles["a"] = "another"
    await cluster.poll(60)
    assert cluster.enqueued == ["a", "a"]
    cluster.unreachable.clear()
    await cluster.poll(60)
    assert cluster.enqueued == ["a", "a", "b"]
    record = cluster.records.get("a").service_account
    assert record is not None
    assert record.principal == "another"


async def test_namespace_is_enqueued_when_its_service_account_cannot_be_used_any_more() -> None:
    """Once, with nobody behind it, which no Secret says; and once more when it can be used again."""
    cluster = Cluster(a=service_account("a", "puller"), b=service_account("b", "puller"))
    await cluster.poll(60)
    cluster.enqueued.clear()
    cluster.unusable = {"a"}
    await cluster.poll(60)
    assert cluster.enqueued == ["a"]
    record = cluster.records.get("a").service_account
    assert record is not None
    assert record.principal == principal.NOBODY
    cluster.unusable.clear()
    await cluster.poll(60)
    assert cluster.enqueued == ["a", "a"]


async def test_only_what_is_in_use_and_not_watched_is_read() -> None:
    """Not of a namespace that asks for nothing valid, uses another identity, or whose ServiceAccounts are watched."""
    cluster = Cluster(a=service_account("a", "puller"), b=CONTROLLER, c=service_account("c", "puller"))
    cluster.namespaces.append(ObservedNamespace(name="invalid", uid="invalid", resource_version=1, annotations=ON))
    cluster.namespaces.append(ObservedNamespace(name="plain", uid="plain", resource_version=1, annotations={}))
    cluster.watched = {("c", "puller"), ("a", "another")}
    await cluster.poll(60)
    assert set(cluster.read) == {"a"}
    cluster.watched = {("a", "puller"), ("c", "puller")}
    cluster.read.clear()
    await cluster.poll(60)
    assert cluster.read == []


async def test_reads_are_paced_however_many_there_are() -> None:
    """Each is read at every interval while there are few; of thousands, so many a second and all in turn."""
    few = Cluster(**{name: service_account(name, "puller") for name in "abcde"})
    await few.poll(10 * INTERVAL.total_seconds())
    assert few.read[:50] == list("abcde") * 10
    assert len(few.read) <= 51
    many = Cluster(**{f"n{number}": service_account(f"n{number}", "puller") for number in range(10_000)})
    await many.poll(60)
    assert len(many.read) == len(set(many.read))
    assert min(later - earlier for earlier, later in zip(many.read_at, many.read_at[1:], strict=False)) >= (
        SHORTEST_PAUSE.total_seconds() * 0.999
    )
    assert len(many.read) >= 290
