"""Replicas of the real process on a real control plane, each behind a proxy of its own, and a population to serve."""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp

from testsupport import fake_aws, fault_proxy
from testsupport.chaos import accounts, audit
from testsupport.chaos.accounts import AccountJudge
from testsupport.chaos.audit import Audited
from testsupport.chaos.authors import unexplained, written_by_others, written_without_lease
from testsupport.chaos.judge import Judge, satisfied
from testsupport.chaos.verification import published_unverified, shown_elsewhere, statements
from testsupport.chaos.watcher import Watcher
from testsupport.control_plane import plane as control_plane
from testsupport.control_plane.plane import ControlPlane
from testsupport.controller_process import ControllerProcess
from testsupport.fake_aws.endpoints import PUBLIC_HOSTS
from testsupport.fake_aws.records import OK
from testsupport.fault_proxy import FaultProxy, Front
from testsupport.installation import IRELAND, VIRGINIA, Installation, install
from testsupport.replicas import Replicas, replicas
from testsupport.rest import RestClient, of_name
from testsupport.service_accounts import ON, service_account
from testsupport.tls_shapes import Authority
from testsupport.token_leaks import assert_no_leak
from testsupport.waiting import until

LIFE = timedelta(seconds=120)
"""How long a token lives; half of it is longer than any fault, so that none excuses an expired one."""
SETTINGS: dict[str, Any] = {
    "refreshFraction": 0.2,
    "refreshJitter": "5s",
    "relistInterval": "30s",
    "logLevel": "info",
    "verify": "continuous",
    "verifyInterval": "10s",
    **ON,
}
NEIGHBOUR, PUBLIC = "210987654321.dkr.ecr.eu-west-1.amazonaws.com", "public.ecr.aws"
"""A registry that takes the same token as another one, and one at which none can be tried."""
REQUESTED = (
    frozenset({IRELAND}),
    frozenset({IRELAND, NEIGHBOUR}),
    frozenset({IRELAND, VIRGINIA}),
    frozenset({IRELAND, PUBLIC}),
)
"""The registry hosts that namespaces ask for. Each token costs of a namespace's budget, beyond which changes wait."""
_NAMES = ("one", "two", "three")
_SERVED = 8
_ATTACHED = 0.5
"""The share of namespaces that ask for their ServiceAccount to be attached from the beginning."""


