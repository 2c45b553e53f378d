"""The registry probe against the fake: real names, TLS, a proxy, and every way of not responding."""

import asyncio
import base64
import logging
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from pullkeeper.adapters import registry
from pullkeeper.adapters.registry import RegistryProbe
from pullkeeper.domain.ecr import image_reference
from pullkeeper.domain.ecr.credential import Password
from pullkeeper.domain.ecr.manifest_answer import ManifestAnswer, ManifestResult
from pullkeeper.domain.ecr.registry_probe import Verdict
from testsupport.examples import EU, EU_OTHER_ACCOUNT, US
from testsupport.fake_aws import TOKEN_MARKER, AwsFake, serve_in_thread
from testsupport.fake_aws.clients import clients
from testsupport.fake_aws.network import Network
from testsupport.strict_tls import be_strict
from testsupport.tls_shapes import SHAPES, Authority
from testsupport.waiting import until

pytestmark = pytest.mark.usefixtures("closed_connections")

PROBE = "ProbeRegistry"


@pytest.fixture
def fake() -> Iterator[AwsFake]:
    with serve_in_thread() as running:
        yield running


@pytest.fixture
def proxy(fake: AwsFake, monkeypatch: pytest.MonkeyPatch) -> Network:
    monkeypatch.setattr(registry, "_MIN_INTERVAL", 0.0)
    for name, value in fake.network.environment.items():
        monkeypatch.setenv(name, value)
    return fake.network


def registries_asked(proxy: Network) -> list[str]:
    return [host for host in proxy.asked if ".dkr." in host]


@pytest.fixture
def probe(proxy: Network) -> RegistryProbe:
    return RegistryProbe(ca_file=proxy.ca_file)


