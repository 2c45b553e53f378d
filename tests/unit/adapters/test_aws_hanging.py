"""Sources of credentials and endpoints that hang: who waits for them, for how long, and what is reported."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from selectors import DefaultSelector, SelectorKey

import pytest
from botocore.config import Config

from pullkeeper.adapters.aws import clients, credential_process, credentials, ecr
from pullkeeper.domain.errors.failures import Reason
from pullkeeper.domain.iam.identity import CONTROLLER, service_account
from pullkeeper.tokens import call_queue
from tests.unit.adapters.identity_harness import OWN, IdentityHarness, as_role, identity_harness
from testsupport.waiting import HANG_GUARD, until

PULLER = replace(service_account("team-a", "puller"), uid="uid-1", role_arn=OWN, audience="sts.amazonaws.com")
DEADLINE = credentials.SECONDS


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch) -> Iterator[IdentityHarness]:
    """Serve AWS; no deadline passes but the one that a test shortens, for what hangs and for nothing else."""
    monkeypatch.setattr(call_queue, "_INTERVAL", 0.0)
    monkeypatch.setattr(credentials, "SECONDS", HANG_GUARD)
    monkeypatch.setattr(ecr, "_SECONDS", HANG_GUARD)
    monkeypatch.setattr(clients, "CLIENT_CONFIG", clients.CLIENT_CONFIG.merge(Config(read_timeout=HANG_GUARD)))
    with identity_harness(monkeypatch) as built:
        yield built


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


class Patience:
    """Gives a program all the time that it asks for until `ends`, and then none."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ends = threading.Event()
        self.seconds = 0.0
        patience = self

        class Selector(DefaultSelector):
            def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
                patience.seconds = max(patience.seconds, timeout or 0)
                patience.ends.wait(HANG_GUARD)
                return super().select(0)

        monkeypatch.setattr(credential_process, "DefaultSelector", Selector)


async def test_credential_process_that_hangs_is_killed(
    harness: IdentityHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its children; its failure says so, and an identity that does not need it is served meanwhile."""
    patience = Patience(monkeypatch)
    script, child, parent = (tmp_path / name for name in ("give", "child", "parent"))
    script.write_text(f"sleep 3600 & echo $! > {child}; echo $$ > {parent}; wait\n")
    use_process(harness, f"sh {script}", tmp_path)
    failing = asyncio.gather(*(harness.failure(identity) for identity in (CONTROLLER, as_role())))
    assert (await harness.fetch(PULLER)).role_arn == OWN

    async def runs() -> bool:
        return parent.exists() and parent.read_text().endswith("\n")

    await until(runs, "the program and its child to run")
    assert not failing.done()
    patience.ends.set()
    for found in await failing:
        assert found.reason is Reason.CREDENTIALS_TIMEOUT
        assert "check the credential_process of the profile" in found.message
    pids = [int(name.read_text()) for name in (child, parent)]

    async def ended() -> bool:
        return not any(map(is_running, pids))

    # The signal has been sent; the child, which nobody waits for, ends when it gets a turn.
    await until(ended, "the program and its child to end")
    assert 0 < patience.seconds <= credential_process.SECONDS < DEADLINE


@pytest.mark.parametrize(
    "script", ["sleep 3600 & echo $! > {}", "echo $$ > {}; exec yes >&2", "echo $$ > {}; exec >&- 2>&-; sleep 3600"]
)
async def test_a_program_is_killed_at_its_deadline(
    harness: IdentityHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    """A child that holds its output open after its end, one that never ends to complain, one that closed its output."""
    pid = tmp_path / "pid"
    monkeypatch.setattr(credential_process, "monotonic", _time_until(pid).__next__)
    (tmp_path / "give").write_text(script.format(pid))
    use_process(harness, f"sh {tmp_path}/give", tmp_path)
    assert (await harness.failure()).reason is Reason.CREDENTIALS_TIMEOUT

    async def ended() -> bool:
        return not is_running(int(pid.read_text()))

    await until(ended, "the program to end")


def _time_until(file: Path) -> Iterator[float]:
    """Tell a time that stands until there is a line in the file, and then is nearly over, and then is."""
    yield 0.0
    while not file.exists() or not file.read_text().endswith("\n"):
        threading.Event().wait(0.01)
    yield credential_process.SECONDS - 0.05
    while True:
        yield credential_process.SECONDS


def is_running(pid: int) -> bool:
    """Whether a process lives; a killed one that nobody has reaped yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except FileNotFoundError:
        return False


async def test_credentials_that_drip_end_at_the_deadline(
    harness: IdentityHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent's answer never ends: no read times out, and the deadline does."""
    (tmp_path / "token").write_text("token")
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n{"
    with dripping(head) as url:
        harness.configure(
            harness.aws.environment(container_token_file=str(tmp_path / "token"))
            | {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}/v1/credentials"}
        )
        with monkeypatch.context() as patch:
            patch.setattr(credentials, "SECONDS", 1.0)
            failing = (harness.failure(CONTROLLER, region) for region in ("eu-west-1", "us-west-2"))
            found = await asyncio.gather(*failing)
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


async def test_answer_of_ecr_that_drips_ends_at_the_deadline(
    harness: IdentityHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The failure names who was asked."""
    with dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n{") as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_ECR", url)
        monkeypatch.setattr(ecr, "_SECONDS", 4.0)
        found = await harness.failure()
        assert found.reason is Reason.NETWORK_UNREACHABLE
        assert f"no complete answer within 4 s from ECR at {url.removeprefix('http://')}" in found.message


async def test_identities_in_a_hanging_region_delay_no_other_region(harness: IdentityHarness) -> None:
    """They hold the slots of their region only, and those alone are asked for there."""
    roles = [as_role(session_tags=True, namespace=f"team-{number}") for number in range(12)]
    for role in roles:
        await harness.fetch(role, "us-west-2")
    hang = harness.aws.hang(region="eu-west-1", service="ecr")
    hanging = [asyncio.create_task(harness.fetch(role, "eu-west-1")) for role in roles]
    for _ in range(call_queue.MAX_CONCURRENT):
        assert await asyncio.to_thread(hang.wait_played)
    for role in roles:
        await harness.fetch(role, "us-east-1")
    assert not any(task.done() for task in hanging)
    assert hang.played == call_queue.MAX_CONCURRENT
    hang.clear()
    assert {each.region for each in await asyncio.gather(*hanging)} == {"eu-west-1"}
