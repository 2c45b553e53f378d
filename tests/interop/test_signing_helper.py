"""AWS's own client of IAM Roles Anywhere and the controller get the same answers from the same fake."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from testsupport.client_certificates import ANCHOR, PROFILE, Authority, Key, anchor, authority
from testsupport.fake_aws import ACCOUNT, AwsFake
from testsupport.fake_aws.clients import clients
from testsupport.fake_aws.records import Principal, Session
from testsupport.interop_tools import find_signing_helper

ROLE = f"arn:aws:iam::{ACCOUNT}:role/pullkeeper"
KEYS: dict[str, Callable[[], Key]] = {
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
}


@pytest.fixture(scope="session")
def helper() -> Path:
    """Give the program, which `make test-pull` has built."""
    return find_signing_helper()


def _ask(helper: Path, aws: AwsFake, folder: Path, issuer: Authority) -> subprocess.CompletedProcess[str]:
    """Ask for credentials as its documentation says, through the proxy, with the fake's CA."""
    network = {name: value for name, value in aws.environment(region=None).items() if "ACCESS_KEY" not in name}
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), **network, "SSL_CERT_FILE": aws.network.ca_file}
    arns = ["--trust-anchor-arn", ANCHOR, "--profile-arn", PROFILE, "--role-arn", ROLE]
    files = ["--certificate", str(folder / "tls.crt"), "--private-key", str(folder / "tls.key")]
    if issuer.above:
        chain = folder / "chain.crt"
        chain.write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in issuer.above))
        files += ["--intermediates", str(chain)]
    command = [str(helper), "credential-process", "--with-proxy", *arns, *files]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("intermediates", [0, 1])
def test_it_gets_credentials_that_work(
    helper: Path, aws: AwsFake, tmp_path: Path, kind: str, intermediates: int
) -> None:
    """With each kind of key, directly below the trust anchor and below one more CA."""
    root = authority()
    anchor(aws, root, ROLE)
    issuer = root.intermediate() if intermediates else root
    issuer.write(tmp_path, key=KEYS[kind]())
    answer = _ask(helper, aws, tmp_path, issuer)
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)
    keys = Session(
        principal=Principal(arn=ROLE, account=ACCOUNT, user_id=""),
        access_key_id=found["AccessKeyId"],
        secret_access_key=found["SecretAccessKey"],
        session_token=found["SessionToken"],
    )
    with clients(aws, credentials=keys) as made:
        arn = made.sts.get_caller_identity()["Arn"]
    assert arn.startswith(f"arn:aws:sts::{ACCOUNT}:assumed-role/pullkeeper/")


@pytest.mark.parametrize(("name", "known"), [("somebody", True), ("pullkeeper", False)])
def test_it_is_refused_where_the_controller_is(
    helper: Path,
    aws: AwsFake,
    tmp_path: Path,
    name: str,
    known: bool,  # noqa: FBT001 -- a parameter of the test
) -> None:
    """A name that the role does not trust, and a CA that the trust anchor does not know."""
    root = authority()
    anchor(aws, root, ROLE)
    (root if known else authority()).write(tmp_path, name=name)
    answer = _ask(helper, aws, tmp_path, root)
    assert answer.returncode != 0
    assert "AccessDeniedException" in answer.stderr
