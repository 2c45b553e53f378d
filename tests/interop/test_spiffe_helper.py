"""SPIFFE's own helper, as the chart's recipes run it, keeps what the controller proves with who it is."""

import asyncio
import json
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from testsupport.client_certificates import Authority, anchor, authority, settings
from testsupport.fake_aws import AwsFake
from testsupport.fake_aws.issuer import Issuer
from testsupport.installation import ROLE, Installation
from testsupport.interop_tools import find_spiffe_helper
from testsupport.tenant_identities import principals
from testsupport.waiting import until

SPIFFE_ID = "spiffe://example.org/ns/pullkeeper-system/sa/pullkeeper"
DOMAIN = "spiffe://example.org"
AUDIENCE = "sts.amazonaws.com"
FOLDER, SOCKET = "/run/spiffe", "/spiffe-workload-api/spire-agent.sock"
"""Where the recipes keep what the helper writes, and where SPIRE's agent listens."""


@pytest.fixture(scope="session")
def programs() -> Path:
    """Give the folder with the helper and the Workload API, which `make test-pull` has built."""
    return find_spiffe_helper()


class Workload:
    """What the Workload API serves, and the folder that the helper writes into."""

    def __init__(self, folder: Path) -> None:
        self.served, self.written = folder / "served", folder / "written"
        self.socket = folder / "agent.sock"
        for each in (self.served / "jwt", self.written):
            each.mkdir(parents=True)

    def issue_token(self, issuer: Issuer, *others: Issuer) -> str:
        """Issue a JWT-SVID as SPIRE does: a list of audiences, no `nbf`; the bundle has the others' keys too."""
        keys = [key for each in (issuer, *others) for key in each.jwks()["keys"]]
        (self.served / "jwks.json").write_text(json.dumps({"keys": [{**key, "use": "jwt-svid"} for key in keys]}))
        token = issuer.token(SPIFFE_ID, audience=[AUDIENCE])
        _replace(self.served / "jwt" / AUDIENCE, token.encode())
        return token

    def issue_certificate(self, issuer: Authority) -> x509.Certificate:
        """Issue an X.509-SVID, which has no common name."""
        with tempfile.TemporaryDirectory() as name:
            issuer.write(Path(name), name="", uri=SPIFFE_ID)
            chain, key = (Path(name) / each for each in ("tls.crt", "tls.key"))
            _replace(self.served / "bundle.pem", issuer.certificate.public_bytes(Encoding.PEM))
            _replace(self.served / "key.pem", key.read_bytes())
            _replace(self.served / "svid.pem", chain.read_bytes())
            return x509.load_pem_x509_certificate(chain.read_bytes())


def _replace(file: Path, content: bytes) -> None:
    file.with_suffix(".new").write_bytes(content)
    file.with_suffix(".new").rename(file)


@pytest.fixture
def workload() -> Iterator[Workload]:
    """Give a folder whose name is short: a socket's may have 107 characters."""
    folder = Path(tempfile.mkdtemp(prefix="svid-"))
    yield Workload(folder)
    shutil.rmtree(folder)


def _recipe(name: str) -> Any:
    return yaml.safe_load(Path(f"charts/pullkeeper/ci/{name}-values.yaml").read_text())


@asynccontextmanager
async def _running(programs: Path, workload: Workload, recipe: Any) -> AsyncIterator[None]:
    """Run the Workload API, and the helper with the configuration of a recipe."""
    (sidecar,), (extra,) = recipe["extraInitContainers"], recipe["extraObjects"]
    configuration = workload.socket.with_name("helper.conf")
    text = extra["data"]["helper.conf"].replace(SOCKET, str(workload.socket)).replace(FOLDER, str(workload.written))
    configuration.write_text(text)
    assert sidecar["args"] == ["-config", "/etc/spiffe-helper/helper.conf"]
    names = ["-id", SPIFFE_ID, "-domain", DOMAIN]
    serve = [programs / "workload-api", "-socket", workload.socket, "-folder", workload.served, *names]
    with ExitStack() as stack:
        for command in (serve, [programs / "spiffe-helper", "-config", configuration]):
            stack.enter_context(_process([str(each) for each in command]))
        yield


