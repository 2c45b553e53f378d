"""Small inputs of a tenant, or a source that hangs: what each costs the others, and what people are shown of it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from testsupport.command_line import kubeconfig, pullkeeper
from testsupport.fake_aws import ACCOUNT
from testsupport.installation import IRELAND, PROGRAM, VIRGINIA, Installation
from testsupport.objects import events_in, pull_secret, warning_event
from testsupport.tenant_identities import own_account

pytestmark = pytest.mark.slow

FILES, CONNECTIONS = 200, 400
REGIONS = [f"eu-north-{number}" for number in range(20, 60)]
"""Regions of a form that may exist one day."""


@dataclass
class SilentServer:
    """Accepts connections, and sends nothing or one byte now and then."""

    url: str = ""
    accepted: int = 0


@asynccontextmanager
async def silent_server(drip: bytes = b"") -> AsyncIterator[SilentServer]:
    """Serve on a free port; with `drip`, begin with it and go on byte by byte."""
    found = SilentServer()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found.accepted += 1
        with suppress(ConnectionError):
            if drip:
                await reader.readline()
                writer.write(drip)
            while not reader.at_eof():
                if drip:
                    writer.write(b" ")
                    await writer.drain()
                with suppress(TimeoutError):
                    await asyncio.wait_for(reader.read(1024), 1)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield found
    finally:
        server.close()


def _pod_identity(installation: Installation, url: str) -> Mapping[str, str]:
    (installation.folder / "agent-token").write_text("a token for the agent")
    environment = installation.aws.environment(container_token_file=str(installation.folder / "agent-token"))
    return {**environment, "AWS_CONTAINER_CREDENTIALS_FULL_URI": url}


@pytest.mark.parametrize("text", ["a," * 120_000, f"{ACCOUNT}.dkr.ecr.{'x' * 240_000}.amazonaws.com"])
async def test_annotation_of_any_size_is_one_short_event(installation: Installation, text: str) -> None:
    """And one short log line."""
    process = await installation.start()
    hostile = await installation.create_namespace(enabled="true", registries=text)
    event = await installation.event(hostile, "InvalidAnnotation")
    await installation.create_served_namespace()
    assert len(event["note"]) <= 1024
    assert max(map(len, process.text().splitlines())) < 5000


async def test_regions_that_nobody_knows_have_no_series(installation: Installation) -> None:
    """Nor do those beside them wait for them."""
    process = await installation.start()
    hosts = ",".join(f"{ACCOUNT}.dkr.ecr.{region}.amazonaws.com" for region in REGIONS)
    hostile = await installation.create_namespace(enabled="true", registries=hosts)
    await installation.event(hostile, "TokenFetchFailed")
    await installation.create_served_namespace(registries=VIRGINIA)
    metrics = await process.scrape()
    assert 'region="us-east-1"' in metrics
    assert not [region for region in REGIONS if f'"{region}' in metrics]


async def test_connections_to_the_http_port_take_no_file_from_others(installation: Installation) -> None:
    """With fewer files than there are idle connections, probes are answered and a namespace is served."""
    installation.program = ("bash", "-c", f'ulimit -n {FILES}; exec "$0" "$@"', *PROGRAM)
    process = await installation.start()
    port = process.port()
    held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS)]
    try:
        await installation.create_served_namespace()
        assert (await process.probe("/healthz"))[0] == 200
    finally:
        for _, writer in held:
            writer.close()


async def test_status_shows_nothing_of_a_forged_event_that_cannot_be(installation: Installation) -> None:
    """Control characters are escaped, and what claims to come from the future is no last warning."""
    team = await installation.create_namespace(enabled="true", registries=IRELAND)
    now = datetime.now(UTC)
    expired = {"issued-at": now - timedelta(hours=20), "expires-at": now - timedelta(hours=8)}
    times = {f"pullkeeper.dev/{key}": f"{time:%Y-%m-%dT%H:%M:%SZ}" for key, time in expired.items()}
    secret = pull_secret(installation.secret_name, annotations=times)
    (await installation.api.apply(installation.path(team), secret)).ok()
    for name, time, note in (
        ("future", now + timedelta(days=36_500), "from the future"),
        ("control", now - timedelta(minutes=1), "\x1b[2Jcleared\nanother line"),
    ):
        event = warning_event(team, name, note, at=f"{time:%Y-%m-%dT%H:%M:%S.%fZ}")
        (await installation.api.post(events_in(team), event)).ok()
    environment = {"KUBECONFIG": kubeconfig(installation)}
    arguments = ("status", "--context", "here", "-n", team, "-o", "wide")
    shown = await pullkeeper(
        installation, *arguments, "--secret-name", installation.secret_name, environment=environment
    )
    assert "cleared" in shown.out
    assert "from the future" not in shown.out
    assert "\x1b" not in shown.out
    assert "\nanother line" not in shown.out


async def test_agent_that_hangs_delays_only_those_who_need_it(installation: Installation) -> None:
    """A ServiceAccount's identity needs no credentials of the controller's."""
    await installation.allow_service_accounts("puller")
    async with silent_server() as agent:
        await installation.start(
            {"serviceAccountIdentity": {"namespaces": ["*"]}}, environment=_pod_identity(installation, agent.url)
        )
        hosts = (
            "eu-west-1",
            "eu-west-2",
            "eu-west-3",
            "eu-central-1",
            "us-east-1",
            "us-east-2",
            "us-west-1",
            "us-west-2",
        )
        names = ",".join(f"{ACCOUNT}.dkr.ecr.{region}.amazonaws.com" for region in hosts)
        await installation.create_namespace(enabled="true", registries=names)
        team = await installation.create_namespace()
        await own_account(installation, team)
        await installation.annotate(team, enabled="true", registries=IRELAND, service_account_name="puller")
        await installation.event(team, "PullSecretCreated")
        assert agent.accepted <= 3, "the agent's failure is one for all regions, and nobody else waits for it"


async def test_answer_that_never_ends_is_given_up(installation: Installation) -> None:
    """A byte now and then is no progress: the call has one deadline, and its failure is reported."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: 100000\r\n\r\n{"
    async with silent_server(answer) as endpoint:
        environment = {**installation.irsa(), "AWS_ENDPOINT_URL_ECR": endpoint.url}
        await installation.start(environment=environment)
        team = await installation.create_namespace(enabled="true")
        event = await installation.event(team, "TokenFetchFailed")
        assert "no complete answer within" in event["note"]
