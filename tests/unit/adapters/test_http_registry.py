"""The door to the registries, in front of the fake: genuine names, TLS, a proxy, and every way of not answering."""

import asyncio
import base64
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from pullkeeper.adapters import registry
from pullkeeper.adapters.registry import RegistryProbe
from pullkeeper.domain.ecr.credential import Password
from pullkeeper.domain.ecr.registry_probe import Verdict
from testsupport.examples import EU, EU_OTHER_ACCOUNT, US
from testsupport.fake_aws import TOKEN_MARKER, AwsFake, serve_in_thread
from testsupport.fake_aws.clients import clients
from testsupport.fake_aws.registry_proxy import RegistryProxy, serve_registries
from testsupport.waiting import until

PROBE = "ProbeRegistry"


@pytest.fixture
def fake() -> Iterator[AwsFake]:
    with serve_in_thread() as running:
        yield running


@pytest.fixture
async def proxy(fake: AwsFake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RegistryProxy]:
    monkeypatch.setattr(registry, "_PAUSE", 0.0)
    async with serve_registries(fake, tmp_path) as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
            monkeypatch.setenv(name.lower(), value)
        yield running


@pytest.fixture
def door(proxy: RegistryProxy) -> RegistryProbe:
    return RegistryProbe(ca_file=proxy.ca_file)