@contextmanager
def _process(command: list[str]) -> Iterator[None]:
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        try:
            yield
            assert process.poll() is None, f"{command[0]} has ended"
        finally:
            process.kill()


def _network(aws: AwsFake) -> dict[str, str]:
    return {name: value for name, value in aws.environment(region=None).items() if "ACCESS_KEY" not in name}


async def test_a_jwt_svid_is_a_web_identity(programs: Path, workload: Workload, installation: Installation) -> None:
    """Before it is issued the Event says what is missing; the next one is of SPIRE's next key.

    The helper asks for it when it starts: by itself it would at half of the life that is left.
    """
    aws, recipe = installation.aws, _recipe("spiffe")
    first, second = (Issuer("https://oidc-discovery.example.org", key_id=each) for each in ("a", "b"))
    aws.trust_issuer(first.url, first.jwks())
    aws.allow_role(ROLE, trusts_subjects=SPIFFE_ID, issuer=first.url)
    given = {each["name"]: each["value"].replace(FOLDER, str(workload.written)) for each in recipe["extraEnv"]}
    async with _running(programs, workload, recipe):
        await installation.start(environment={**_network(aws), **given})
        team = await installation.create_namespace(enabled="true")
        event = await installation.event(team, "TokenFetchFailed")
        assert "a credentials file cannot be read" in event["note"]
        workload.issue_token(first)
        file = workload.written / "token"
        async with installation.recording() as recorder:
            await until(lambda: _holds(file), "the helper to write a token")
            await installation.annotate(team, refresh_requested_at="1")
            written = await recorder.created(team)
            assert principals(installation, written.secret) == {ROLE}
    aws.trust_issuer(second.url, second.jwks())
    token = workload.issue_token(second, first)
    workload.socket.unlink()
    async with _running(programs, workload, recipe), installation.recording() as recorder:
        await until(lambda: _holds(file, token), "the helper to write the next token")
        aws.expire_credentials()
        await installation.annotate(team, refresh_requested_at="2")
        await recorder.wait(team, lambda version: version.expires_at > written.expires_at)
    assert aws.count("AssumeRoleWithWebIdentity", outcome="ok") == 2


async def test_an_x509_svid_is_a_client_certificate(
    programs: Path, workload: Workload, installation: Installation
) -> None:
    """The helper replaces both files, one after the other, when SPIRE issues the next one."""
    aws, root = installation.aws, authority()
    anchor(aws, root, ROLE, names=[SPIFFE_ID])
    issuer = root.intermediate()
    first = workload.issue_certificate(issuer)
    async with _running(programs, workload, _recipe("spiffe-certificate")), installation.recording() as recorder:
        await installation.start({"rolesAnywhere": settings(workload.written, ROLE)}, environment=_network(aws))
        team = await installation.create_namespace(enabled="true")
        written = await recorder.created(team)
        assert principals(installation, written.secret) == {ROLE}
        second = workload.issue_certificate(issuer)
        certificate = second.public_bytes(Encoding.PEM).decode()
        await until(lambda: _holds(workload.written / "tls.crt", certificate), "the helper to renew the certificate")
        aws.expire_credentials()
        await installation.annotate(team, refresh_requested_at="1")
        await recorder.wait(team, lambda version: version.expires_at > written.expires_at)
    used = [token.principal.rpartition("/")[2] for token in aws.tokens]
    assert used == [f"{each.serial_number:040x}" for each in (first, second)]


async def _holds(file: Path, text: str = "") -> bool:
    """Whether a file is there, and begins with a text."""
    found = await asyncio.to_thread(lambda: file.read_text() if file.exists() else "")
    return bool(found) and found.startswith(text)
