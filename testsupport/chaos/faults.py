"""What goes wrong: each kind is one function, which returns when it is over and has seen that it took effect."""

import asyncio
import time
from collections.abc import Callable

from testsupport.access import may
from testsupport.chaos import audit
from testsupport.chaos.aws_faults import AWS_KINDS, Kind, last
from testsupport.chaos.cluster import Cluster
from testsupport.control_plane import fence
from testsupport.etcd_backup import back_up
from testsupport.fault_proxy import Fault, Request, watches
from testsupport.waiting import until

_FORBIDDEN = 403
_VERSIONS, _AT_ONCE = 2000, 16
"""More versions than the cluster makes until a fault is over, and how many of them are made at a time."""
_CLUSTER_RBAC = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"


def secret_writes(request: Request) -> bool:
    """Select writes of Secrets."""
    return request.method == "PATCH" and "/secrets/" in request.path


async def killed_in_a_rotation(cluster: Cluster) -> None:
    """SIGKILL once a write of a rotation has been carried out, and before its answer arrives."""
    leader, _ = await cluster.others()
    process = cluster.replicas.running[leader]
    cluster.proxy(leader).add(Fault(when=secret_writes, unanswered=process.kill))
    await cluster.ask_for_rotation()
    await process.ended()
    await cluster.start(leader, ready=False)


async def terminated(cluster: Cluster) -> None:
    """SIGTERM, as in each rollout."""
    leader, _ = await cluster.others()
    await cluster.ask_for_rotation()
    assert await cluster.replicas.running[leader].stop() == 0
    await cluster.start(leader, ready=False)


async def frozen_leader(cluster: Cluster) -> None:
    """SIGSTOP in the middle of a rotation, until another replica leads."""
    leader, others = await cluster.others()
    await cluster.ask_for_rotation()
    cluster.replicas.freeze(leader)
    await cluster.replicas.leader(*others)
    await cluster.ask_for_rotation()
    cluster.replicas.thaw(leader)


async def frozen_follower(cluster: Cluster) -> None:
    """SIGSTOP of a replica that stands by."""
    _, others = await cluster.others()
    cluster.replicas.freeze(others[0])
    await cluster.ask_for_rotation()
    await last(cluster)
    cluster.replicas.thaw(others[0])


async def partitioned_leader(cluster: Cluster) -> None:
    """Nothing goes from the leader to the API server or back, until another replica leads."""
    leader, others = await cluster.others()
    cluster.proxy(leader).partition()
    await cluster.ask_for_rotation()
    await cluster.replicas.leader(*others)
    cluster.proxy(leader).heal()


async def api_server_killed(cluster: Cluster) -> None:
    """SIGKILL of the API server, in a rotation."""
    await cluster.ask_for_rotation()
    await asyncio.to_thread(cluster.plane.kill_api_server)
    await last(cluster)
    await asyncio.to_thread(cluster.plane.start_api_server)


async def etcd_stopped(cluster: Cluster) -> None:
    """The API server answers, and has nothing behind it."""
    await cluster.ask_for_rotation()
    await asyncio.to_thread(cluster.plane.kill_etcd)
    await last(cluster)
    await asyncio.to_thread(cluster.plane.start_etcd)


async def etcd_compacted(cluster: Cluster) -> None:
    """Versions of before cannot be watched from any more, and the API server starts anew."""
    await cluster.ask_for_rotation()
    await asyncio.to_thread(cluster.plane.compact)