@pytest.fixture
def token(fake: AwsFake) -> Password:
    with clients(fake) as aws:
        return Password(aws.ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"])


async def test_a_good_token_is_accepted_under_the_registrys_own_name(
    fake: AwsFake, proxy: RegistryProxy, door: RegistryProbe, token: Password
) -> None:
    """Over TLS, by every account of the region; a token of another region is refused."""
    assert (await door.probe(EU, token)).verdict is Verdict.ACCEPTED
    assert (await door.probe(EU_OTHER_ACCOUNT, token)).verdict is Verdict.ACCEPTED
    assert (await door.probe(US, token)).verdict is Verdict.REJECTED
    assert proxy.asked == [host.name for host in (EU, EU_OTHER_ACCOUNT, US)]
    assert [call.host for call in fake.calls if call.operation == PROBE] == proxy.asked


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_a_refusal_is_one(fake: AwsFake, door: RegistryProbe, token: Password, status: int) -> None:
    """With each of the statuses that ECR has for it."""
    fake.refuse(EU.name, status)
    assert (await door.probe(EU, token)).verdict is Verdict.REJECTED


async def test_a_revoked_token_is_refused(fake: AwsFake, door: RegistryProbe, token: Password) -> None:
    """That is how an early death shows."""
    fake.revoke(token.reveal())
    assert (await door.probe(EU, token)).verdict is Verdict.REJECTED


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(
    fake: AwsFake, proxy: RegistryProxy, door: RegistryProbe, token: Password, status: int
) -> None:
    """The token is for this registry alone, and being sent elsewhere is no refusal."""
    fake.refuse(EU.name, status)
    assert (await door.probe(EU, token)).verdict is Verdict.UNREACHABLE
    assert proxy.asked == [EU.name]


@pytest.mark.parametrize("status", [404, 429, 500, 503])
async def test_an_answer_that_is_neither_is_no_refusal(
    fake: AwsFake, door: RegistryProbe, token: Password, status: int
) -> None:
    """Too many requests, or an error."""
    fake.fail(status=status, operation=PROBE)
    assert (await door.probe(EU, token)).verdict is Verdict.UNREACHABLE


async def test_a_page_of_somebody_on_the_way_is_no_refusal(fake: AwsFake, door: RegistryProbe, token: Password) -> None:
    """A 403 that does not bear the registry's header is not the registry's."""
    fake.garbage("html-page", status=403, operation=PROBE)
    assert (await door.probe(EU, token)).verdict is Verdict.UNREACHABLE


async def test_a_connection_that_breaks_is_no_refusal(fake: AwsFake, door: RegistryProbe, token: Password) -> None:
    """Nobody has said anything."""
    fake.reset(operation=PROBE)
    assert (await door.probe(EU, token)).verdict is Verdict.UNREACHABLE


@pytest.mark.parametrize("status", [403, 407, 502])
async def test_a_proxy_that_opens_no_tunnel_is_no_refusal(
    proxy: RegistryProxy, door: RegistryProbe, token: Password, status: int
) -> None:
    """Its own 403 is not the registry's, and the token never left."""
    proxy.closed[EU.name] = status
    assert (await door.probe(EU, token)).verdict is Verdict.UNREACHABLE


async def test_a_registry_that_hangs_is_given_up(
    fake: AwsFake, door: RegistryProbe, token: Password, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its time there is an answer, and other registries were served meanwhile."""
    monkeypatch.setattr(registry, "_LIMIT", aiohttp.ClientTimeout(total=2))
    fake.hang(operation=PROBE, host=EU.name)
    hanging = asyncio.create_task(door.probe(EU, token))
    assert (await door.probe(EU_OTHER_ACCOUNT, token)).verdict is Verdict.ACCEPTED
    assert (await hanging).verdict is Verdict.UNREACHABLE


@pytest.mark.usefixtures("proxy")
async def test_a_registry_whose_certificate_is_not_trusted_never_sees_the_token(fake: AwsFake, token: Password) -> None:
    """Without the CA the connection is not made, and that is no refusal."""
    assert (await RegistryProbe(ca_file="").probe(EU, token)).verdict is Verdict.UNREACHABLE
    assert fake.probes(EU.name) == []


async def test_hosts_that_need_no_proxy_are_asked_without(
    proxy: RegistryProxy, door: RegistryProbe, token: Password, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NO_PROXY counts; there is nobody at the other end here."""
    monkeypatch.setenv("no_proxy", ".amazonaws.com")
    monkeypatch.setattr(registry, "_LIMIT", aiohttp.ClientTimeout(total=0.2))
    await door.probe(EU, token)
    assert proxy.asked == []


async def test_a_proxy_without_its_scheme_is_taken_for_http(
    proxy: RegistryProxy, door: RegistryProbe, token: Password, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As curl and botocore take it."""
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, proxy.url.removeprefix("http://"))
    assert (await door.probe(EU, token)).verdict is Verdict.ACCEPTED


async def test_a_netrc_does_not_stand_in_the_way(
    door: RegistryProbe, token: Password, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A password for the same host that somebody keeps in ~/.netrc is not used, and is no reason to fail."""
    (tmp_path / "netrc").write_text(f"machine {EU} login AWS password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert (await door.probe(EU, token)).verdict is Verdict.ACCEPTED


async def test_one_registry_is_asked_at_its_pace(
    fake: AwsFake, door: RegistryProbe, token: Password, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests to one follow each other at a distance; another one does not wait for it."""
    monkeypatch.setattr(registry, "_PAUSE", 3600.0)
    first, *others = [asyncio.create_task(door.probe(EU, token)) for _ in range(4)]
    await door.probe(EU_OTHER_ACCOUNT, token)
    await first
    assert len(fake.probes(EU.name)) == 1
    assert not any(task.done() for task in others)
    for task in others:
        task.cancel()
    await asyncio.wait(others)


async def test_no_more_than_so_many_are_asked_at_once(
    fake: AwsFake, door: RegistryProbe, token: Password, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What hangs takes up a bounded number of connections: of six, two at once."""
    monkeypatch.setattr(door, "_slots", asyncio.Semaphore(2))
    hang = fake.hang(operation=PROBE)
    probes = asyncio.gather(*(door.probe(EU, token) for _ in range(6)))

    async def hanging() -> bool:
        return fake.count(PROBE, outcome="pending") == 2

    await until(hanging, "two probes to hang")
    await asyncio.sleep(0.1)  # time for a third, if there were one
    assert len(fake.probes(EU.name)) == 2
    hang.clear()
    assert {each.verdict for each in await probes} == {Verdict.ACCEPTED}


async def test_nothing_that_goes_wrong_shows_the_token(
    fake: AwsFake, proxy: RegistryProxy, door: RegistryProbe, token: Password, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever the registry, the proxy or the library does, no log line quotes the request."""
    caplog.set_level(logging.DEBUG)
    for fault in (fake.reset, fake.garbage):
        with_fault = fault(operation=PROBE)
        await door.probe(EU, token)
        with_fault.clear()
    proxy.closed[US.name] = 502
    await door.probe(US, token)
    plain = base64.b64decode(token.reveal()).decode()
    for record in caplog.records:
        text = f"{record.getMessage()} {record.args!r} {record.exc_info!r}"
        assert not any(secret in text for secret in (TOKEN_MARKER, token.reveal(), plain))


@pytest.mark.parametrize(
    ("content", "why"), [(None, "No such file or directory"), ("no certificates at all", "no certificate")]
)
def test_a_bundle_that_cannot_be_used_is_said_at_the_start(tmp_path: Path, content: str | None, why: str) -> None:
    """The setting, the file, what is wrong with it and what it should be."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(
        OSError, match=r"^registryCaFile: found .*ca\.pem.*expected a file of CA certificates"
    ) as raised:
        RegistryProbe(ca_file=str(path))
    assert why in str(raised.value)
