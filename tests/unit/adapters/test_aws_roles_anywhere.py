"""IAM Roles Anywhere: every kind of key and chain gets a token, and every failure is explained."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import pytest
from botocore.endpoint_provider import EndpointProvider
from botocore.loaders import Loader
from botocore.session import Session
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import PrivateFormat

from pullkeeper.adapters.aws import Ecr, client_certificate, credentials, roles_anywhere
from pullkeeper.domain.config.policy import Policy
from pullkeeper.domain.errors.failures import FailureError, Reason
from pullkeeper.domain.iam.role_arn import parse as parse_role
from pullkeeper.domain.iam.roles_anywhere import parse
from pullkeeper.domain.views.iam_controller import Controller
from pullkeeper.domain.views.iam_documents import as_json
from pullkeeper.domain.views.iam_needs import plan
from tests.unit.adapters.aws_harness import AwsHarness, no_service_account
from testsupport.certificate_authority import USAGE, usage
from testsupport.client_certificates import ANCHOR, PROFILE, SIGNS, Key, anchor, authority, settings
from testsupport.examples import EU, demand, scope
from testsupport.fake_aws import ACCOUNT, AwsFake, Garbage, serve_in_thread
from testsupport.fake_aws.iam_documents import load

ROLE = f"arn:aws:iam::{ACCOUNT}:role/controller"
SCOPE = scope(EU)


class World:
    """A trust anchor with its CA, a profile, a role, and the folder of the certificate."""

    def __init__(self, harness: AwsHarness, aws: AwsFake, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.aws, self.folder, self.harness = aws, folder, harness
        self.root = authority()
        self.ahead = timedelta()
        anchor(aws, self.root, ROLE)
        monkeypatch.setattr(roles_anywhere, "_PAUSE", 0.0)
        monkeypatch.setattr(client_certificate, "_PAUSES", (0.0,) * 4)
        harness.token_source(aws.environment())
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION"):
            monkeypatch.delenv(name)
        self.environment = {key: value for key, value in aws.environment(region=None).items() if "ACCESS" not in key}
        self.source = self.new_source()

    def new_source(self) -> Ecr:
        return Ecr(
            environment=self.environment,
            registries=(),
            allow_node_instance_role=False,
            clock=lambda: datetime.now(UTC) + self.ahead,
            metrics=self.harness.recorder,
            service_account_token=no_service_account,
            roles_anywhere=parse(settings(self.folder, ROLE)),
        )

    async def failure(self) -> tuple[Reason, str]:
        found = await self.harness.failure(self.source, SCOPE)
        return found.reason, found.message


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with serve_in_thread() as aws:
        yield World(AwsHarness(aws, monkeypatch), aws, tmp_path / "tls", monkeypatch)


KEYS: dict[str, tuple[Callable[[], Key], PrivateFormat]] = {
    "RSA 2048, PKCS8": (lambda: rsa.generate_private_key(65537, 2048), PrivateFormat.PKCS8),
    "RSA 3072, PKCS1": (lambda: rsa.generate_private_key(65537, 3072), PrivateFormat.TraditionalOpenSSL),
    "RSA 4096, PKCS8": (lambda: rsa.generate_private_key(65537, 4096), PrivateFormat.PKCS8),
    "P-256, PKCS8": (lambda: ec.generate_private_key(ec.SECP256R1()), PrivateFormat.PKCS8),
    "P-256, SEC1": (lambda: ec.generate_private_key(ec.SECP256R1()), PrivateFormat.TraditionalOpenSSL),
    "P-384, SEC1": (lambda: ec.generate_private_key(ec.SECP384R1()), PrivateFormat.TraditionalOpenSSL),
}


@pytest.mark.parametrize(
    ("kind", "digest"),
    [*((kind, "sha256") for kind in KEYS), *(("P-384, SEC1", digest) for digest in ("sha384", "sha512"))],
)
async def test_every_key_and_signature_hash_gets_a_token(world: World, kind: str, digest: str) -> None:
    """The algorithm follows from the key, not from the signature of the certificate."""
    make, form = KEYS[kind]
    world.root.write(world.folder, key=make(), form=form, digest=digest)
    await world.source.fetch(SCOPE, demand())
    assert (await world.source.caller_arn()).startswith(f"arn:aws:sts::{ACCOUNT}:assumed-role/controller/")
    assert [call.host for call in world.aws.calls if call.operation == "CreateSession"] == [
        "rolesanywhere.eu-west-1.amazonaws.com"
    ]


async def test_chain_is_sent_and_a_missing_link_is_explained(world: World) -> None:
    """Certificates below two CAs under the trust anchor's own are trusted only with both."""
    below = world.root.intermediate("one").intermediate("two")
    below.write(world.folder)
    await world.source.fetch(SCOPE, demand())
    pem = world.folder / "tls.crt"
    pem.write_text(pem.read_text().partition("-----END CERTIFICATE-----\n")[0] + "-----END CERTIFICATE-----\n")
    world.source = world.new_source()
    reason, message = await world.failure()
    assert reason is Reason.ACCESS_DENIED
    assert "tls.crt holds every certificate between" in message


