"""Sources of credentials and endpoints that hang: who waits for them, for how long, and what is reported."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from pullkeeper.adapters.aws import clients, credentials, ecr
from pullkeeper.domain.errors.failures import Reason
from pullkeeper.domain.iam.identity import CONTROLLER, service_account
from pullkeeper.tokens import call_queue
from tests.unit.adapters.identity_harness import OWN, IdentityHarness, as_role, identity_harness

PULLER = replace(service_account("team-a", "puller"), uid="uid-1", role_arn=OWN, audience="sts.amazonaws.com")
SHORT = 2.0


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch) -> Iterator[IdentityHarness]:
    monkeypatch.setattr(call_queue, "_INTERVAL", 0.0)
    with identity_harness(monkeypatch) as built:
        yield built


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let deadlines pass soon: virtual time does not reach threads."""
    monkeypatch.setattr(credentials, "SECONDS", SHORT)
    monkeypatch.setattr(clients, "PROCESS_SECONDS", SHORT / 2)
    monkeypatch.setattr(ecr, "_SECONDS", 2 * SHORT)


def use_process(harness: IdentityHarness, command: str, folder: Path) -> None:
    file = folder / "config"
    file.write_text(f"[profile pull]\nregion = eu-west-1\ncredential_process = {command}\n")
    environment = {key: value for key, value in harness.aws.environment().items() if "ACCESS_KEY" not in key}
    harness.configure({**environment, "AWS_CONFIG_FILE": str(file), "AWS_PROFILE": "pull"})


@contextmanager
def dripping(first: bytes) -> Iterator[str]:
    """Serve an answer that never ends, byte by byte."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ended = threading.Event()
        thread = threading.Thread(target=_drip, args=(server, first, ended), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        ended.set()
        thread.join()


def _drip(server: socket.socket, first: bytes, ended: threading.Event) -> None:
    connections = []
    server.settimeout(0.05)
    while not ended.wait(0.02):
        with suppress(OSError):
            connections.append(server.accept()[0])
            connections[-1].sendall(first)
        for connection in connections:
            with suppress(OSError):
                connection.sendall(b" ")
    for connection in connections:
        connection.close()


@pytest.mark.usefixtures("short")
async def test_credential_process_that_hangs_is_killed(harness: IdentityHarness, tmp_path: Path) -> None:
    """With its children; its failure says so, and an identity that does not need it is served meanwhile."""
    script = tmp_path / "give"
    script.write_text(f"sleep 3600 & echo $! > {tmp_path}/child; echo $$ > {tmp_path}/parent; wait\n")
    use_process(harness, f"sh {script}", tmp_path)
    failing = asyncio.gather(*(harness.failure(identity) for identity in (CONTROLLER, as_role())))
    assert (await harness.fetch(PULLER)).role_arn == OWN
    for found in await failing:
        assert found.reason is Reason.CREDENTIALS_TIMEOUT
        assert "check the credential_process of the profile" in found.message
    for name in ("child", "parent"):
        assert not is_running(int((tmp_path / name).read_text()))


def is_running(pid: int) -> bool:
    """Whether a process lives; a killed one that nobody has reaped yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except FileNotFoundError:
        return False


@pytest.mark.usefixtures("short")
async def test_credentials_that_drip_end_at_the_deadline(harness: IdentityHarness, tmp_path: Path) -> None:
    """The agent's answer never ends: no read times out, and the deadline does."""
    (tmp_path / "token").write_text("token")
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n{"
    with dripping(head) as url:
        harness.configure(
            harness.aws.environment(container_token_file=str(tmp_path / "token"))
            | {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}/v1/credentials"}
        )
        found = await asyncio.gather(*(harness.failure(CONTROLLER, region) for region in ("eu-west-1", "us-west-2")))
        assert {each.reason for each in found} == {Reason.CREDENTIALS_TIMEOUT}
        assert (await harness.fetch(PULLER)).role_arn == OWN


async def test_agent_that_hangs_is_named(
    harness: IdentityHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Botocore's own timeout tells it apart from an agent that refuses."""
    monkeypatch.setattr("botocore.utils.ContainerMetadataFetcher.TIMEOUT_SECONDS", 0.1)
    monkeypatch.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0)
    (tmp_path / "token").write_text("token")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1/credentials"
        harness.configure(
            harness.aws.environment(container_token_file=str(tmp_path / "token"))
            | {"AWS_CONTAINER_CREDENTIALS_FULL_URI": url}
        )
        found = await harness.failure()
    assert found.reason is Reason.CREDENTIALS_TIMEOUT
    assert "the Pod Identity agent of the node" in found.message


@pytest.mark.usefixtures("short")
async def test_answer_of_ecr_that_drips_ends_at_the_deadline(
    harness: IdentityHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The failure names who was asked."""
    with dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n{") as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_ECR", url)
        found = await harness.failure()
        assert found.reason is Reason.NETWORK_UNREACHABLE
        assert f"no complete answer within 4 s from ECR at {url.removeprefix('http://')}" in found.message


@pytest.mark.usefixtures("short")
async def test_identities_in_a_hanging_region_delay_no_other_region(harness: IdentityHarness) -> None:
    """They hold the slots of their region only."""
    roles = [as_role(session_tags=True, namespace=f"team-{number}") for number in range(12)]
    for role in roles:
        await harness.fetch(role, "us-west-2")
    hang = harness.aws.hang(region="eu-west-1", service="ecr")
    hanging = [asyncio.create_task(harness.failure(role, "eu-west-1")) for role in roles]
    await asyncio.to_thread(hang.wait_played)
    for role in roles:
        await harness.fetch(role, "us-east-1")
    assert not any(task.done() for task in hanging[call_queue.MAX_CONCURRENT :])
    assert {each.reason for each in await asyncio.gather(*hanging)} == {Reason.NETWORK_UNREACHABLE}
