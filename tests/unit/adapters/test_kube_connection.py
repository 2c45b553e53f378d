"""The connection to the API server: certificates of any shape, rotated CAs, proxies, silence, credentials that end."""

import errno
import json
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from pullkeeper.adapters.kubernetes import kube_config
from pullkeeper.adapters.kubernetes.client import KubeClient, connect
from pullkeeper.adapters.kubernetes.connection_errors import explain
from pullkeeper.adapters.kubernetes.kube_config import SERVICE_ACCOUNT_VARIABLE
from pullkeeper.domain.errors.failures import FailureError
from tests.unit.adapters.connection_harness import connection_info
from testsupport.strict_tls import be_strict
from testsupport.tls_shapes import SHAPES, Authority, Shape

pytestmark = pytest.mark.usefixtures("closed_connections")

ELSEWHERE = "http://127.0.0.1:9"
"""A proxy at which nothing listens."""


class Server:
    """An HTTPS server on 127.0.0.1."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        """The Authorization of each request."""
        self.accepted: str | None = None
        """The only one that is not answered with 401; None for any."""
        self.port = 0

    async def handle(self, request: web.Request) -> web.Response:
        self.sent.append(request.headers.get("Authorization", ""))
        status = 200 if self.accepted in (None, self.sent[-1]) else 401
        return web.json_response({"kind": "Status"}, status=status)


@asynccontextmanager
async def serving(context: ssl.SSLContext | None, port: int = 0) -> AsyncIterator[Server]:
    found = Server()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", found.handle)
    server = TestServer(application, host="127.0.0.1", port=port)
    await server.start_server(ssl=context)
    found.port = server.port or 0
    try:
        yield found
    finally:
        await server.close()


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the directory that a pod's token and CA certificate are mounted at."""
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv(SERVICE_ACCOUNT_VARIABLE, str(tmp_path))
    (tmp_path / "token").write_text("fake-token")
    return tmp_path


async def connected(server: Server, monkeypatch: pytest.MonkeyPatch, **arguments: Any) -> KubeClient:
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(server.port))
    return await connect(**{"kubeconfig": None, "record_request": lambda *_: None, **arguments})


async def status(client: KubeClient) -> int:
    return (await client.request("get", "/version")).status


async def failure(client: KubeClient) -> str:
    with pytest.raises(FailureError) as raised:
        await client.request("get", "/version")
    return raised.value.failure.message


@pytest.mark.parametrize("shape", SHAPES)
async def test_certificates_of_every_shape_are_accepted(pod: Path, monkeypatch: pytest.MonkeyPatch, shape: str) -> None:
    """Python 3.13 refuses those that old tools made; chain and name are verified all the same."""
    authority = Authority(pod, SHAPES[shape])
    (pod / "ca.crt").write_bytes(authority.pem)
    be_strict(monkeypatch)
    async with serving(authority.server_context()) as server:
        client = await connected(server, monkeypatch)
        assert await status(client) == 200
        info = await client.connection_info()
        async with client.new_session(info) as session, session.get(f"{info.server}/version") as response:
            assert response.status == 200
        await client.close()


def test_python_refuses_what_old_tools_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So the shapes above are what they claim to be."""
    be_strict(monkeypatch)
    for shape in SHAPES.values():
        authority = Authority(tmp_path, shape)
        context = ssl.create_default_context(cadata=authority.pem.decode())
        assert _refuses(authority.server_context(), context) == (shape != Shape())


def _refuses(server: ssl.SSLContext, client: ssl.SSLContext) -> bool:
    """Shake hands in memory; return whether the client refuses the certificate."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname="127.0.0.1"),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for end in (*ends, *ends):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLCertVerificationError:
            return True
    return False


