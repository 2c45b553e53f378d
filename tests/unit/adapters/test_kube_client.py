"""The client of the API server on a local HTTP server: what it sends, and what it makes of each response."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from aiohttp import ClientConnectorCertificateError, web
from aiohttp.test_utils import TestServer, unused_port

from pullkeeper.adapters.kubernetes.client import KubeClient, connect
from pullkeeper.adapters.kubernetes.kube_config import KubeConfig
from pullkeeper.adapters.kubernetes.login import ConnectionInfo, Login
from pullkeeper.adapters.kubernetes.session import open_session
from pullkeeper.domain.errors.failures import FailureError, NotLeadingError, Reason
from pullkeeper.domain.kube.api import METADATA, Response
from tests.unit.adapters.connection_harness import connection_info
from testsupport import fake_kube

pytestmark = pytest.mark.usefixtures("closed_connections")

SECRETS = "/api/v1/secrets"
TOKEN = "fake-token-of-the-controller"
EVENT = b'{"type": "ADDED", "object": {}}\n'
INFO = connection_info("http://localhost", authorization=f"Bearer {TOKEN}")


class Config(KubeConfig):
    """Credentials that a test sets."""

    def __init__(self, info: ConnectionInfo) -> None:
        super().__init__(Mock(spec=Login))
        self.info = info

    async def connection_info(self) -> ConnectionInfo:
        return self.info


@dataclass(kw_only=True)
class Stage:
    """A server that responds with one body, and a client of it."""

    client: KubeClient
    config: Config
    requests: list[web.Request] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)
    recorded: list[tuple[str, str, int]] = field(default_factory=list)
    status: int = 200
    ready: int = 200
    """What /readyz answers."""
    body: bytes = b"{}"
    silent: bool = False
    """Keep the response open after the body."""


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async def handle(request: web.Request) -> web.StreamResponse:
        shown.requests.append(request)
        shown.bodies.append(await request.text())
        response = web.StreamResponse(status=shown.ready if request.path == "/readyz" else shown.status)
        await response.prepare(request)
        await response.write(shown.body)
        if shown.silent:
            await asyncio.sleep(60)
        return response

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handle)
    async with TestServer(application) as server:
        recorded: list[tuple[str, str, int]] = []
        config = Config(replace(INFO, server=str(server.make_url("")).rstrip("/")))

        def record(*request: Any) -> None:
            recorded.append(request)

        client = KubeClient(config, open_session(config.info), record_request=record)
        shown = Stage(client=client, config=config, recorded=recorded)
        yield shown
        await client.close()


async def events(stage: Stage, *, idle_timeout: float = 5) -> list[Any]:
    async with stage.client.stream(
        SECRETS, query={"watch": "true"}, accept=METADATA, idle_timeout=idle_timeout
    ) as stream:
        return [event async for event in stream]


async def test_request_carries_what_the_caller_passes(stage: Stage) -> None:
    """Query, media types and the body as JSON, whatever its content type; the User-Agent names the replica."""
    stage.body = b'{"kind": "Secret"}'
    response = await stage.client.request(
        "patch",
        f"{SECRETS}/one",
        query={"fieldManager": "a+b=c&d"},
        body=[{"op": "test"}],
        content_type="application/json-patch+json",
        accept=METADATA,
    )
    assert (response.status, response.body) == (200, {"kind": "Secret"})
    (request,) = stage.requests
    assert (request.method, request.path, dict(request.query)) == (
        "PATCH",
        f"{SECRETS}/one",
        {"fieldManager": "a+b=c&d"},
    )
    assert (request.headers["Content-Type"], request.headers["Accept"]) == ("application/json-patch+json", METADATA)
    assert request.headers["User-Agent"].startswith("pullkeeper/")
    assert stage.bodies == ['[{"op": "test"}]']


async def test_quoted_name_stays_one_segment_of_the_path(stage: Stage) -> None:
    """A name from an annotation cannot address another object."""
    await stage.client.request("get", "/api/v1/namespaces/a/serviceaccounts/..%2F..%2Fb%3Fc%23d")
    assert stage.requests[0].raw_path == "/api/v1/namespaces/a/serviceaccounts/..%2F..%2Fb%3Fc%23d"


async def test_every_request_carries_the_current_token(stage: Stage) -> None:
    """The kubelet replaces the token while the session lives."""
    await stage.client.request("get", "/version")
    stage.config.info = replace(stage.config.info, authorization="Bearer renewed")
    await stage.client.request("get", "/version")
    await events(stage)
    sent = [request.headers["Authorization"] for request in stage.requests]
    assert sent == [f"Bearer {TOKEN}", "Bearer renewed", "Bearer renewed"]


async def test_session_for_another_library_is_authenticated_and_counted(stage: Stage) -> None:
    """Kopf's requests leave through such a session."""
    info = replace(stage.config.info, authorization="Bearer other")
    async with stage.client.new_session(info) as session, session.get(f"{info.server}{SECRETS}"):
        pass
    assert stage.requests[0].headers["Authorization"] == "Bearer other"
    assert stage.recorded == [("list", "secrets", 200)]