@dataclass(kw_only=True)
class Cluster:
    """What faults are done to, and what is asked of it meanwhile."""

    plane: ControlPlane
    installation: Installation
    replicas: Replicas
    fronts: dict[str, Front]
    judge: Judge
    watcher: Watcher
    accounts: AccountJudge
    account_watcher: Watcher
    rng: random.Random
    gone: set[str] = field(default_factory=set)
    """Namespaces that were opted out."""
    restored: list[int] = field(default_factory=list)
    """When etcd was restored, in microseconds since 1970."""
    started: dict[str, list[ControllerProcess]] = field(default_factory=dict)
    """Each replica's processes, one after the other."""
    missed: list[str] = field(default_factory=list)
    """Changes of which no watch has told a replica."""
    troubled: dict[str, float] = field(default_factory=dict)
    """When each registry last gave no answer, or no good one, by a monotonic clock."""

    @property
    def aws(self) -> fake_aws.AwsFake:
        """The fake of AWS."""
        return self.installation.aws

    def proxy(self, name: str) -> FaultProxy:
        """Return the proxy before which a replica is."""
        return self.fronts[name].proxy

    async def start(self, name: str, *, ready: bool = True) -> ControllerProcess:
        """Start a replica behind its proxy."""
        self.installation.server = self.proxy(name)
        process = await self.replicas.start(name, ready=ready)
        self.started.setdefault(name, []).append(process)
        return process

    async def leader(self) -> str:
        """Wait until one replica leads, and no other one, among those that run."""

        async def poll() -> str | None:
            running = [name for name, process in self.replicas.running.items() if process.popen.poll() is None]
            leading = [name for name in running if await self.replicas.running[name].leads()]
            return leading[0] if len(leading) == 1 else None

        return await until(poll, "one replica to lead, and no other")

    async def others(self) -> tuple[str, list[str]]:
        """Return the leader, and who else there is."""
        leader = await self.leader()
        return leader, [name for name in self.fronts if name != leader]

    async def opt_in(self, hosts: frozenset[str] = REQUESTED[0]) -> str:
        """Create a namespace that asks for these registries."""
        name = await self.installation.create_namespace()
        await service_account(self.installation, name, accounts.NAME).create(accounts.THEIRS)
        self.judge.wanted[name] = hosts
        await self.attach(name, attached=self.rng.random() < _ATTACHED)
        await self.installation.annotate(name, enabled="true", registries=",".join(sorted(hosts)))
        return name

    async def attach(self, name: str, *, attached: bool) -> None:
        """Have a namespace ask for its ServiceAccount to be attached, or not any more."""
        self.accounts.want(name, attached=attached)
        await self.installation.annotate(name, attach_to_service_accounts=accounts.NAME if attached else None)

    async def opt_out(self, name: str) -> None:
        """Have a namespace want nothing any more."""
        del self.judge.wanted[name]
        self.gone.add(name)
        self.accounts.want(name, attached=False)
        await self.installation.annotate(name, enabled="false")

    async def delete_secret(self, name: str) -> None:
        """Delete a pull Secret that is wanted."""
        self.judge.expect_deletion(name)
        if (await self.installation.api.delete(self.installation.path(name))).status == 404:
            self.judge.deletions[name] -= 1

    async def ask_for_rotation(self) -> None:
        """Ask for a fresh token in every namespace."""
        for name in list(self.judge.wanted):
            value = f"{self.rng.random()}"
            await self.installation.annotate(name, refresh_requested_at=value)
            self.judge.refreshes[name] = value

    async def change_requests(self) -> None:
        """Opt one namespace in and another out, delete the Secret of a third, and attach a fourth or detach it."""
        await self.opt_in(self.rng.choice(REQUESTED))
        leaves, loses, turns = self.rng.sample(sorted(self.judge.wanted), 3)
        await self.opt_out(leaves)
        await self.attach(turns, attached=not self.accounts.wanted[turns])
        if loses in self.judge.held:
            await self.delete_secret(loses)

    async def converged(self) -> bool:
        """Whether every namespace is as it asks to be, with tokens that are good now."""
        found = await self.installation.api.get("/api/v1/serviceaccounts", **of_name(accounts.NAME))
        if found.status != 200 or not self.accounts.satisfied(found.body["items"]):
            return False
        names = [*self.judge.wanted, *self.gone]
        return not satisfied(self.judge, {name: await self.installation.secret(name) for name in names})

    async def until_converged(self) -> float:
        """Wait until all is as asked for; return the seconds that it took."""
        begun = asyncio.get_running_loop().time()
        await until(self.converged, "every namespace to be as it asks")
        self.judge.sweep()
        self.watcher.check()
        self.account_watcher.check()
        return asyncio.get_running_loop().time() - begun

    async def check_watches(self) -> None:
        """Note which replicas have learned of a change by listing alone, which heals a watch that is broken."""
        for name, process in self.replicas.running.items():
            if found := await process.metric("pullkeeper_cache_differences_total"):
                self.missed.append(f"{utcnow():%H:%M:%S} the watches of {name} have missed {found:g} changes")

    def verifiable(self) -> list[str]:
        """Return the registries that are asked for now and at which tokens are tried."""
        return sorted(frozenset().union(*self.judge.wanted.values()) - PUBLIC_HOSTS)

    async def until_verifying(self) -> None:
        """Wait until each registry is asked about tokens again, and accepts one."""
        since, hosts = utcnow(), set(self.verifiable())
        await self.ask_for_rotation()

        async def accepted() -> bool:
            probes = [call for call in self.aws.probes() if call.outcome == OK and call.time > since]
            return hosts <= {call.host for call in probes}

        await until(accepted, f"tokens to be tried at {hosts}")

    async def stop_watching(self) -> None:
        """Watch no more, because the history is about to go back."""
        await self.watcher.stop()
        await self.account_watcher.stop()

    async def history_went_back(self) -> None:
        """Watch what a restored etcd has."""
        await self.watcher.history_went_back()
        await self.account_watcher.history_went_back()

    def requests(self) -> list[Audited]:
        """Return the audit log's record of this installation's Lease and Secrets, and of its own requests."""
        ours = self.installation
        return [
            each
            for each in audit.read(self.plane.audit_log)
            if each.user == ours.subject
            or (each.resource == "secrets" and each.name == ours.secret_name)
            or (each.resource == "leases" and each.namespace == ours.namespace)
        ]

    def seen_broken(self) -> list[str]:
        """Return whatever broke an invariant so far, by the versions that were seen and by what replicas tell."""
        return [*self.judge.broken, *self.accounts.broken, *self.missed]

    def verdict(self, requests: list[Audited]) -> list[str]:
        """Return the same, and what the audit log tells."""
        ours = self.installation
        arrivals = {key: at for front in self.fronts.values() for key, at in front.proxy.arrivals.items()}
        return [
            *self.seen_broken(),
            *written_by_others(requests, ours.subject, ours.secret_name, self.judge.foreign),
            *written_without_lease(requests, arrivals, restored=self.restored),
            *unexplained(self.watcher.seen, requests, ours.secret_name),
            *self._unverified(requests),
        ]

    def _unverified(self, requests: list[Audited]) -> list[str]:
        probes, published = self.aws.probes(), self.judge.published.values()
        said = {
            f"{name}.{self.installation.namespace}": [word for each in started for word in statements(each.lines())]
            for name, started in self.started.items()
        }
        everywhere = frozenset().union(*REQUESTED)
        return [
            *published_unverified(published, requests, probes, said, restored=self.restored),
            *shown_elsewhere(probes, self.aws.tokens, everywhere),
        ]


