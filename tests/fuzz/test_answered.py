"""What AWS, proxies in its place, registries, issuers and credential programs answer, and what kubeconfigs say."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from hypothesis import strategies as st

from pullkeeper.adapters import registry
from pullkeeper.adapters.aws import credential_process, credentials, ecr, roles_anywhere
from pullkeeper.adapters.aws.calls import CallError, Endpoint
from pullkeeper.adapters.aws.clients import Clients, Keys
from pullkeeper.adapters.aws.credential_process import CredentialProcessError
from pullkeeper.adapters.aws.errors import to_failure
from pullkeeper.adapters.kubernetes.kube_config import load_config
from pullkeeper.adapters.registry import RegistryProbe
from pullkeeper.domain.ecr import image_reference
from pullkeeper.domain.ecr.manifest_answer import ManifestResult
from pullkeeper.domain.ecr.registry_probe import ProbeResult
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.errors.failures import FailureError
from pullkeeper.domain.iam import oidc_issuer
from pullkeeper.domain.iam.identity import CONTROLLER
from testsupport import wild_text
from testsupport.examples import EU, NOW, PUBLIC, auth
from testsupport.fuzzing import Fuzzer, check_text
from testsupport.wild_text import Answer

KEYS = Keys(access_key_id="AKIAFAKE", secret_access_key="secret")
TOKEN_DATA = {"authorizationToken": auth().reveal(), "expiresAt": 1772409600.0, "proxyEndpoint": f"https://{EU.name}"}
SESSION = {
    "accessKeyId": "ASIA",
    "secretAccessKey": "secret",
    "sessionToken": "t",
    "expiration": "2026-03-01T13:00:00Z",
}
STS_XML = (
    "<AssumeRoleResponse xmlns='https://sts.amazonaws.com/doc/2011-06-15/'><AssumeRoleResult><Credentials>"
    "<AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>"
    "<Expiration>2026-03-01T13:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
)
XML_ERROR = (
    "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"
)


@contextmanager
def answering(service: str, answer: Callable[[], Answer]) -> Iterator[Any]:
    """Open botocore's client of a service, to which these answers come instead of the network's."""
    clients = Clients(lambda *_: None)
    client = clients.create(service, "us-east-1", KEYS, Config(retries={"total_max_attempts": 1}))

    def respond(request: Any, **_: Any) -> AWSResponse:
        given = answer()
        headers = HTTPHeaders.from_dict(given.headers)
        return AWSResponse(request.url, given.status, headers, Raw(given.body))

    client.meta.events.register("before-send", respond)
    try:
        yield client
    finally:
        client.close()


class Raw:
    """The part of urllib3's response that botocore reads."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, amt: int = 1024, **_: Any) -> Iterator[bytes]:
        """Yield the body in parts."""
        yield from (self._body[start : start + amt] for start in range(0, len(self._body), amt))


def explained(call: Callable[[], object], scope: TokenScope | None) -> None:
    """Make a call as the adapters do: what it raises has to become a failure that can be shown."""
    try:
        call()
    except FailureError as error:
        check_text(str(error))
    except Exception as error:  # noqa: BLE001 -- as in Calls, which turns all of them into one
        asked = Endpoint(service="ecr", host="api.ecr.us-east-1.amazonaws.com")
        check_text(str(to_failure(CallError(error, asked), principal="the controller", scope=scope)))


@pytest.mark.parametrize("service", ["ecr", "ecr-public"])
def test_tokens(fuzzer: Fuzzer, service: str) -> None:
    scope = TokenScope.of(EU if service == "ecr" else PUBLIC, CONTROLLER)
    good: Any = {"authorizationData": [TOKEN_DATA] if service == "ecr" else TOKEN_DATA}
    given: list[Answer] = []
    with answering(service, given.pop) as client:

        def check(answer: Answer) -> None:
            given.append(answer)
            explained(lambda: ecr._token(scope, client.get_authorization_token(), NOW), scope)  # noqa: SLF001 -- the reader

        fuzzer.hold(f"answers of {service}", 0.04, wild_text.answers(wild_text.json_bodies(st.just(good))), check)


def test_sessions(fuzzer: Fuzzer) -> None:
    bodies = st.one_of(
        wild_text.cut(st.sampled_from([STS_XML, STS_XML.replace("2026-03-01T13:00:00Z", "x"), XML_ERROR])),
        wild_text.json_bodies(st.just({"Error": {}})),
    )
    given: list[Answer] = []
    with answering("sts", given.pop) as client:

        def check(answer: Answer) -> None:
            given.append(answer)
            request = {"RoleArn": "arn:aws:iam::123456789012:role/blue", "RoleSessionName": "pullkeeper"}
            explained(lambda: credentials._keys(client.assume_role(**request)["Credentials"], "us-east-1"), None)  # noqa: SLF001 -- the reader

        fuzzer.hold("answers of STS", 0.04, wild_text.answers(bodies), check)


