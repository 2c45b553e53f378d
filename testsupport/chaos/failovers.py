"""How long it takes, once a leader is lost, until the next one has written a Secret: by the API server's record."""

import time
from collections.abc import Awaitable, Callable

from testsupport.chaos import audit
from testsupport.chaos.cluster import Cluster
from testsupport.waiting import until

Loss = Callable[[Cluster, str], Awaitable[None]]


async def killed(cluster: Cluster, leader: str) -> None:
    """SIGKILL: nobody gives the Lease up."""
    cluster.replicas.running[leader].kill()


async def frozen(cluster: Cluster, leader: str) -> None:
    """SIGSTOP, with its connections open."""
    cluster.replicas.freeze(leader)


async def partitioned(cluster: Cluster, leader: str) -> None:
    """Its packets are lost in both directions."""
    cluster.proxy(leader).partition()


async def terminated(cluster: Cluster, leader: str) -> None:
    """SIGTERM: it gives the Lease up."""
    cluster.replicas.running[leader].popen.terminate()


KINDS: tuple[Loss, ...] = (killed, frozen, partitioned, terminated)


async def measure(cluster: Cluster, loss: Loss) -> float:
    """Lose the leader; return the seconds until another replica's first accepted write of a Secret was answered."""
    leader, others = await cluster.others()
    offset, lost = cluster.plane.audit_log.stat().st_size, time.time_ns() // 1000
    await loss(cluster, leader)
    await cluster.opt_in()

    async def written() -> int:
        names = {f"{name}.{cluster.installation.namespace}" for name in others}
        requests = audit.read(cluster.plane.audit_log, offset=offset)
        writes = (each for each in requests if each.resource == "secrets" and each.writes and each.accepted)
        return next((each.answered for each in writes if each.replica in names), 0)

    answered = await until(written, "the next leader's first write")
    await _restore(cluster, leader)
    return (answered - lost) / 1_000_000


async def _restore(cluster: Cluster, leader: str) -> None:
    """Bring the lost one back, as one that stands by."""
    cluster.proxy(leader).heal()
    process = cluster.replicas.running[leader]
    if process.popen.poll() is None:
        cluster.replicas.thaw(leader)
        await process.stop()
    await (await cluster.start(leader, ready=False)).until_ready()
    await cluster.until_converged()