@pytest.fixture
def token(fake: AwsFake) -> Password:
    with clients(fake) as aws:
        return Password(aws.ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"])


async def test_valid_token_is_accepted(fake: AwsFake, proxy: Network, probe: RegistryProbe, token: Password) -> None:
    """Over TLS and for every account of the region; in another region it is refused."""
    assert (await probe.probe(EU, token)).verdict is Verdict.ACCEPTED
    assert (await probe.probe(EU_OTHER_ACCOUNT, token)).verdict is Verdict.ACCEPTED
    assert (await probe.probe(US, token)).verdict is Verdict.REJECTED
    assert registries_asked(proxy) == [host.name for host in (EU, EU_OTHER_ACCOUNT, US)]
    assert [call.host for call in fake.calls if call.operation == PROBE] == registries_asked(proxy)


@pytest.mark.parametrize("shape", SHAPES)
async def test_proxies_that_look_into_tls_may_have_a_ca_of_any_shape(
    proxy: Network, token: Password, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: str
) -> None:
    """Python 3.13 refuses those that old tools made; another CA is refused all the same."""
    be_strict(monkeypatch)
    known, unknown = Authority(tmp_path, SHAPES[shape]), Authority(tmp_path, SHAPES[shape])
    (tmp_path / "ca.pem").write_bytes(known.pem)
    probe = RegistryProbe(ca_file=str(tmp_path / "ca.pem"))
    proxy.inspect(known.server_context(EU.name))
    assert (await probe.probe(EU, token)).verdict is Verdict.ACCEPTED
    proxy.inspect(unknown.server_context(EU.name))
    assert (await probe.probe(EU, token)).verdict is Verdict.UNREACHABLE


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_refusal(fake: AwsFake, probe: RegistryProbe, token: Password, status: int) -> None:
    """ECR refuses tokens with each of these statuses."""
    fake.refuse(EU.name, status)
    assert (await probe.probe(EU, token)).verdict is Verdict.REJECTED


async def test_revoked_token_is_refused(fake: AwsFake, probe: RegistryProbe, token: Password) -> None:
    """This is how an early revocation is noticed."""
    fake.revoke(token.reveal())
    assert (await probe.probe(EU, token)).verdict is Verdict.REJECTED


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_is_not_followed(
    fake: AwsFake, proxy: Network, probe: RegistryProbe, token: Password, status: int
) -> None:
    """The token is for this registry alone, and a redirect is not a refusal."""
    fake.refuse(EU.name, status)
    assert (await probe.probe(EU, token)).verdict is Verdict.UNREACHABLE
    assert registries_asked(proxy) == [EU.name]


@pytest.mark.parametrize("status", [404, 429, 500, 503])
async def test_other_status_is_not_a_refusal(fake: AwsFake, probe: RegistryProbe, token: Password, status: int) -> None:
    """Throttling and errors say nothing about the token."""
    fake.fail(status=status, operation=PROBE)
    assert (await probe.probe(EU, token)).verdict is Verdict.UNREACHABLE


async def test_response_of_a_middlebox_is_not_a_refusal(fake: AwsFake, probe: RegistryProbe, token: Password) -> None:
    """A 403 without the registry's header does not come from the registry."""
    fake.garbage("html-page", status=403, operation=PROBE)
    assert (await probe.probe(EU, token)).verdict is Verdict.UNREACHABLE


async def test_broken_connection_is_not_a_refusal(fake: AwsFake, probe: RegistryProbe, token: Password) -> None:
    """There was no response at all."""
    fake.reset(operation=PROBE)
    assert (await probe.probe(EU, token)).verdict is Verdict.UNREACHABLE


@pytest.mark.parametrize("status", [403, 407, 502])
async def test_refusal_of_the_proxy_is_not_a_refusal(
    proxy: Network, probe: RegistryProbe, token: Password, status: int
) -> None:
    """The proxy's 403 says nothing about the token, which was never sent."""
    proxy.unreachable(EU.name, status)
    assert (await probe.probe(EU, token)).verdict is Verdict.UNREACHABLE


async def test_hanging_registry_times_out(
    fake: AwsFake, probe: RegistryProbe, token: Password, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other registries are probed meanwhile."""
    monkeypatch.setattr(registry, "_TIMEOUT", aiohttp.ClientTimeout(total=2))
    fake.hang(operation=PROBE, host=EU.name)
    hanging = asyncio.create_task(probe.probe(EU, token))
    assert (await probe.probe(EU_OTHER_ACCOUNT, token)).verdict is Verdict.ACCEPTED
    assert (await hanging).verdict is Verdict.UNREACHABLE


@pytest.mark.usefixtures("proxy")
async def test_untrusted_registry_never_receives_the_token(fake: AwsFake, token: Password) -> None:
    """Without the CA there is no connection, which is not a refusal."""
    assert (await RegistryProbe(ca_file="").probe(EU, token)).verdict is Verdict.UNREACHABLE
    assert fake.probes(EU.name) == []


async def test_no_proxy_is_respected(
    proxy: Network, probe: RegistryProbe, token: Password, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing listens at the other end here."""
    monkeypatch.setenv("no_proxy", ".amazonaws.com")
    monkeypatch.setattr(registry, "_TIMEOUT", aiohttp.ClientTimeout(total=0.2))
    await probe.probe(EU, token)
    assert registries_asked(proxy) == []


async def test_proxy_without_a_scheme_counts_as_http(
    proxy: Network, probe: RegistryProbe, token: Password, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for curl and botocore."""
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, proxy.url.removeprefix("http://"))
    assert (await probe.probe(EU, token)).verdict is Verdict.ACCEPTED


async def test_netrc_is_ignored(
    probe: RegistryProbe, token: Password, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A password for the same host in ~/.netrc is neither used nor a reason to fail."""
    (tmp_path / "netrc").write_text(f"machine {EU} login AWS password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert (await probe.probe(EU, token)).verdict is Verdict.ACCEPTED


async def test_probes_of_one_registry_are_spaced(
    fake: AwsFake, probe: RegistryProbe, token: Password, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another registry does not wait for them."""
    monkeypatch.setattr(registry, "_MIN_INTERVAL", 3600.0)
    first, *others = [asyncio.create_task(probe.probe(EU, token)) for _ in range(4)]
    await probe.probe(EU_OTHER_ACCOUNT, token)
    await first
    assert len(fake.probes(EU.name)) == 1
    assert not any(task.done() for task in others)
    for task in others:
        task.cancel()
    await asyncio.wait(others)


async def test_concurrent_probes_are_bounded(
    fake: AwsFake, probe: RegistryProbe, token: Password, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of six hanging probes only two run at the same time."""
    monkeypatch.setattr(probe, "_slots", asyncio.Semaphore(2))
    hang = fake.hang(operation=PROBE)
    probes = asyncio.gather(*(probe.probe(EU, token) for _ in range(6)))

    async def hanging() -> bool:
        return fake.count(PROBE, outcome="pending") == 2

    await until(hanging, "two probes to hang")
    await asyncio.sleep(0.1)  # time for a third, if there were one
    assert len(fake.probes(EU.name)) == 2
    hang.clear()
    assert {each.verdict for each in await probes} == {Verdict.ACCEPTED}


async def test_log_holds_no_token(
    fake: AwsFake, proxy: Network, probe: RegistryProbe, token: Password, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever the registry, the proxy or the library does, no log record quotes the request."""
    caplog.set_level(logging.DEBUG)
    for fault in (fake.reset, fake.garbage):
        with_fault = fault(operation=PROBE)
        await probe.probe(EU, token)
        with_fault.clear()
    proxy.unreachable(US.name, 502)
    await probe.probe(US, token)
    plain = base64.b64decode(token.reveal()).decode()
    for record in caplog.records:
        text = f"{record.getMessage()} {record.args!r} {record.exc_info!r}"
        assert not any(secret in text for secret in (TOKEN_MARKER, token.reveal(), plain))


@pytest.mark.parametrize(
    ("content", "why"), [(None, "No such file or directory"), ("no certificates at all", "no certificate")]
)
def test_unusable_ca_file_is_reported_at_startup(tmp_path: Path, content: str | None, why: str) -> None:
    """The error names the setting, the file, what is wrong and what is expected."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(
        OSError, match=r"^registryCaFile: found .*ca\.pem.*expected a file of CA certificates"
    ) as raised:
        RegistryProbe(ca_file=str(path))
    assert why in str(raised.value)


WEB = image_reference.parse(f"{EU}/shop/web:v1")


async def test_an_image_is_asked_for(fake: AwsFake, proxy: Network, probe: RegistryProbe, token: Password) -> None:
    """The answers of a registry that takes the token, and of one that does not; a token of another region is not."""
    assert (await probe.ask_for_manifest(EU, token, WEB)).answer is ManifestAnswer.MISSING
    assert (await probe.ask_for_manifest(US, token, WEB)).answer is ManifestAnswer.REJECTED
    fake.refuse(EU.name, 403)
    assert (await probe.ask_for_manifest(EU, token, WEB)).answer is ManifestAnswer.DENIED
    assert registries_asked(proxy) == [EU.name, US.name, EU.name]


async def test_an_image_cannot_be_asked_for_through_a_certificate_that_nobody_knows(
    proxy: Network, token: Password
) -> None:
    """That is no answer, and its type is all that is said."""
    found = await RegistryProbe(ca_file="").ask_for_manifest(EU, token, WEB)
    assert found == ManifestResult(answer=ManifestAnswer.UNKNOWN, why="ClientConnectorCertificateError")
    assert proxy.asked