@pytest.mark.parametrize("verb", ["create", "patch", "delete"])
async def test_writes_of_a_replica_that_does_not_lead_are_not_sent(stage: Stage, verb: str) -> None:
    """The gate closes and opens with leadership, and holds for the gated client only."""
    leading = False
    gated = stage.client.leader_gated(lambda: leading)
    with pytest.raises(NotLeadingError):
        await gated.request(verb, SECRETS, body={})
    assert stage.requests == stage.recorded == []
    await gated.request("list", SECRETS)
    await stage.client.request(verb, SECRETS, body={})
    leading = True
    await gated.request(verb, SECRETS, body={})
    assert len(stage.requests) == 3


async def test_leadership_is_checked_when_the_connection_is_open(stage: Stage) -> None:
    """A process may be frozen while it connects; nothing of the write is sent once it leads no more."""
    answers = iter([True, False])
    gated = stage.client.leader_gated(lambda: next(answers))
    with pytest.raises(NotLeadingError):
        await gated.request("patch", SECRETS, body={})
    assert (stage.requests, stage.bodies) == ([], [])
    assert next(answers, None) is None, "it was not asked again after connecting"


async def test_leadership_is_checked_after_the_token_is_read(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading a token may take a while, in which leadership may be lost."""
    leading = True

    async def lose_leadership() -> ConnectionInfo:
        nonlocal leading
        leading = False
        return stage.config.info

    monkeypatch.setattr(stage.config, "connection_info", lose_leadership)
    with pytest.raises(NotLeadingError):
        await stage.client.leader_gated(lambda: leading).request("create", SECRETS, body={})
    assert stage.requests == []


async def test_error_without_json_is_a_response(stage: Stage) -> None:
    """A proxy on the way answers in HTML; the status says enough."""
    stage.status, stage.body = 503, b"<html>"
    assert await stage.client.request("get", "/version") == Response(status=503, body={})


async def test_success_without_json_is_a_failure(stage: Stage) -> None:
    """The failure does not quote what was received, which may be a Secret."""
    stage.body = b"hush"
    with pytest.raises(FailureError) as raised:
        await stage.client.request("get", "/version")
    assert raised.value.failure.reason is Reason.KUBERNETES_UNAVAILABLE
    assert "hush" not in str(raised.value)


async def test_unreachable_server_is_a_failure_that_names_it(stage: Stage) -> None:
    """It is counted with status 0."""
    server = f"http://127.0.0.1:{unused_port()}"
    stage.config.info = replace(stage.config.info, server=server)
    with pytest.raises(FailureError, match=f"the API server at {server} cannot be reached: ClientConnectorError"):
        await stage.client.request("list", SECRETS)
    assert stage.recorded == [("list", "secrets", 0)]


async def test_stream_yields_events_up_to_the_last_complete_line(stage: Stage) -> None:
    """A connection that breaks within a line ends the stream like any other end."""
    stage.body = EVENT * 2 + EVENT[:10]
    assert await events(stage) == [{"type": "ADDED", "object": {}}] * 2


async def test_stream_takes_long_lines(stage: Stage) -> None:
    """One event may hold an object of the largest size that etcd stores."""
    stage.body = b'{"type": "ADDED", "object": "' + b"x" * 1_500_000 + b'"}\n'
    assert len((await events(stage))[0]["object"]) == 1_500_000


async def test_stream_without_data_is_a_failure(stage: Stage) -> None:
    """A load balancer that forgets a connection closes nothing."""
    stage.body, stage.silent = EVENT, True
    with pytest.raises(FailureError):
        await events(stage, idle_timeout=0.1)


async def test_refused_stream_yields_an_error_event(stage: Stage) -> None:
    """The API server reports an expired watch by either of the two."""
    stage.status = 410
    assert await events(stage) == [{"type": "ERROR", "object": {"code": 410}}]


@pytest.mark.parametrize(
    ("verb", "path", "resource"),
    [
        ("get", "/version", "discovery"),
        ("list", "/api/v1/namespaces", "namespaces"),
        ("get", "/api/v1/namespaces/a", "namespaces"),
        ("list", "/api/v1/namespaces/a/secrets", "secrets"),
        ("patch", "/api/v1/namespaces/a/secrets/b", "secrets"),
        ("delete", "/api/v1/namespaces/a/secrets/b", "secrets"),
        ("create", "/api/v1/namespaces/a/serviceaccounts/b/token", "serviceaccounts"),
        ("create", "/apis/events.k8s.io/v1/namespaces/a/events", "events"),
        ("get", "/apis/coordination.k8s.io/v1/namespaces/a/leases/b", "leases"),
        ("get", "/api/v1/watch/namespaces/a", "namespaces"),
    ],
)
async def test_requests_are_counted_by_verb_and_resource(stage: Stage, verb: str, path: str, resource: str) -> None:
    """Each request is counted once, with the status of its response."""
    stage.status = 403
    await stage.client.request(verb, path)
    assert stage.recorded[0] == (verb, resource, 403)


async def test_watch_is_counted(stage: Stage) -> None:
    """It is told from a list by its query."""
    await events(stage)
    assert stage.recorded == [("watch", "secrets", 200)]


def test_credentials_do_not_show() -> None:
    """Neither a token nor the password of a proxy."""
    info = replace(INFO, proxy="http://user:hush@proxy")
    assert TOKEN not in repr(info)
    assert "hush" not in repr(info)


@pytest.mark.parametrize(("name", "valid"), [("kubernetes", True), ("elsewhere", False)])
async def test_certificate_is_verified_against_the_tls_server_name(tmp_path: Path, name: str, *, valid: bool) -> None:
    """A kubeconfig names it where the server's address is not in its certificate; sessions for kopf heed it too."""
    async with fake_kube.serve() as server:
        kubeconfig = server.kubeconfig()
        kubeconfig["clusters"][0]["cluster"]["tls-server-name"] = name
        (tmp_path / "kubeconfig").write_text(json.dumps(kubeconfig))
        codes: list[int] = []
        client = await connect(
            kubeconfig=str(tmp_path / "kubeconfig"), record_request=lambda _verb, _resource, code: codes.append(code)
        )
        info = await client.connection_info()
        with nullcontext() if valid else pytest.raises(FailureError):
            await client.request("get", "/version")
        with nullcontext() if valid else pytest.raises(ClientConnectorCertificateError):
            async with client.new_session(info) as session, session.get(f"{info.server}/version"):
                pass
        await client.close()
    assert codes == [200 if valid else 0] * 2


MISSING_RIGHT = json.dumps({"message": 'secrets is forbidden: User "u" cannot list resource "secrets"'}).encode()
QUOTA = json.dumps({"message": 'secrets "pull" is forbidden: exceeded quota: q, requested: secrets=1'}).encode()


@pytest.mark.parametrize("ready", [403, 500, 503])
async def test_denial_of_a_starting_api_server_is_no_missing_right(stage: Stage, ready: int) -> None:
    """Until it has read the Roles it denies everything, so that it would be wrong to advise a grant."""
    stage.status, stage.body, stage.ready = 403, MISSING_RIGHT, ready
    with pytest.raises(FailureError, match=f"it is starting, .* answers with status {ready}") as raised:
        await stage.client.request("list", SECRETS)
    assert raised.value.failure.reason is Reason.KUBERNETES_UNAVAILABLE
    assert "grant" not in str(raised.value)


@pytest.mark.parametrize(
    ("body", "ready", "asked"), [(MISSING_RIGHT, 200, 1), (MISSING_RIGHT, 404, 1), (QUOTA, 500, 0)]
)
async def test_denial_of_one_that_is_ready_is_handed_on(stage: Stage, body: bytes, ready: int, asked: int) -> None:
    """Also where a proxy knows no /readyz; what a quota or a webhook refuses has nothing to do with it."""
    stage.status, stage.body, stage.ready = 403, body, ready
    assert (await stage.client.request("list", SECRETS)).status == 403
    assert [request.path for request in stage.requests].count("/readyz") == asked