def utcnow() -> datetime:
    """Return the time, with its zone."""
    return datetime.now(UTC)


@asynccontextmanager
async def running(
    folder: Path, *, count: int, rng: random.Random, lease: str = "6s", say: Callable[[str], None] = lambda _: None
) -> AsyncIterator[Cluster]:
    """Run so many replicas and their population; the end searches for leaked tokens."""
    async with AsyncExitStack() as stack:
        plane = stack.enter_context(control_plane.start(api_server_flags=audit.api_server_flags(folder)))
        say("the control plane is up")
        tls = ssl.create_default_context(cafile=plane.ca_file)
        http = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls)))
        api = RestClient(http=http, url=plane.url, token=plane.admin_token)
        aws = stack.enter_context(fake_aws.serve_in_thread(folder=folder))
        aws.lifetime = LIFE
        installation = await install(plane, api, aws, folder)
        await installation.renew_token(24 * 3600)
        await installation.allow_attachment()
        authority = Authority(folder, name="first")
        (folder / "ca.crt").write_bytes(authority.pem)
        fronts = {
            name: await stack.enter_async_context(fault_proxy.before(plane, context=authority.server_context()))
            for name in _NAMES[:count]
        }
        judge = Judge(token_of=aws.token_of, clock=utcnow)
        watcher = await stack.enter_async_context(Watcher.open(api, installation.secret_name, judge))
        attaching = AccountJudge(ours=installation.secret_name)
        account_watcher = await stack.enter_async_context(
            Watcher.open(api, accounts.NAME, attaching, "serviceaccounts")
        )
        stack.push_async_callback(_leave, installation)
        found = await stack.enter_async_context(
            replicas(installation, **SETTINGS, leaseDuration=lease, registryCaFile=aws.network.ca_file)
        )
        cluster = Cluster(
            plane=plane,
            installation=installation,
            replicas=found,
            fronts=fronts,
            judge=judge,
            watcher=watcher,
            accounts=attaching,
            account_watcher=account_watcher,
            rng=rng,
        )
        await _populate(cluster)
        yield cluster


async def _populate(cluster: Cluster) -> None:
    foreign = await cluster.installation.create_namespace("foreign")
    cluster.judge.foreign.add(foreign)
    await cluster.installation.create_foreign_secret(foreign)
    await cluster.installation.annotate(foreign, enabled="true")
    for number in range(_SERVED):
        await cluster.opt_in(REQUESTED[number % len(REQUESTED)])
    for name in cluster.fronts:
        await cluster.start(name, ready=False)
    for process in cluster.replicas.running.values():
        await process.until_ready()
    await cluster.until_converged()


async def _leave(installation: Installation) -> None:
    """Search for tokens in what was written, and end the processes."""
    await assert_no_leak(installation)
    for process in installation.processes:
        if process.popen.poll() is None:
            process.kill()