def test_sessions_of_roles_anywhere(fuzzer: Fuzzer) -> None:
    identity: Any = type("Identity", (), {"region": "eu-west-1"})
    bodies = wild_text.json_bodies(st.just({"credentialSet": [{"credentials": SESSION}]}))

    def check(body: bytes) -> None:
        with suppress(FailureError):
            roles_anywhere._parse(body, identity)  # noqa: SLF001 -- the reader
        roles_anywhere._error({}, body, 403)  # noqa: SLF001 -- the reader

    fuzzer.hold("answers of IAM Roles Anywhere", 0.04, bodies, check)


def test_credential_programs(fuzzer: Fuzzer) -> None:
    printed = {"Version": 1, "AccessKeyId": "AKIA", "SecretAccessKey": "s", "Expiration": "2026-03-01T13:00:00Z"}

    def check(body: bytes) -> None:
        try:
            credential_process.check_output(body, NOW)
        except CredentialProcessError as error:
            check_text(str(error))

    fuzzer.hold("output of credential programs", 0.04, wild_text.json_bodies(st.just(printed)), check)


def test_documents_of_issuers(fuzzer: Fuzzer) -> None:
    discovery = {"issuer": "https://oidc.example.com", "jwks_uri": "https://oidc.example.com/keys"}
    keys = {"keys": [{"kty": "RSA", "kid": "1", "n": "AQ", "e": "AQAB"}]}

    def check(document: Any) -> None:
        try:
            check_text(oidc_issuer.mismatch("https://oidc.example.com", oidc_issuer.read_discovery(document)))
        except ValueError as error:
            check_text(str(error))
        try:
            check_text(oidc_issuer.unpublished(oidc_issuer.read_keys(document), frozenset()))
        except ValueError as error:
            check_text(str(error))

    fuzzer.hold("documents of issuers", 0.04, wild_text.damaged(st.sampled_from([discovery, keys])), check)


@contextmanager
def loop_in_thread() -> Iterator[asyncio.AbstractEventLoop]:
    """Run an event loop beside the examples, which are drawn in the main thread."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_registries(fuzzer: Fuzzer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over a real connection, but without TLS, which would take most of the time."""
    given: list[bytes] = []

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        writer.write(given[-1])
        with suppress(OSError):
            await writer.drain()
        writer.close()

    ask = RegistryProbe._ask  # noqa: SLF001 -- it gets another URL
    monkeypatch.setattr(registry, "_MIN_INTERVAL", 0.0)
    probe = RegistryProbe(ca_file="")
    image = image_reference.parse(f"{EU.name}/app:1")

    async def both() -> tuple[ProbeResult, ManifestResult]:
        return await probe.probe(EU, auth()), await probe.ask_for_manifest(EU, auth(), image)

    with loop_in_thread() as loop:
        server = asyncio.run_coroutine_threadsafe(asyncio.start_server(respond, "127.0.0.1", 0), loop).result()
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v2/"
        monkeypatch.setattr(RegistryProbe, "_ask", lambda self, method, _, *rest: ask(self, method, url, *rest))

        def check(answer: bytes) -> None:
            given.append(answer)
            for result in asyncio.run_coroutine_threadsafe(both(), loop).result(60):
                check_text(result.why)

        fuzzer.hold("answers of registries", 0.01, HTTP, check)
        loop.call_soon_threadsafe(server.close)
        asyncio.run_coroutine_threadsafe(server.wait_closed(), loop).result()


_LINES = st.one_of(
    st.sampled_from(
        [
            b"Docker-Distribution-Api-Version: registry/2.0",
            b"Content-Length: 5",
            b"Transfer-Encoding: chunked",
            b"Location: /",
        ]
    ),
    st.binary(max_size=40),
    st.builds(
        lambda part, count: b"X: " + part * count, st.binary(min_size=1, max_size=2), st.sampled_from([1, 9000, 70_000])
    ),
)
HTTP = st.one_of(
    st.binary(max_size=200),
    st.builds(
        lambda status, lines, body: b"HTTP/1.1 %d OK\r\n" % status + b"\r\n".join(lines) + b"\r\n\r\n" + body,
        st.integers(100, 999),
        st.lists(_LINES, max_size=4),
        st.binary(max_size=20),
    ),
)


def test_kubeconfigs(fuzzer: Fuzzer, tmp_path: Path) -> None:
    good = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "a",
        "contexts": [{"name": "a", "context": {"cluster": "c", "user": "u", "namespace": "n"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1", "certificate-authority-data": "QQ=="}}],
        "users": [{"name": "u", "user": {"token": "t", "username": "x", "password": "y", "tokenFile": "z"}}],
    }
    file = tmp_path / "kubeconfig"
    contents = st.one_of(
        wild_text.damaged(st.just(good)).map(lambda each: yaml.safe_dump(each, allow_unicode=True).encode()),
        st.binary(max_size=200),
        wild_text.text.map(str.encode),
    )

    async def load() -> None:
        loaded = await load_config(kubeconfig=str(file), context=None)
        await loaded.connection_info()

    def check(content: bytes) -> None:
        file.write_bytes(content)
        try:
            asyncio.run(load())
        except FailureError as error:
            check_text(str(error))

    check(yaml.safe_dump(good).encode())  # the first one imports what only kubeconfigs need
    fuzzer.hold("kubeconfigs", 0.02, contents, check)