async def test_session_is_kept_and_the_next_one_is_of_the_files_as_they_are_then(world: World) -> None:
    """One call for many tokens; after a rotation of the certificate the next session is the new one's."""
    world.root.write(world.folder)
    for _ in range(3):
        await world.source.fetch(SCOPE, demand())
    assert world.aws.count("CreateSession") == 1
    first = await world.source.caller_arn()
    world.root.write(world.folder, key=rsa.generate_private_key(65537, 2048))
    assert await world.source.caller_arn() == first
    world.aws.expire_credentials()
    await world.source.fetch(SCOPE, demand())
    assert world.aws.count("CreateSession") == 2
    assert await world.source.caller_arn() != first


async def test_session_is_renewed_before_it_ends(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has to be refused first: what is left of a session is looked at with each token."""
    world.root.write(world.folder)
    await world.source.fetch(SCOPE, demand())
    monkeypatch.setattr(roles_anywhere, "_RENEWAL", timedelta(hours=1))
    await world.source.fetch(SCOPE, demand())
    assert world.aws.count("CreateSession") == 2


def _swap(world: World) -> None:
    key = (world.folder / "tls.key").read_bytes()
    world.root.write(world.folder)
    (world.folder / "tls.key").write_bytes(key)


def _name_with_parentheses(world: World) -> None:
    anchor(world.aws, world.root, ROLE, names=["pullkeeper (prod)"])
    world.root.write(world.folder, name="pullkeeper (prod)")


FAILURES: dict[str, tuple[Callable[[World], object], Reason, str]] = {
    "missing": (lambda w: (w.folder / "tls.crt").unlink(), Reason.CREDENTIALS_MISSING, "tls.crt: No such file"),
    "no key": (lambda w: (w.folder / "tls.key").unlink(), Reason.CREDENTIALS_MISSING, "tls.key: No such file"),
    "empty": (lambda w: (w.folder / "tls.crt").write_text(""), Reason.CREDENTIALS_MISSING, "holds no certificate"),
    "garbage": (lambda w: (w.folder / "tls.key").write_text("x"), Reason.CREDENTIALS_MISSING, "holds no private key"),
    "large": (lambda w: (w.folder / "tls.key").write_text("x" * 70_000), Reason.CREDENTIALS_MISSING, "larger than 64"),
    "mismatch": (_swap, Reason.CREDENTIALS_INVALID, "is not the key of"),
    "expired": (
        lambda w: w.root.write(w.folder, starts=timedelta(days=-2), ends=timedelta(seconds=-5)),
        Reason.CREDENTIALS_INVALID,
        "the client certificate has expired (CN=pullkeeper, issued by CN=root, valid until ",
    ),
    "not yet": (
        lambda w: w.root.write(w.folder, starts=timedelta(days=1)),
        Reason.CREDENTIALS_INVALID,
        "is not valid yet",
    ),
    "Ed25519": (
        lambda w: w.root.write(w.folder, key=ed25519.Ed25519PrivateKey.generate()),
        Reason.CONFIGURATION_INVALID,
        "P-256 or P-384",
    ),
    "P-521": (
        lambda w: w.root.write(w.folder, key=ec.generate_private_key(ec.SECP521R1())),
        Reason.CONFIGURATION_INVALID,
        "P-256 or P-384",
    ),
    "no usage": (
        lambda w: w.root.write(w.folder, key_usage=None),
        Reason.CONFIGURATION_INVALID,
        "tls.crt has no key usage digital signature",
    ),
    "usage of a server": (
        lambda w: w.root.write(w.folder, key_usage=usage(enciphers=True)),
        Reason.CONFIGURATION_INVALID,
        "the key usage digital signature (usages of the Certificate)",
    ),
    "no constraints": (
        lambda w: w.root.write(w.folder, ca=None),
        Reason.CONFIGURATION_INVALID,
        "tls.crt has no basic constraints",
    ),
    "a CA's own": (
        lambda w: w.root.write(w.folder, ca=True, key_usage=USAGE),
        Reason.CONFIGURATION_INVALID,
        "tls.crt is the certificate of a CA",
    ),
    "a CA that may issue none": (
        lambda w: w.root.intermediate(key_usage=SIGNS).write(w.folder),
        Reason.ACCESS_DENIED,
        "does not trust the client certificate",
    ),
    "a CA that may have none below": (
        lambda w: w.root.intermediate(path_length=0).intermediate().write(w.folder),
        Reason.ACCESS_DENIED,
        "does not trust the client certificate",
    ),
    "name that is no tag": (
        _name_with_parentheses,
        Reason.CONFIGURATION_INVALID,
        "cannot make session tags of the certificate's names",
    ),
    "wrong CA": (lambda w: authority().write(w.folder), Reason.ACCESS_DENIED, "does not trust the client certificate"),
    "wrong name": (
        lambda w: w.root.write(w.folder, name="somebody"),
        Reason.ACCESS_DENIED,
        "refused CreateSession for arn:aws:iam::123456789012:role/controller (AccessDeniedException): the role may not",
    ),
    "no anchor": (lambda w: w.aws.roles_anywhere.anchors.pop(ANCHOR), Reason.CONFIGURATION_INVALID, "trust anchor"),
    "no profile": (lambda w: w.aws.roles_anywhere.profiles.pop(PROFILE), Reason.CONFIGURATION_INVALID, "profile"),
    "throttled": (
        lambda w: w.aws.fail("ThrottlingException", 429, operation="CreateSession"),
        Reason.THROTTLED,
        "too many",
    ),
    "failing": (lambda w: w.aws.fail("InternalFailure", 500, operation="CreateSession"), Reason.SERVICE_ERROR, "fails"),
    "reset": (lambda w: w.aws.reset(operation="CreateSession"), Reason.NETWORK_UNREACHABLE, "rolesanywhere.eu-west-1"),
    "html": (
        lambda w: w.aws.garbage(Garbage.INVALID_BODY, operation="CreateSession"),
        Reason.MALFORMED_ANSWER,
        "prox",
    ),
    "unreachable": (
        lambda w: w.aws.network.unreachable("rolesanywhere.*"),
        Reason.NETWORK_UNREACHABLE,
        "IAM Roles Anywhere at rolesanywhere.eu-west-1.amazonaws.com",
    ),
}


@pytest.mark.parametrize("case", FAILURES)
async def test_failure_is_explained(world: World, case: str) -> None:
    """What is wrong and what to do, in one message; and it ends with its cause."""
    spoil, reason, words = FAILURES[case]
    world.root.write(world.folder)
    spoil(world)
    found, message = await world.failure()
    assert words in message
    assert found is reason
    key = world.folder / "tls.key"
    assert not key.exists() or "PRIVATE" not in message


@pytest.mark.parametrize("name", ["certificate", "signature-credentials"])
async def test_a_denial_is_not_told_from_the_name_of_the_role(
    world: World, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS repeats the role's ARN, which may hold the words by which other causes are known."""
    role = f"arn:aws:iam::{ACCOUNT}:role/{name}"
    anchor(world.aws, world.root, role)
    monkeypatch.setattr(f"{__name__}.ROLE", role)
    world.root.write(world.folder, name="somebody")
    world.source = world.new_source()
    reason, message = await world.failure()
    assert "the role may not be taken through the profile" in message
    assert reason is Reason.ACCESS_DENIED


async def test_a_spiffe_id_is_named_where_there_is_no_subject(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """An X.509-SVID needs none; the role trusts the URI, which becomes a session tag as well."""
    spiffe_id = "spiffe://example.org/ns/pullkeeper-system/sa/pullkeeper"
    anchor(world.aws, world.root, ROLE, names=[spiffe_id])
    world.root.write(world.folder, name="", uri=spiffe_id)
    await world.source.fetch(SCOPE, demand())
    caplog.set_level("INFO")
    await world.source.log_credential_source()
    assert f"with the certificate {spiffe_id}, issued by CN=root" in caplog.text


async def test_short_disturbance_is_not_noticed(world: World) -> None:
    """Two failures of AWS's are retried, as botocore does for other sources."""
    world.root.write(world.folder)
    world.aws.fail("InternalFailure", 503, operation="CreateSession", times=2)
    await world.source.fetch(SCOPE, demand())
    assert [code for service, _, code in world.harness.recorder.tries if service == "rolesanywhere"] == [503, 503, 201]


async def test_files_that_are_being_replaced_are_read_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A helper empties and writes the certificate, then the key; the controller may look in between, at any step."""
    world.root.write(world.folder)
    new = world.folder.with_name("new")
    world.root.write(new)
    steps = iter([("tls.crt", b""), ("tls.crt", (new / "tls.crt").read_bytes()), ("tls.key", b"")])
    last = ("tls.key", (new / "tls.key").read_bytes())

    def write(_: float = 0) -> None:
        name, content = next(steps, last)
        (world.folder / name).write_bytes(content)

    monkeypatch.setattr(client_certificate, "time", SimpleNamespace(sleep=write))
    write()
    await world.source.fetch(SCOPE, demand())
    assert next(steps, None) is None


async def test_source_is_named_with_its_certificate_and_asks_nobody(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Subject, issuer and end; an unreadable one fails there already."""
    caplog.set_level("INFO")
    world.root.write(world.folder)
    await world.source.log_credential_source()
    (said,) = [each.getMessage() for each in caplog.records if "AWS credentials" in each.getMessage()]
    end = r"20[0-9-]{8}T[0-9:]{8}Z"
    certificate = rf"the certificate CN=pullkeeper, issued by CN=root, valid until {end}"
    assert re.fullmatch(rf"AWS credentials: iam-roles-anywhere with {certificate}, as {ROLE}", said)
    assert world.aws.calls == []
    (world.folder / "tls.key").unlink()
    with pytest.raises(FailureError, match=r"tls.key: No such file"):
        await world.source.credential_method()


@pytest.mark.parametrize(("name", "reason"), [("pullkeeper", None), ("another", Reason.ACCESS_DENIED)])
async def test_the_trust_policy_that_iam_prints_is_for_this_certificate(
    world: World, name: str, reason: Reason | None
) -> None:
    """`pullkeeper iam` names the trust anchor and the certificate: another one of the same CA gets no session."""
    controller = Controller(
        role=parse_role(ROLE),
        issuer="",
        subject="",
        audience="",
        anywhere=parse(settings(world.folder, ROLE)),
        certificate_name="pullkeeper",
    )
    load(world.aws, json.loads(as_json(plan(Policy(registries=(EU,)), controller, {}))))
    world.root.write(world.folder, name=name)
    if reason is None:
        assert (await world.source.fetch(SCOPE, demand())).auth.reveal()
    else:
        assert (await world.failure())[0] is reason


REGIONS = {
    "eu-west-1": "aws",
    "cn-northwest-1": "aws-cn",
    "us-gov-east-1": "aws-us-gov",
    "us-iso-east-1": "aws-iso",
    "us-isob-east-1": "aws-iso-b",
    "eu-isoe-west-1": "aws-iso-e",
    "us-isof-south-1": "aws-iso-f",
    "eusc-de-east-1": "aws-eusc",
}


@pytest.mark.parametrize("region", REGIONS)
def test_endpoint_is_the_one_that_botocore_knows(region: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In each partition, also with FIPS and dual-stack: by the rules that the image does not have."""
    rules = Loader().load_service_model("rolesanywhere", "endpoint-rule-set-1")
    provider = EndpointProvider(rules, Loader().load_data("partitions"))
    arn = f"arn:{REGIONS[region]}:rolesanywhere:{region}:{ACCOUNT}"
    anchor_id = "11111111-1111-1111-1111-111111111111"
    given = {"trustAnchorArn": f"{arn}:trust-anchor/{anchor_id}", "profileArn": f"{arn}:profile/{anchor_id}"}
    role = f"arn:{REGIONS[region]}:iam::{ACCOUNT}:role/a"
    identity = parse({**given, "roleArn": role, "certificateFile": "a", "keyFile": "b"})
    for fips, dual_stack in product((False, True), repeat=2):
        monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", str(fips).lower())
        monkeypatch.setenv("AWS_USE_DUALSTACK_ENDPOINT", str(dual_stack).lower())
        found = provider.resolve_endpoint(Region=region, UseFIPS=fips, UseDualStack=dual_stack)
        assert roles_anywhere._endpoint(identity, Session()) == found.url  # noqa: SLF001 -- no fake has them all


async def test_service_that_hangs_is_given_up_and_asked_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the one deadline of all credentials; the failure names the host."""
    world.root.write(world.folder)
    fault = world.aws.hang(operation="CreateSession")
    with monkeypatch.context() as patch:
        patch.setattr(credentials, "SECONDS", 0.3)
        reason, message = await world.failure()
    assert reason is Reason.CREDENTIALS_TIMEOUT
    assert "IAM Roles Anywhere at rolesanywhere.eu-west-1.amazonaws.com" in message
    fault.clear()
    await world.source.fetch(SCOPE, demand())
