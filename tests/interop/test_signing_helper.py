"""AWS's own client of IAM Roles Anywhere: the fake answers it as it does the controller, which can use it as well."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from testsupport.client_certificates import ANCHOR, PROFILE, Authority, Key, anchor, authority
from testsupport.fake_aws import ACCOUNT, AwsFake
from testsupport.fake_aws.clients import clients
from testsupport.fake_aws.records import Principal, Session
from testsupport.installation import IRELAND, Installation, auths
from testsupport.interop_tools import find_signing_helper
from testsupport.tenant_identities import issued_to

ROLE = f"arn:aws:iam::{ACCOUNT}:role/pullkeeper"
ENDPOINT = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
RECIPE = Path("charts/pullkeeper/ci/signing-helper-values.yaml")
KEYS: dict[str, Callable[[], Key]] = {
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
}


@pytest.fixture(scope="session")
def helper() -> Path:
    """Give the program, which `make test-pull` has built."""
    return find_signing_helper()


def _network(aws: AwsFake) -> dict[str, str]:
    """Give everything but credentials."""
    return {name: value for name, value in aws.environment(region=None).items() if "ACCESS_KEY" not in name}


def _environment(aws: AwsFake, folder: Path) -> dict[str, str]:
    """Give the variables of the helper: through the proxy, with the fake's CA."""
    return {"PATH": os.environ["PATH"], "HOME": str(folder), **_network(aws), "SSL_CERT_FILE": aws.network.ca_file}


def _ask(helper: Path, aws: AwsFake, folder: Path, issuer: Authority) -> subprocess.CompletedProcess[str]:
    """Ask for credentials as its documentation says."""
    arns = ["--trust-anchor-arn", ANCHOR, "--profile-arn", PROFILE, "--role-arn", ROLE]
    files = ["--certificate", str(folder / "tls.crt"), "--private-key", str(folder / "tls.key")]
    if issuer.above:
        chain = folder / "chain.crt"
        chain.write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in issuer.above))
        files += ["--intermediates", str(chain)]
    command = [str(helper), "credential-process", "--with-proxy", *arns, *files]
    return subprocess.run(
        command, env=_environment(aws, folder), capture_output=True, text=True, check=False, timeout=60
    )


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


def _recipe(helper: Path, folder: Path) -> list[str]:
    """Give what the sidecar of the chart's recipe runs, with the files of this folder."""
    (sidecar,) = yaml.safe_load(RECIPE.read_text())["extraInitContainers"]
    options = [each.replace("/certificate/", f"{folder}/") for each in sidecar["args"]]
    return [str(helper), *sidecar["command"][1:-1], "0", "--with-proxy", *options]


@contextmanager
def _serving(command: list[str], environment: dict[str, str]) -> Iterator[str]:
    """Run it, and give the variable that it tells its users to set."""
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        told = (line.partition(f"export {ENDPOINT}=")[2].strip() for line in process.stderr)
        yield next(filter(None, told))
        process.kill()


async def test_the_controller_uses_it_as_a_sidecar(helper: Path, installation: Installation, tmp_path: Path) -> None:
    """`serve` on loopback, as the recipe has it, is the controller's only source, and not taken for the node's."""
    aws, root = installation.aws, authority()
    anchor(aws, root, ROLE)
    root.write(tmp_path / "certificate")
    with _serving(_recipe(helper, tmp_path / "certificate"), _environment(aws, tmp_path)) as url:
        await installation.start(environment=_network(aws) | {"AWS_EC2_METADATA_DISABLED": "false", ENDPOINT: url})
        team = await installation.create_served_namespace()
    secret = await installation.secret(team)
    assert secret is not None
    assert issued_to(installation, auths(secret)) == {IRELAND: ROLE}


async def test_the_controller_uses_it_as_credential_process(
    helper: Path, installation: Installation, tmp_path: Path
) -> None:
    """As docs/identities.md has it; without a certificate the Event says what the helper said."""
    aws, root, folder = installation.aws, authority(), tmp_path / "certificate"
    anchor(aws, root, ROLE)
    arns = f"--trust-anchor-arn {ANCHOR} --profile-arn {PROFILE} --role-arn {ROLE}"
    files = f"--certificate {folder}/tls.crt --private-key {folder}/tls.key"
    config = tmp_path / "config"
    config.write_text(f"[default]\ncredential_process = {helper} credential-process --with-proxy {arns} {files}\n")
    bare = _network(aws) | {"AWS_CONFIG_FILE": str(config), "SSL_CERT_FILE": aws.network.ca_file}
    await installation.start(environment=bare)
    team = await installation.create_namespace(enabled="true")
    event = await installation.event(team, "TokenFetchFailed")
    assert "the credential_process of the profile failed (exit status 1)" in event["note"]
    assert "could not parse PEM data]" in event["note"]
    root.write(folder)
    await installation.annotate(team, refresh_requested_at="1")
    await installation.event(team, "PullSecretCreated")
