"""The fake API server as its users hold it: state, history, threads, kubeconfig, tokens."""

import asyncio
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from testsupport.fake_kube import ApiServer, serve, serve_in_thread
from testsupport.waiting import HANG_GUARD

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def namespace(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def secret(**data: str) -> dict[str, Any]:
    metadata = {"name": "s", "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data}


async def status(server: ApiServer, path: str, token: str | None) -> int:
    tls = ssl.create_default_context(cafile=server.ca_file)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls)) as http,
        http.get(f"{server.url}{path}", headers=headers) as response,
    ):
        return response.status


async def test_history_has_every_version() -> None:
    """Each change is kept, with its type, time and object, the deletion too."""
    async with serve(clock=lambda: NOW) as server:
        server.state.create(secret(a="1"))
        server.state.replace(secret(a="2"))
        server.state.delete("secrets", "default", "s")
        history = server.state.history("secrets")
        assert [change.type for change in history] == ["ADDED", "MODIFIED", "DELETED"]
        assert [change.object["data"]["a"] for change in history] == ["MQ==", "Mg==", "Mg=="]
        assert {change.time for change in history} == {NOW}
        assert len({change.object["metadata"]["uid"] for change in history}) == 1
        assert server.audit_versions("namespaces", "secrets")[-3:] == history


async def test_arranged_objects_are_complete() -> None:
    """What is put straight into the store has the defaults that the API would give it."""
    async with serve() as server:
        created = server.state.create(namespace("team-a"))
        assert created["metadata"]["labels"] == {"kubernetes.io/metadata.name": "team-a"}
        assert created["status"] == {"phase": "Active"}
        assert server.state.get("serviceaccounts", "team-a", "default") is not None


async def test_termination_can_be_held_back() -> None:
    """A deleted namespace keeps its content while held, and goes with all of it afterwards."""
    async with serve() as server:
        server.state.create(namespace("team-a"))
        server.state.hold_termination = True
        gone = asyncio.Event()
        server.state.listeners.append(
            lambda resource, change: gone.set() if (resource, change.type) == ("namespaces", "DELETED") else None
        )
        tls = ssl.create_default_context(cafile=server.ca_file)
        headers = {"Authorization": f"Bearer {server.admin_token}"}
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls), headers=headers) as http:
            async with http.delete(f"{server.url}/api/v1/namespaces/team-a") as response:
                assert (await response.json())["status"] == {"phase": "Terminating"}
            async with http.post(f"{server.url}/api/v1/namespaces/team-a/secrets", json=secret()) as response:
                assert response.status == HTTPStatus.BAD_REQUEST  # it names another namespace
        assert server.state.objects("serviceaccounts", "team-a")
        server.state.hold_termination = False
        await asyncio.wait_for(gone.wait(), HANG_GUARD)
        assert not server.state.objects("serviceaccounts", "team-a")


async def test_tokens_live_as_long_as_the_clock_says() -> None:
    """A minted token is good until its time, and worthless once its account is another."""
    now = NOW
    async with serve(clock=lambda: now) as server:
        token = server.service_account_token("default", "default", lifetime=timedelta(minutes=10))
        assert await status(server, "/version", token) == HTTPStatus.OK
        assert await status(server, "/api/v1/secrets", token) == HTTPStatus.FORBIDDEN
        now += timedelta(minutes=10)
        assert await status(server, "/version", token) == HTTPStatus.UNAUTHORIZED
        assert server.requests[-1].code == HTTPStatus.UNAUTHORIZED


async def test_a_token_is_bound_to_the_account_it_was_made_for() -> None:
    """An account of the same name made anew does not revive it."""
    async with serve() as server:
        token = server.service_account_token("default", "default")
        made_anew = asyncio.Event()
        server.state.listeners.append(lambda _, change: made_anew.set() if change.type == "ADDED" else None)
        server.state.delete("serviceaccounts", "default", "default")
        await asyncio.wait_for(made_anew.wait(), HANG_GUARD)
        assert await status(server, "/version", token) == HTTPStatus.UNAUTHORIZED


async def test_without_rbac_everybody_may() -> None:
    """`rbac=False` allows everything to anybody."""
    async with serve(rbac=False) as server:
        assert await status(server, "/api/v1/secrets", None) == HTTPStatus.OK


def test_in_a_thread() -> None:
    """The server runs beside synchronous code, which may read and write its state."""
    with serve_in_thread() as server:
        server.state.create(secret(a="1"))
        request = urllib.request.Request(  # noqa: S310 -- the URL is https
            f"{server.url}/api/v1/secrets", headers={"Authorization": f"Bearer {server.admin_token}"}
        )
        tls = ssl.create_default_context(cafile=server.ca_file)
        with urllib.request.urlopen(request, context=tls) as response:  # noqa: S310 -- the URL is https
            assert b'"a":"MQ=="' in response.read()
        record = server.requests[-1]
        assert (record.user, record.verb, record.resource, record.code) == ("admin", "list", "secrets", 200)


def test_a_failure_to_start_in_a_thread_is_raised() -> None:
    """A port that is taken is an error here, not a hang."""
    with serve_in_thread() as server:
        port = int(server.url.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"), serve_in_thread(port=port):
            pass


def test_alone(tmp_path: Path) -> None:
    """The module runs by itself, says where in one line, and ends on SIGTERM."""
    kubeconfig = tmp_path / "kubeconfig"
    command = [sys.executable, "-W", "error", "-m", "testsupport.fake_kube", "--kubeconfig-out", str(kubeconfig)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        config = yaml.safe_load(kubeconfig.read_text())
        assert config["clusters"][0]["cluster"]["server"] in line
        process.terminate()
        assert process.wait(HANG_GUARD) == 0


def test_kubeconfig_names_the_credential_asked_for() -> None:
    """A token, or a file that holds one, or else the admin's."""
    with serve_in_thread() as server:
        users = [server.kubeconfig(), server.kubeconfig(token="t"), server.kubeconfig(token_file="f")]
        assert [config["users"][0]["user"] for config in users] == [
            {"token": server.admin_token},
            {"token": "t"},
            {"tokenFile": "f"},
        ]
