"""What anybody can fetch of an issuer, from a real server over TLS."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pullkeeper.adapters import oidc_discovery
from pullkeeper.adapters.oidc_discovery import MAX_LENGTH, UnreachableIssuerError, WrongIssuerError, fetch_keys
from testsupport.fake_aws.issuer import Issuer
from testsupport.published_issuer import DOCUMENT, KEYS, MOVED, PublishedIssuer, published_issuer, tunnelling_proxy
from testsupport.tls_shapes import Authority

pytestmark = pytest.mark.usefixtures("closed_connections")


@pytest.fixture
async def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[PublishedIssuer]:
    async with published_issuer(tmp_path, monkeypatch) as running:
        yield running


async def test_the_key_set_is_found_by_the_discovery_document(published: PublishedIssuer) -> None:
    """Two requests, which take what is not compressed; the name's addresses are remembered."""
    found = await fetch_keys(published.url)
    assert [key.key_id for key in found.keys] == ["key-1"]
    assert found.addresses == {"127.0.0.1"}
    assert [request.path for request in published.requests] == [DOCUMENT, KEYS]
    assert {request.headers["Accept-Encoding"] for request in published.requests} == {"identity"}


async def test_a_slash_at_the_end_of_the_issuer_is_not_doubled(published: PublishedIssuer) -> None:
    """As AKS has it; the document names the issuer with its slash."""
    published.serve(issuer=f"{published.url}/")
    await fetch_keys(f"{published.url}/")
    assert published.requests[0].path == DOCUMENT


WRONG: list[tuple[str, str, int, str]] = [
    (DOCUMENT, "", 404, "the discovery document is not there (status 404)"),
    (DOCUMENT, "", 403, "the discovery document is not there (status 403)"),
    (KEYS, "", 302, "the key set is not there (status 302)"),
    (DOCUMENT, "<html>log in</html>", 200, "the discovery document is no JSON"),
    (DOCUMENT, "[" * 100_000, 200, "the discovery document is no JSON"),
    (DOCUMENT, "[]", 200, "what it serves is not what it should be: it is no JSON object"),
    (KEYS, "{}", 200, "what it serves is not what it should be: it holds no keys"),
    (KEYS, "x" * (MAX_LENGTH + 1), 200, "the key set is longer than 200,000 bytes"),
]


@pytest.mark.parametrize(("path", "body", "status", "words"), WRONG)
async def test_what_aws_could_not_use_is_told(
    published: PublishedIssuer, path: str, body: str, status: int, words: str
) -> None:
    """For certain: the server was reached."""
    published.answers[MOVED] = published.answers[KEYS]
    published.answers[path] = (status, body)
    with pytest.raises(WrongIssuerError) as raised:
        await fetch_keys(published.url)
    assert str(raised.value) == words


async def test_the_document_of_another_issuer_leads_nowhere(published: PublishedIssuer) -> None:
    """Its key set is not fetched: it may be anywhere."""
    published.serve(issuer="https://oidc.other.example.com")
    with pytest.raises(WrongIssuerError, match=r"is that of https://oidc\.other"):
        await fetch_keys(published.url)
    published.serve(jwks_uri="https://10.0.0.1:6443/openid/v1/jwks")
    with pytest.raises(WrongIssuerError, match="looks internal"):
        await fetch_keys(published.url)
    assert {request.path for request in published.requests} == {DOCUMENT}


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_server_that_fails_for_now_is_not_judged(published: PublishedIssuer, status: int) -> None:
    """It may have recovered when AWS asks."""
    published.answers[KEYS] = (status, "")
    with pytest.raises(UnreachableIssuerError, match=f"answers with status {status}"):
        await fetch_keys(published.url)


async def test_both_files_have_one_deadline(published: PublishedIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that drips does not hold up the report."""
    monkeypatch.setattr(oidc_discovery, "TIMEOUT", 0.2)
    published.is_silent = True
    with pytest.raises(UnreachableIssuerError, match="there is no answer within"):
        await fetch_keys(published.url)


async def test_a_certificate_of_an_unknown_ca_is_told(
    published: PublishedIssuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy that looks into TLS may show it here and not to AWS; AWS_CA_BUNDLE is not asked."""
    (tmp_path / "other.pem").write_bytes(Authority(tmp_path, name="other").pem)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "other.pem"))
    with pytest.raises(UnreachableIssuerError, match="the certificate is not accepted here"):
        await fetch_keys(published.url)


async def test_a_name_that_nobody_knows_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside a network without public names that says nothing of AWS."""
    monkeypatch.setattr("pullkeeper.adapters.name_resolver._look_up", lambda *_: socket.gaierror(-2, "unknown"))
    with pytest.raises(UnreachableIssuerError, match="the name cannot be looked up"):
        await fetch_keys("https://oidc.example.com")


async def test_a_port_that_nobody_listens_on_is_told(published: PublishedIssuer) -> None:
    """By the kind of the error."""
    await published.stop()
    with pytest.raises(UnreachableIssuerError, match=r"the connection fails \(ClientConnectorError\)"):
        await fetch_keys(published.url)


async def test_a_proxy_looks_the_name_up_itself(published: PublishedIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """So the addresses of the issuer are not known here; that of the proxy is none of them."""
    async with tunnelling_proxy(published) as proxy:
        monkeypatch.setenv("https_proxy", proxy)
        found = await fetch_keys(published.url)
    assert [key.key_id for key in found.keys] == ["key-1"]
    assert not found.addresses


async def test_a_proxy_that_refuses_is_told_without_its_password(
    published: PublishedIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer may be to somebody else than AWS."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as proxy:
        port = proxy.sockets[0].getsockname()[1]
        monkeypatch.setenv("https_proxy", f"http://user:hush@127.0.0.1:{port}")
        with pytest.raises(UnreachableIssuerError) as raised:
            await fetch_keys(published.url)
    assert str(raised.value) == "the proxy refuses to connect there (status 407)"
    assert not published.requests


async def test_a_url_that_is_none_is_told() -> None:
    """Whoever calls this has judged the name; nothing breaks all the same."""
    with pytest.raises(UnreachableIssuerError, match="InvalidUrl"):
        await fetch_keys("https://oidc..example.com:99999")


async def test_a_fake_issuer_publishes_what_kubernetes_would(published: PublishedIssuer) -> None:
    """The document and the set that the tests serve are those of the fake that signs."""
    other = Issuer(published.url, key_id="key-2")
    published.serve(keys=[*published.issuer.jwks()["keys"], *other.jwks()["keys"]])
    assert {key.key_id for key in (await fetch_keys(published.url)).keys} == {"key-1", "key-2"}
