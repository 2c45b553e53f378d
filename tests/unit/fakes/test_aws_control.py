"""The control API of the fake, and the fake as a process of its own."""

from __future__ import annotations

import json
import re
import signal
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from testsupport.fake_aws import ACCOUNT, AwsFake, JwksUrl, serve, serve_in_thread, utcnow
from testsupport.fake_aws.clients import clients
from testsupport.fake_aws.errors import AwsError
from testsupport.fake_aws.issuer import Issuer
from testsupport.waiting import HANG_GUARD

ROOT = Path(__file__).parents[3]
ROLE = f"arn:aws:iam::{ACCOUNT}:role/puller"


def http(url: str, method: str = "GET", body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, method=method)  # noqa: S310 -- http, and ours
    with urllib.request.urlopen(request, timeout=HANG_GUARD) as answer:  # noqa: S310 -- an address of this machine
        return json.load(answer)


def post(fake: AwsFake, path: str, **body: object) -> Any:
    return http(f"{fake.url}/_fake/{path}", "POST", body)


def test_state_and_calls_can_be_read(fake: AwsFake) -> None:
    with clients(fake) as aws:
        aws.ecr.get_authorization_token()
        aws.sts.get_caller_identity()
    state = http(f"{fake.url}/_fake/state")
    assert state["calls_by_operation"] == {"ecr:GetAuthorizationToken": 1, "sts:GetCallerIdentity": 1}
    assert (state["calls"], state["tokens"], state["lifetime_seconds"]) == (2, 1, 43200.0)
    assert [call["outcome"] for call in http(f"{fake.url}/_fake/calls")] == ["ok", "ok"]
    assert fake.tokens[0].password not in json.dumps(http(f"{fake.url}/_fake/tokens"))
    assert fake.tokens[0].password in http(f"{fake.url}/_fake/secrets")
    assert http(f"{fake.url}/_fake/environment?region=us-west-2") == fake.environment(region="us-west-2")


def test_lifetime_roles_and_revocation_can_be_set(fake: AwsFake) -> None:
    post(fake, "lifetime", seconds=60)
    post(fake, "roles", arn=ROLE, trusted_principals="*", max_session=7200, ecr_regions=["eu-west-1"])
    with clients(fake) as aws:
        aws.ecr.get_authorization_token()
        aws.sts.assume_role(RoleArn=ROLE, RoleSessionName="test", DurationSeconds=7200)
    assert (fake.tokens[0].expires_at - fake.tokens[0].issued_at).total_seconds() == 60
    assert post(fake, "revoke", serial=1) == {"revoked": 1}
    assert post(fake, "expire-credentials") == {"expired": 1}


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "deny"},
        {"kind": "throttle", "code": "RequestLimitExceeded"},
        {"kind": "fail", "code": "InternalFailure", "status": 503},
        {"kind": "hang"},
        {"kind": "slow", "seconds": 1},
        {"kind": "drip", "seconds": 1},
        {"kind": "reset"},
        {"kind": "garbage", "garbage": "token-not-base64"},
        {"kind": "expired-token", "ago": 60},
        {"kind": "short-life", "life": 60},
    ],
)
def test_every_fault_can_be_set_and_cleared(fake: AwsFake, fault: dict[str, Any]) -> None:
    made = post(fake, "faults", **fault, region="us-west-2", times=3)
    assert (made["region"], made["times"], made["played"]) == ("us-west-2", 3, 0)
    assert [each.id for each in fake.faults] == [made["id"]]
    http(f"{fake.url}/_fake/faults/{made['id']}", "DELETE")
    assert fake.faults == []


def test_hosts_and_regions_can_be_cut_off(fake: AwsFake) -> None:
    post(fake, "network", how="unreachable", hosts="sts.*")
    assert fake.network.obstacle("sts.eu-west-1.amazonaws.com") is not None
    post(fake, "network", how="restore", hosts="sts.*")
    assert fake.network.obstacle("sts.eu-west-1.amazonaws.com") is None
    assert post(fake, "disable-region", region="me-south-1") == {"disabled": ["me-south-1"]}
    with pytest.raises(urllib.error.HTTPError) as raised:
        post(fake, "network", how="close", hosts="*")
    raised.value.close()
    assert raised.value.code == 400


def test_a_fault_that_was_posted_is_played(fake: AwsFake) -> None:
    post(fake, "faults", kind="deny", operation="GetAuthorizationToken")
    with clients(fake) as aws, pytest.raises(ClientError, match="AccessDeniedException"):
        aws.ecr.get_authorization_token()
    assert http(f"{fake.url}/_fake/faults", "DELETE") == {"faults": []}


