"""kopf's door, on the in-memory server: what it hands on, and that its requests are counted where they leave."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from pullkeeper.adapters.kubernetes import namespaces_kopf
from pullkeeper.adapters.kubernetes.client import KubeClient, connect
from pullkeeper.adapters.kubernetes.login import ConnectionInfo
from pullkeeper.app.log_setup import RepeatFilter
from pullkeeper.domain.namespace.namespace import ObservedNamespace, observe_namespace
from testsupport import fake_kube
from testsupport.fake_kube.faults import matching
from testsupport.waiting import until

pytestmark = pytest.mark.slow

Counts = Counter[tuple[str, str, int]]


class Sink:
    """Remembers which Namespaces are there."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.starts = 0
        self.watches = 0

    def start(self) -> None:
        self.starts += 1

    def open(self) -> None:
        self.watches += 1

    def upsert(self, view: ObservedNamespace) -> None:
        self.names.add(view.name)

    def delete(self, view: ObservedNamespace) -> None:
        self.names.discard(view.name)


@pytest.fixture
async def server() -> AsyncIterator[fake_kube.ApiServer]:
    async with fake_kube.serve() as running:
        yield running


@pytest.fixture
def counts() -> Counts:
    return Counter()


@pytest.fixture
async def connection(
    server: fake_kube.ApiServer, counts: Counts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[KubeClient]:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)

    def record(verb: str, resource: str, code: int) -> None:
        counts[verb, resource, code] += 1

    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(server.kubeconfig()))
    connected = await connect(kubeconfig=str(kubeconfig), record_request=record)
    yield connected
    await connected.close()


@asynccontextmanager
async def watching(connection: KubeClient) -> AsyncIterator[Sink]:
    """Run kopf until the block ends, with nothing else on the connection."""
    sink, stop, restart, disturbance = Sink(), asyncio.Event(), asyncio.Event(), namespaces_kopf.Disturbance()
    registry = partial(
        namespaces_kopf.registry,
        sink,
        observe_namespace,
        connection,
        restart=restart,
        on_open=sink.open,
        disturbance=disturbance,
    )
    running = namespaces_kopf.operate(
        registry, on_start=sink.start, disturbance=disturbance, stop=stop, restart=restart
    )
    operator = asyncio.create_task(running)
    try:
        await sees(sink, "default")
        yield sink
    finally:
        stop.set()
        await operator


def namespace(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


async def sees(sink: Sink, name: str) -> None:
    async def seen() -> bool:
        return name in sink.names

    await until(seen, f"kopf to tell of {name}")


def answered(server: fake_kube.ApiServer) -> Counts:
    """Count what the server itself has on record."""
    return Counter((each.verb, each.resource or "discovery", each.code) for each in server.requests)


async def test_the_requests_of_the_namespace_watch_are_counted(
    server: fake_kube.ApiServer, connection: KubeClient, counts: Counts
) -> None:
    """Listings and watches, as often as the API server has them on record, and nothing else."""
    async with watching(connection) as sink:
        server.faults.drop_watches()
        server.state.create(namespace("team-a"))
        await sees(sink, "team-a")
    assert counts == answered(server)
    assert counts["list", "namespaces", 200] >= 1
    assert counts["watch", "namespaces", 200] >= 1
    assert sink.watches == counts["watch", "namespaces", 200]


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what a controller would log, by whichever logger."""
    repeats = RepeatFilter()
    return [
        record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING and repeats.filter(record)
    ]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (
            403,
            "the API server answered with status 403: grant list and watch on namespaces, unless it is just starting",
        ),
        (429, "the API server answered with status 429"),
        (503, "the API server answered with status 503"),
    ],
)
async def test_a_request_that_fails_again_and_again_is_said_once(
    server: fake_kube.ApiServer, connection: KubeClient, caplog: pytest.LogCaptureFixture, status: int, words: str
) -> None:
    """In our words, whoever logs: kopf has a line for each attempt, with whatever the API server has answered."""
    server.faults.fail(status, matching(resource="namespaces"), times=3)
    async with watching(connection):
        pass
    assert len([record for record in caplog.records if record.getMessage().startswith("Request attempt")]) >= 3
    assert said(caplog) == [f"watch of Namespaces failed: {words}; it is tried again"]


async def test_a_refusal_and_no_answer_are_counted(
    server: fake_kube.ApiServer, connection: KubeClient, counts: Counts, caplog: pytest.LogCaptureFixture
) -> None:
    """By their status, and by 0 where there is none; the watch gets over both, and each cause is said once."""
    server.faults.fail(503, lambda request: request.resource == "namespaces", times=1)
    server.faults.down = True
    asyncio.get_running_loop().call_later(0.5, setattr, server.faults, "down", False)  # noqa: FBT003 -- the attribute's value
    async with watching(connection):
        assert counts["list", "namespaces", 503] == 1
        assert counts["get", "discovery", 0] >= 1
    assert len(said(caplog)) == len(set(said(caplog))) == 2


async def test_a_token_that_is_refused_is_read_anew(
    connection: KubeClient, counts: Counts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A watch that ends with 401 goes on with the token that is there by then; a request beside it may be cut off."""
    good = await connection.connection_info()
    tokens = iter(["Bearer outdated", good.authorization])

    async def connection_info() -> ConnectionInfo:
        return replace(good, authorization=next(tokens))

    monkeypatch.setattr(connection, "connection_info", connection_info)
    async with watching(connection):
        assert {401, 200} <= {code for _, _, code in counts} <= {401, 200, 0}


@pytest.mark.parametrize("code", [400, 403, 500, 503])
async def test_a_watch_that_ends_with_an_error_begins_anew(
    server: fake_kube.ApiServer, connection: KubeClient, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    """Kopf gives up over any but 410: it is started again in the same process, and says so in one line."""
    async with watching(connection) as sink:
        for number in range(3):
            server.faults.drop_watches(matching(resource="namespaces"), code=code)
            server.state.create(namespace(f"team-{number}"))
            await sees(sink, f"team-{number}")
    assert sink.starts >= 2
    assert [line for line in said(caplog) if "watch of Namespaces ended: WatchingError; listing anew" in line]