async def test_certificate_of_another_ca_is_refused_with_its_cause(pod: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names what was not verified, and which CAs are trusted."""
    (pod / "ca.crt").write_bytes(Authority(pod, name="another").pem)
    async with serving(Authority(pod).server_context()) as server:
        client = await connected(server, monkeypatch)
        message = await failure(client)
        await client.close()
    assert f"its certificate is not trusted by the CA certificates in {pod / 'ca.crt'}" in message
    assert "unable to get local issuer certificate" in message
    assert server.sent == []


async def test_rotated_ca_is_taken_over(pod: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """First the old and the new one, then the new one alone; in the sessions of kopf as well."""
    old, new = Authority(pod, name="old"), Authority(pod, name="new")
    (pod / "ca.crt").write_bytes(old.pem)
    async with serving(old.server_context()) as server:
        client = await connected(server, monkeypatch)
        info = await client.connection_info()
        session = client.new_session(info)
        assert await status(client) == 200
        port = server.port
    async with serving(new.server_context(), port):
        assert "not trusted" in await failure(client)
        (pod / "ca.crt").write_bytes(old.pem + new.pem)
        assert await status(client) == 200
        async with session.get(f"{info.server}/version") as response:
            assert response.status == 200
    await session.close()
    await client.close()


async def test_ca_that_cannot_be_read_changes_nothing(pod: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a moment, while the kubelet replaces it, or for longer."""
    authority = Authority(pod)
    (pod / "ca.crt").write_bytes(authority.pem)
    async with serving(authority.server_context()) as server:
        client = await connected(server, monkeypatch)
        port = server.port
    (pod / "ca.crt").write_bytes(b"-----BEGIN CERTIFICATE-----\nhalf")
    async with serving(authority.server_context(), port):
        assert await status(client) == 200
    (pod / "ca.crt").unlink()
    async with serving(authority.server_context(), port):
        assert await status(client) == 200
    await client.close()


async def test_api_server_of_the_pod_is_never_proxied(pod: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does `~/.netrc` matter, whose `default` entry would replace the token."""
    authority = Authority(pod)
    (pod / "ca.crt").write_bytes(authority.pem)
    (pod / "netrc").write_text("default login somebody password else\n")
    for name, value in (("HTTPS_PROXY", ELSEWHERE), ("https_proxy", ELSEWHERE), ("NETRC", str(pod / "netrc"))):
        monkeypatch.setenv(name, value)
    async with serving(authority.server_context()) as server:
        monkeypatch.setattr("pullkeeper.domain.proxy._is_local", lambda _: False)
        client = await connected(server, monkeypatch)
        assert await status(client) == 200
        await client.close()
    assert server.sent == ["Bearer fake-token"]


def kubeconfig(folder: Path, server: str, **user: Any) -> str:
    path = folder / "kubeconfig"
    content = {
        "clusters": [{"name": "a", "cluster": {"server": server}}],
        "users": [{"name": "a", "user": user}],
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        "current-context": "a",
    }
    path.write_text(yaml.safe_dump(content))
    return str(path)


@pytest.mark.parametrize(("no_proxy", "proxied"), [("", True), ("10.96.0.0/12", False), ("10.0.0.0/16", True)])
async def test_networks_in_no_proxy_are_heeded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_proxy: str, *, proxied: bool
) -> None:
    """A kubeconfig's server is proxied like any other."""
    for name, value in (("https_proxy", "http://user:hush@proxy:3128"), ("no_proxy", no_proxy)):
        monkeypatch.setenv(name, value)
    path = kubeconfig(tmp_path, "https://10.96.0.1:6443", token="fake")
    info = await (await kube_config.load_config(kubeconfig=path, context=None)).connection_info()
    assert info.proxy == ("http://user:hush@proxy:3128" if proxied else None)


async def test_proxy_that_cannot_be_reached_is_named_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says where to look."""
    monkeypatch.setenv("http_proxy", f"http://user:hush@127.0.0.1:{unused_port()}")
    path = kubeconfig(tmp_path, "http://10.96.0.1:6443", token="fake")
    client = await connect(kubeconfig=path, record_request=lambda *_: None)
    message = await failure(client)
    await client.close()
    assert "the proxy 127.0.0.1:" in message
    assert "check HTTPS_PROXY and NO_PROXY" in message
    assert "hush" not in message


async def test_closed_port_is_a_cause_of_its_own(tmp_path: Path) -> None:
    """Unlike a name that cannot be resolved, or a firewall that drops packets."""
    path = kubeconfig(tmp_path, f"http://127.0.0.1:{unused_port()}", token="fake")
    client = await connect(kubeconfig=path, record_request=lambda *_: None)
    assert "nothing listens there" in await failure(client)
    await client.close()


async def test_silent_connections_are_probed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within half a minute: idle time and all probes, or data that nobody acknowledges."""
    opened: list[socket.socket] = []
    create = socket.socket

    def record(*arguments: Any, **options: Any) -> socket.socket:
        opened.append(create(*arguments, **options))
        return opened[-1]

    async with serving(None) as server:
        path = kubeconfig(tmp_path, f"http://127.0.0.1:{server.port}", token="fake")
        client = await connect(kubeconfig=path, record_request=lambda *_: None)
        monkeypatch.setattr("pullkeeper.adapters.kubernetes.session.socket.socket", record)
        await status(client)
        monkeypatch.undo()
        one = next(each for each in opened if each.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
        idle, interval, probes, unacknowledged = (
            one.getsockopt(socket.IPPROTO_TCP, option)
            for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
        )
        assert idle + interval * probes <= 30
        assert unacknowledged <= 30_000
        await client.close()


def plugin(folder: Path, **status: Any) -> dict[str, Any]:
    """Return a user whose exec plugin issues `token-1`, `token-2` and so on."""
    script = folder / "plugin.py"
    script.write_text(f"""
import json, pathlib
count = pathlib.Path({str(folder / "count")!r})
number = int(count.read_text()) + 1 if count.exists() else 1
count.write_text(str(number))
status = {{**json.loads({json.dumps(json.dumps(status))}), "token": f"token-{{number}}"}}
print(json.dumps({{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}}))
""")
    return {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": "python3",
            "args": [str(script)],
            "interactiveMode": "Never",
        }
    }


@pytest.mark.parametrize(("left", "tokens"), [(timedelta(hours=1), 1), (timedelta(seconds=30), 2)])
async def test_exec_plugin_is_asked_again_before_its_token_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: timedelta, tokens: int
) -> None:
    """And not before that."""
    monkeypatch.setattr(kube_config, "_RELOAD_INTERVAL", 0.0)
    async with serving(None) as server:
        ends = f"{datetime.now(UTC) + left:%Y-%m-%dT%H:%M:%SZ}"
        path = kubeconfig(tmp_path, f"http://127.0.0.1:{server.port}", **plugin(tmp_path, expirationTimestamp=ends))
        client = await connect(kubeconfig=path, record_request=lambda *_: None)
        await status(client)
        await client.close()
    assert server.sent[-1] == f"Bearer token-{(tmp_path / 'count').read_text()}"
    assert (server.sent[-1] != "Bearer token-1") is (tokens > 1)


async def test_rejected_credentials_are_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin that does not say when its token ends is asked again after a 401, at most once per interval."""
    async with serving(None) as server:
        server.accepted = "Bearer token-2"
        path = kubeconfig(tmp_path, f"http://127.0.0.1:{server.port}", **plugin(tmp_path))
        client = await connect(kubeconfig=path, record_request=lambda *_: None)
        assert [await status(client) for _ in range(3)] == [401] * 3
        monkeypatch.setattr(kube_config, "_RELOAD_INTERVAL", 0.0)
        assert await status(client) == 200
        await client.close()
    assert server.sent == ["Bearer token-1"] * 3 + ["Bearer token-2"]


@pytest.mark.parametrize("content", [None, "", "127.0.0.1 localhost\n", "[]", "a: [", "a: 1\n", "\x00\x01"])
async def test_file_that_is_no_kubeconfig_is_one_clear_line(tmp_path: Path, content: str | None) -> None:
    """Whatever the library makes of it, the message has the path and what to do, and no traceback."""
    path = tmp_path / "kubeconfig"
    if content is not None:
        path.write_text(content)
    with pytest.raises(FailureError) as raised:
        await kube_config.load_config(kubeconfig=str(path), context=None)
    message = raised.value.failure.message
    assert message.startswith(f"cannot log in to a Kubernetes API server with {path}: ")
    assert message.isprintable()
    assert len(message) < 500


async def test_lists_may_take_as_long_as_the_api_server_allows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own limit is a minute by default; other requests are small, and given up sooner."""
    limits: dict[str, float | None] = {}
    async with serving(None) as server:
        path = kubeconfig(tmp_path, f"http://127.0.0.1:{server.port}", token="fake")
        client = await connect(kubeconfig=path, record_request=lambda *_: None)
        send = aiohttp.ClientSession._request  # noqa: SLF001 -- every request passes it

        async def record(self: aiohttp.ClientSession, method: str, url: str, **options: Any) -> Any:
            limits[method + url.rpartition("/")[2]] = options["timeout"].total
            return await send(self, method, url, **options)

        monkeypatch.setattr(aiohttp.ClientSession, "_request", record)
        await client.request("list", "/api/v1/secrets")
        await client.request("get", "/version")
        await client.close()
    assert (limits["GETsecrets"] or 0) > 60 > (limits["GETversion"] or 0) > 0


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (aiohttp.ClientPayloadError("not completed. TimeoutError(110, 'Connection timed out')"), "no answer in time"),
        (aiohttp.ClientOSError(errno.ETIMEDOUT, "Connection timed out"), "no answer in time"),
        (aiohttp.ClientPayloadError("not completed"), "the connection was broken off"),
        (aiohttp.ClientOSError(errno.ECONNRESET, "Connection reset by peer"), "the connection was broken off"),
    ],
)
def test_swallowed_connection_is_told_from_a_broken_one(error: Exception, said: str) -> None:
    """Keepalive gives it up with ETIMEDOUT, also in the middle of an answer."""
    info = connection_info("https://api.example")
    assert said in explain(error, info)