def test_a_held_call_is_let_go_by_the_id_of_its_fault(fake: AwsFake) -> None:
    made = post(fake, "faults", kind="hang", times=1)
    with clients(fake) as aws, ThreadPoolExecutor(1) as pool:
        held = pool.submit(aws.ecr.get_authorization_token)
        while fake.count(outcome="pending") == 0:
            http(f"{fake.url}/_fake/state")
        http(f"{fake.url}/_fake/faults/{made['id']}", "DELETE")
        assert held.result(HANG_GUARD)["authorizationData"]
    with pytest.raises(urllib.error.HTTPError) as raised:
        http(f"{fake.url}/_fake/faults/99", "DELETE")
    raised.value.close()
    assert raised.value.code == 404


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("faults", {"kind": "nonsense"}),
        ("faults", {"kind": "garbage", "garbage": "nonsense"}),
        ("faults", {"kind": "deny", "times": 0}),
        ("faults", {"kind": "deny", "regoin": "eu-west-1"}),
        ("faults", {}),
        ("lifetime", {"seconds": "long"}),
        ("roles", {"arn": "no-arn"}),
        ("issuers", {"issuer": "https://no-keys.example"}),
        ("revoke", {"serial": 7}),
        ("revoke", {"token": "never issued"}),
    ],
)
def test_a_bad_request_says_what_is_wrong(fake: AwsFake, path: str, body: dict[str, Any]) -> None:
    with pytest.raises(urllib.error.HTTPError) as raised:
        post(fake, path, **body)
    with raised.value as answer:
        assert answer.code == 400
        assert json.load(answer)["error"]
    assert fake.faults == []


def test_an_issuer_can_be_named_by_its_keys(fake: AwsFake) -> None:
    issuer = Issuer()
    post(fake, "issuers", issuer=issuer.url, jwks=issuer.jwks())
    post(fake, "roles", arn=ROLE, trusts_subjects="system:*")
    with clients(fake) as aws:
        answer = aws.sts.assume_role_with_web_identity(
            RoleArn=ROLE, RoleSessionName="test", WebIdentityToken=issuer.token("system:serviceaccount:a:b")
        )
    assert answer["Credentials"]["AccessKeyId"].startswith("ASIA")


def certificate(folder: Path) -> tuple[str, ssl.SSLContext]:
    """Make a self-signed certificate for 127.0.0.1; gives its file and a server's context."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fake-apiserver")])
    cert = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
        .serial_number(1)
        .not_valid_before(utcnow() - timedelta(hours=1))
        .not_valid_after(utcnow() + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    form = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "key.pem").write_bytes(key.private_bytes(*form))
    (folder / "ca.pem").write_bytes(cert.public_bytes(Encoding.PEM))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    return str(folder / "ca.pem"), context


@asynccontextmanager
async def key_server(issuer: Issuer, context: ssl.SSLContext) -> AsyncIterator[str]:
    """Serve an issuer's keys by TLS to whoever has the right login, as an API server does."""

    async def keys(request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != "Bearer reader":
            raise web.HTTPForbidden
        return web.json_response(issuer.jwks())

    app = web.Application()
    app.router.add_get("/openid/v1/jwks", keys)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        yield f"https://127.0.0.1:{runner.addresses[0][1]}/openid/v1/jwks"
    finally:
        await runner.cleanup()


async def test_keys_are_fetched_from_a_url_with_its_ca_and_headers(tmp_path: Path) -> None:
    ca_file, context = certificate(tmp_path)
    issuer = Issuer()
    login = {"Authorization": "Bearer reader"}
    async with key_server(issuer, context) as url, serve() as fake:
        fake.trust_issuer(issuer.url, JwksUrl(url=url, ca_file=ca_file, headers=login))
        assert (await fake.providers.verify(issuer.token("someone"))).subject == "someone"
        for wrong in (JwksUrl(url=url, ca_file=ca_file), JwksUrl(url=url, headers=login)):
            fake.trust_issuer(issuer.url, wrong)
            with pytest.raises(AwsError, match="IDPCommunicationError"):
                await fake.providers.verify(issuer.token("someone"))


def test_it_runs_alone_until_sigterm() -> None:
    command = [sys.executable, "-m", "testsupport.fake_aws", "--lifetime", "60s"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            match = re.match(r"AWS fake at (http://127\.0\.0\.1:\d+) ", process.stdout.readline())
            assert match is not None
            assert http(f"{match[1]}/_fake/state")["lifetime_seconds"] == 60.0
            process.send_signal(signal.SIGTERM)
            assert process.communicate(timeout=HANG_GUARD) == ("", "")
            assert process.returncode == 0
        finally:
            process.kill()


def test_a_length_of_time_that_is_none_is_refused() -> None:
    command = [sys.executable, "-m", "testsupport.fake_aws", "--lifetime", "soon"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=HANG_GUARD, check=False)
    assert done.returncode == 2
    assert "is not a length of time" in done.stderr


def test_a_port_that_is_taken_is_an_error_at_the_start(fake: AwsFake) -> None:
    with pytest.raises(OSError, match="in use"), serve_in_thread(port=int(fake.url.rpartition(":")[2])):
        pytest.fail("started")
