"""Everything goes wrong once, one after the other: afterwards every namespace is as it should be, and the log says why.

Nothing here waits for a relist: its interval is longer than the test.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from tests.world.conftest import World
from testsupport.controller_process import ControllerProcess
from testsupport.etcd_backup import back_up
from testsupport.fault_proxy import Fault, secret_lists, watches
from testsupport.installation import IRELAND, VIRGINIA, auths
from testsupport.tls_shapes import SHAPES
from testsupport.waiting import until

Disturbance = Callable[[World], Awaitable[None]]
MOST_REQUESTS = 150
"""Requests of one disturbance, a new namespace and an opt-out included; a hot loop would make thousands."""

_UNTRUSTED = "is not trusted by the CA certificates in"
_WRITES = 300
"""Writes after the backup, so that the versions do not catch up before the test has ended."""


async def broken_connections(world: World) -> None:
    """A load balancer restarts."""
    world.proxy.drop()


async def half_closed_connections(world: World) -> None:
    """The other end says that it will send no more, and reads nothing."""
    world.proxy.half_close()


async def answers_of_a_busy_server(world: World) -> None:
    """429 to the next lists of Secrets, and to a few of whatever else comes next."""
    world.proxy.add(Fault(when=secret_lists, status=429, times=2))
    world.proxy.add(Fault(status=429, times=3))
    world.proxy.drop()


async def answers_of_a_broken_server(world: World) -> None:
    """500 likewise."""
    world.proxy.add(Fault(when=secret_lists, status=500, times=2))
    world.proxy.add(Fault(status=500, times=3))
    world.proxy.drop()


async def events_cut_in_two(world: World) -> None:
    """The connection of a watch breaks within a line."""
    world.proxy.drop()
    world.proxy.add(Fault(when=watches, cut=True, times=3))


async def stale_answers(world: World) -> None:
    """A list shows what was there at the beginning, as a server that lags behind for long would."""
    world.proxy.add(Fault(when=secret_lists, stale=True))
    world.proxy.drop()


async def another_token(world: World) -> None:
    """The old one is refused at once; the new one is where the kubelet puts it."""
    process, token = world.installation.processes[0], world.folder / "token"
    lines = len(process.lines())
    world.proxy.revoked.add(token.read_text())
    world.proxy.drop()
    await until(lambda: _said(process, "401", lines), "the log to say that the token is refused")
    await asyncio.sleep(1.1)  # the next token is another one only in another second
    await world.installation.renew_token()
    assert token.read_text() not in world.proxy.revoked


async def another_authority(world: World) -> None:
    """A certificate of a CA that is not trusted yet; then `ca.crt` names both."""
    process, new = world.installation.processes[0], world.authority("second", SHAPES["neither"])
    old = (world.folder / "ca.crt").read_bytes()
    await world.front.present(new.server_context())
    await process.until_logged(_UNTRUSTED)
    (world.folder / "ca.crt").write_bytes(old + new.pem)


async def new_authority_alone(world: World) -> None:
    """A hasty rotation: the server's certificate comes first, and then `ca.crt` names the new CA and no other."""
    process, new = world.installation.processes[0], world.authority("third")
    lines = len(process.lines())
    await world.front.present(new.server_context())
    await until(lambda: _said(process, _UNTRUSTED, lines), "the log to say that the new CA is not trusted")
    world.trust(new)


async def new_authority_before_its_certificate(world: World) -> None:
    """The other way round: `ca.crt` names the new CA alone while the server still shows the old certificate."""
    new = world.authority("fourth", SHAPES["CA without key usage"])
    world.trust(new)
    world.proxy.drop()
    await until(lambda: _watches(world), "the watches to go on")
    await world.front.present(new.server_context())


async def restored_etcd(world: World) -> None:
    """An administrator goes back to a backup: resourceVersions go back, and so does every namespace."""
    installation = world.installation
    restore = await back_up(world.plane)
    lost = await installation.create_served_namespace("lost")
    for number in range(_WRITES):
        await installation.label(lost, written=str(number))
    await restore()
    installation.namespaces.remove(lost)


DISTURBANCES: dict[Disturbance, str] = {
    broken_connections: "the connection was broken off",
    half_closed_connections: "",
    answers_of_a_busy_server: "429",
    answers_of_a_broken_server: "500",
    events_cut_in_two: "",
    stale_answers: "resourceVersions went back",
    another_token: "401",
    another_authority: _UNTRUSTED,
    new_authority_alone: _UNTRUSTED,
    new_authority_before_its_certificate: "the connection was broken off",
    restored_etcd: "resourceVersions went back",
}
"""What the log says of each: nothing of what is over at once, or was said of the disturbance just before."""


async def test_everything_goes_wrong_and_all_is_well_in_the_end(world: World) -> None:
    """After each disturbance a new namespace gets its Secret and an old one can be opted out."""
    installation = world.installation
    process = await installation.start({"logLevel": "info"})
    stays = await installation.create_served_namespace("stays")
    leaves = await installation.create_served_namespace("leaves")
    told: dict[str, list[str]] = {}
    for disturbance, words in DISTURBANCES.items():
        await until(lambda: _watches(world), "all watches to be open")
        await installation.create_served_namespace("between")
        await until(lambda: _is_over(process), "the log to say that all works again")
        lines, requests = len(process.lines()), len(world.proxy.requests)
        await disturbance(world)
        leaves = await _all_is_well(world, leaves)
        if words:
            await until(lambda words=words, lines=lines: _said(process, words, lines), f"the log to say {words!r}")  # type: ignore[misc] # the defaults bind the loop's values
        told[disturbance.__name__] = _warnings(process, lines)
        assert len(world.proxy.requests) - requests < MOST_REQUESTS, disturbance.__name__
        repeated = [line for line, times in Counter(told[disturbance.__name__]).items() if times > 1]
        assert repeated == [], disturbance.__name__
    await installation.annotate(stays, registries=VIRGINIA)
    await until(lambda: _shows(world, stays, [VIRGINIA]), "a change of registries")
    assert "Traceback" not in process.text()
    assert await process.metric("pullkeeper_cache_differences_total") == 0


async def _all_is_well(world: World, leaves: str) -> str:
    """Opt a namespace in and another one out; return the new one."""
    new = await world.installation.create_namespace("joins", enabled="true")
    await until(lambda: _shows(world, new, [IRELAND]), "the Secret of a new namespace")
    await world.installation.annotate(leaves, enabled="false")
    await until(lambda: _shows(world, leaves, None), "an opt-out")
    return new


async def _watches(world: World) -> bool:
    return world.proxy.watched() == {"/api/v1/secrets", "/api/v1/namespaces"}


async def _shows(world: World, namespace: str, hosts: list[str] | None) -> bool:
    secret = await world.installation.secret(namespace)
    return (list(auths(secret)) if secret else None) == hosts


async def _is_over(process: ControllerProcess) -> bool:
    """Whether the watch has told of something since it failed last; before, the same cause is not said again."""
    said = [line["level"] for line in process.lines() if line["logger"].endswith("reflector")]
    return said[-1:] != ["WARNING"]


async def _said(process: ControllerProcess, words: str, after: int) -> bool:
    return any(words in line for line in _warnings(process, after))


def _warnings(process: ControllerProcess, after: int) -> list[str]:
    """Return what was warned of, by whichever logger: libraries have no second line for a cause that we have named."""
    lines: list[dict[str, Any]] = process.lines()[after:]
    return [line["message"] for line in lines if line["level"] in {"WARNING", "ERROR", "CRITICAL"}]
