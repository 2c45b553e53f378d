"""Lists that take the API server longer than any other request, and connections that are swallowed without a word.

Nothing here waits for a relist: its interval is longer than the test.
"""

from tests.world.conftest import World
from testsupport.fault_proxy import Fault, lists, secret_lists
from testsupport.installation import IRELAND, auths
from testsupport.replicas import replicas
from testsupport.waiting import until

SLOW = 12.0
"""Seconds; other requests are given up after ten."""
MANY = 1000
RENEWALS = 25
"""Of the Lease, one each two seconds: fewer than until a watch is given up for silence alone, after 90 s."""


async def _shows(world: World, namespace: str) -> bool:
    secret = await world.installation.secret(namespace)
    return secret is not None and list(auths(secret)) == [IRELAND]


async def test_lists_may_take_longer_than_other_requests(world: World) -> None:
    """Each is waited for, and not asked anew; before, it was cut off for ever."""
    secrets, namespaces = Fault(when=secret_lists, delay=SLOW, times=MANY), Fault(when=lists, delay=SLOW)
    more = Fault(when=lists, times=MANY)
    for fault in (secrets, namespaces, more):
        world.proxy.add(fault)
    early = await world.installation.create_namespace(enabled="true")
    await world.installation.start()
    await until(lambda: _shows(world, early), "the Secret of a namespace that was listed")
    assert (secrets.times, namespaces.times) == (MANY - 1, 0)
    assert more.times >= MANY - 1  # the watch of Namespaces is compared with a list of ours


async def test_swallowed_connections_are_noticed_by_probes(world: World) -> None:
    """By keepalive, long before silence alone would tell, and without listing more than once for it."""
    async with replicas(world.installation) as one:
        await one.start("one")
        await one.leader("one")
        await until(lambda: _watches(world), "all watches to be open")
        listed = Fault(when=lists, times=MANY)
        world.proxy.add(listed)
        async with one.lease_changes() as renewals:
            assert world.proxy.swallow() >= 2
            late = await world.installation.create_namespace(enabled="true")
            await until(lambda: _shows(world, late), "the Secret of a namespace that no watch told of")
            assert len(renewals) < RENEWALS
        await one.running["one"].until_logged("no answer in time")
        assert listed.times >= MANY - 2


async def _watches(world: World) -> bool:
    return world.proxy.watched() == {"/api/v1/secrets", "/api/v1/namespaces"}