async def etcd_restored(cluster: Cluster) -> None:
    """Everything is as it was some seconds before, with its resourceVersions.

    They are not soon what they have been, as after hours: a cache that believed in them would take nothing in.
    """
    restore = await back_up(cluster.plane)
    await cluster.ask_for_rotation()
    await last(cluster)
    await asyncio.gather(*(_make_versions(cluster, each) for each in range(_AT_ONCE)))
    await cluster.stop_watching()
    # Between the last request of the history that ends, and the first of the one that begins.
    await asyncio.to_thread(cluster.plane.kill_api_server)
    cluster.restored.append(time.time_ns() // 1000)
    await restore()
    await cluster.history_went_back()


async def _make_versions(cluster: Cluster, number: int) -> None:
    path = f"/api/v1/namespaces/{cluster.installation.namespace}/configmaps"
    for version in range(_VERSIONS // _AT_ONCE):
        body = {"metadata": {"name": f"versions-{number}-{version}"}}
        (await cluster.installation.api.post(path, body)).ok()


async def answers_of_a_busy_server(cluster: Cluster) -> None:
    """429 to whatever is asked."""
    await _answered(cluster, lambda: Fault(status=429, times=6))


async def answers_of_a_broken_server(cluster: Cluster) -> None:
    """500 to whatever is asked."""
    await _answered(cluster, lambda: Fault(status=500, times=6))


async def slow_answers(cluster: Cluster) -> None:
    """Each request takes two seconds more."""
    await _answered(cluster, lambda: Fault(delay=2.0, times=8))


async def answers_lost(cluster: Cluster) -> None:
    """Writes are carried out, and the connection breaks before their answers."""
    await _answered(cluster, lambda: Fault(when=secret_writes, unanswered=lambda: None, times=2))


async def cut_answers(cluster: Cluster) -> None:
    """Events are cut in two."""
    await _answered(cluster, lambda: Fault(when=watches, cut=True, times=2), drop=True)


async def swallowed_connections(cluster: Cluster) -> None:
    """What is under way on open connections is never heard of again."""
    assert sum(front.proxy.swallow() for front in cluster.fronts.values()) > 0
    await cluster.ask_for_rotation()


async def lease_deleted(cluster: Cluster) -> None:
    """Somebody deletes the Lease."""
    await cluster.ask_for_rotation()
    (await cluster.installation.api.delete(_lease(cluster))).ok()


async def lease_stolen(cluster: Cluster) -> None:
    """Somebody who does not exist holds the Lease, and never renews it."""
    stolen = {"spec": {"holderIdentity": "nobody", "leaseDurationSeconds": 3}}
    (await cluster.installation.api.merge(_lease(cluster), stolen)).ok()
    await cluster.ask_for_rotation()


async def rights_taken(cluster: Cluster) -> None:
    """The ClusterRoleBinding goes, and comes back."""
    installation = cluster.installation
    path = f"{_CLUSTER_RBAC}/{installation.namespace}"
    binding = (await installation.api.get(path)).ok()
    (await installation.api.delete(path)).ok()
    write = {"verb": "patch", "resource": "secrets", "name": installation.secret_name, "namespace": "default"}

    async def denied() -> bool:
        return not await may(installation.user, **write)

    await until(denied, "the rights to be gone")
    offset = cluster.plane.audit_log.stat().st_size
    await cluster.ask_for_rotation()
    await until(lambda: _refused(cluster, offset), "a request to be refused")
    binding["metadata"] = {"name": installation.namespace}
    (await installation.api.post(_CLUSTER_RBAC, binding)).ok()
    await until(lambda: may(installation.user, **write), "the rights to be back")


async def fence_taken(cluster: Cluster) -> None:
    """The admission policies go, and come back."""
    api = cluster.installation.api
    for each in fence.fence():
        (await api.delete(fence.path(each))).ok()
    await cluster.ask_for_rotation()
    await last(cluster)
    await fence.put_up(api)


KINDS: tuple[Kind, ...] = (
    killed_in_a_rotation,
    terminated,
    frozen_leader,
    frozen_follower,
    partitioned_leader,
    api_server_killed,
    etcd_stopped,
    etcd_compacted,
    etcd_restored,
    answers_of_a_busy_server,
    answers_of_a_broken_server,
    slow_answers,
    answers_lost,
    cut_answers,
    swallowed_connections,
    lease_deleted,
    lease_stolen,
    rights_taken,
    fence_taken,
    *AWS_KINDS,
)


async def _answered(cluster: Cluster, fault: Callable[[], Fault], *, drop: bool = False) -> None:
    """Do this to the next requests of every replica, and wait until the leader's have met it."""
    leader = await cluster.leader()
    faults = {name: fault() for name in cluster.fronts}
    for name, each in faults.items():
        cluster.proxy(name).add(each)
        if drop:
            cluster.proxy(name).drop()
    await cluster.ask_for_rotation()

    async def spent() -> bool:
        return any(each.times <= 0 for each in faults.values())

    await until(spent, f"what was set up at {leader}'s proxy to take effect")
    for name, each in faults.items():
        if each.times > 0:
            cluster.proxy(name).faults.remove(each)


async def _refused(cluster: Cluster, offset: int) -> bool:
    """Whether the controller was refused something, by the audit log from this byte on."""
    requests = audit.read(cluster.plane.audit_log, offset=offset)
    return any(each.user == cluster.installation.subject and each.code == _FORBIDDEN for each in requests)


def _lease(cluster: Cluster) -> str:
    return f"/apis/coordination.k8s.io/v1/namespaces/{cluster.installation.namespace}/leases/pullkeeper"
