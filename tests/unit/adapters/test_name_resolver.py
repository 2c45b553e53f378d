"""Name look-ups that hang: what else has to wait for them, which is nothing."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest

from pullkeeper.adapters.kubernetes.session import open_session
from pullkeeper.adapters.name_resolver import MAX_HANGING, MAX_THREADS, NameResolver
from pullkeeper.adapters.registry import RegistryProbe
from pullkeeper.domain.ecr.credential import Password
from pullkeeper.domain.ecr.registry_host import parse
from pullkeeper.domain.ecr.registry_probe import Verdict
from tests.unit.adapters.connection_harness import connection_info
from testsupport.examples import EU
from testsupport.waiting import HANG_GUARD, until

AWAY = "nobody-answers.example"


class SilentNames:
    """The system's look-ups, of which none is answered before `release`."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.threads: list[threading.Thread] = []
        self._released = threading.Event()

    def look_up(self, host: str, *_: Any, **__: Any) -> Any:
        self.asked.append(host)
        self.threads.append(threading.current_thread())
        self._released.wait(HANG_GUARD)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    def release(self) -> None:
        self._released.set()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[SilentNames]:
    silent = SilentNames()
    monkeypatch.setattr(socket, "getaddrinfo", silent.look_up)
    yield silent
    silent.release()


async def executor_is_free() -> bool:
    """Whether the event loop's own threads do what they are given."""
    return await asyncio.wait_for(asyncio.to_thread(lambda: True), HANG_GUARD)


async def test_probes_of_registries_without_an_address_leave_the_loops_threads_alone(
    names: SilentNames, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More look-ups hang than the event loop has threads, and nothing waits for them."""
    monkeypatch.delenv("HTTPS_PROXY", raising=False)
    probe = RegistryProbe(ca_file="")
    hosts = [parse(EU.name.replace("eu-west-1", f"eu-west-{number}")) for number in range(1, 17)]
    probes = [asyncio.create_task(probe.probe(host, Password("x"))) for host in hosts]

    async def all_asked() -> bool:
        return len(names.asked) == len(hosts)

    await until(all_asked, "every probe to look its registry up")
    assert await executor_is_free()
    names.release()
    assert {result.verdict for result in await asyncio.gather(*probes)} == {Verdict.UNREACHABLE}


async def test_requests_to_an_api_server_without_an_address_leave_the_loops_threads_alone(names: SilentNames) -> None:
    """The API server is often known by name: in a kubeconfig, or behind a proxy."""
    info = connection_info(f"https://{AWAY}")
    async with open_session(info) as session:
        request = asyncio.create_task(_outcome(session, info.server))

        async def asked() -> bool:
            return names.asked == [AWAY]

        await until(asked, "the request to look its server up")
        assert await executor_is_free()
        threads = {thread.name for thread in names.threads}
        # Before anything can fail: the loop's own threads are waited for at its end.
        names.release()
        assert await request == "ClientConnectorDNSError"
    assert threads == {"name look-up"}


async def _outcome(session: aiohttp.ClientSession, url: str) -> str:
    try:
        async with session.get(url):
            return "answered"
    except aiohttp.ClientError as error:
        return type(error).__name__


async def test_only_so_many_look_ups_hang(names: SilentNames) -> None:
    """One name occupies a few threads at most, all names together a few more; the rest fails without asking."""
    resolver = NameResolver()
    hosts = [
        f"host-{number}.example" for number in range(MAX_THREADS // MAX_HANGING + 1) for _ in range(MAX_HANGING + 2)
    ]
    look_ups = [asyncio.create_task(resolver.resolve(host)) for host in hosts]
    await asyncio.sleep(0)
    refused = [each for each in look_ups if each.done() and isinstance(each.exception(), OSError)]
    assert len(refused) == len(hosts) - MAX_THREADS
    names.release()
    await asyncio.gather(*look_ups, return_exceptions=True)
    assert max(map(names.asked.count, names.asked)) == MAX_HANGING
    assert len(names.asked) == MAX_THREADS
    with pytest.raises(socket.gaierror):
        await resolver.resolve(hosts[0])
    assert len(names.asked) == MAX_THREADS + 1


async def test_look_up_that_was_given_up_counts_until_it_ends(names: SilentNames) -> None:
    """Its thread is still there: giving up does not make room for another one."""
    resolver = NameResolver()
    for _ in range(MAX_HANGING):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(resolver.resolve(AWAY), 0.01)
    with pytest.raises(OSError, match="still without an answer"):
        await resolver.resolve(AWAY)
    assert len(names.asked) == MAX_HANGING


async def test_found_addresses_and_wrong_names() -> None:
    """The system's answer is passed on; what is no name at all is an ordinary failure."""
    resolver = NameResolver()
    assert {found["host"] for found in await resolver.resolve("localhost", 443)} & {"127.0.0.1", "::1"}
    with pytest.raises(OSError, match="not the name of a host"):
        await resolver.resolve("a" * 64 + ".example")
    await resolver.close()
