"""Checks against AWS: what they say, and that it works once somebody has done what they say."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pullkeeper.adapters.aws import clients
from pullkeeper.cli.check import run_check
from pullkeeper.cli.checks_aws import AwsChecks
from pullkeeper.domain.config.policy import Policy, RoleGrant
from pullkeeper.domain.config.settings import Settings, parse_settings
from pullkeeper.domain.ecr import registry_host
from pullkeeper.domain.iam import roles_anywhere
from pullkeeper.domain.views.check_result import CheckResult, Outcome
from tests.unit.adapters import cause_cases as cases
from tests.unit.adapters.aws_harness import client_config
from tests.unit.adapters.cause_cases import ROLE, SUBJECT, Surroundings
from tests.unit.adapters.identity_harness import identity_harness
from testsupport.client_certificates import authority, settings
from testsupport.examples import EU
from testsupport.fake_aws.issuer import Issuer

TOKEN = "token in eu-west-1"
CERTIFICATE = "client certificate"
WEB = "web identity token"
OTHER = "https://oidc.eks.eu-west-1.amazonaws.com/id/OTHER"
BEIJING = registry_host.parse("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Surroundings]:
    monkeypatch.setattr(clients, "CLIENT_CONFIG", client_config())
    monkeypatch.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0)
    with identity_harness(monkeypatch) as harness:
        yield Surroundings(harness, tmp_path)


async def results(
    world: Surroundings, *hosts: registry_host.RegistryHost, roles: Sequence[str] = ()
) -> Mapping[str, CheckResult]:
    """Run every check with these default registries, and roles that namespaces may use."""
    policy = Policy(registries=hosts or (EU,), roles=tuple(RoleGrant(role=role) for role in roles))
    settings = Settings(policy=policy, allow_node_instance_role=world.allows_node)
    checks = AwsChecks(settings, os.environ, clock=world.harness.clock)
    found = [result for name, check in checks.all() for result in await run_check(name, check)]
    return {result.check: result for result in found}


def is_well(found: Mapping[str, CheckResult]) -> bool:
    return all(result.outcome is not Outcome.FAILED for result in found.values())


def restore_network(world: Surroundings) -> None:
    world.aws.network.restore()


def trust_the_other_issuer(world: Surroundings) -> None:
    issuer = Issuer(OTHER)
    world.aws.trust_issuer(OTHER, issuer.jwks())
    world.write("token", issuer.token(SUBJECT))


def serve_the_keys(world: Surroundings) -> None:
    world.aws.trust_issuer(world.harness.issuer.url, world.harness.issuer.jwks())


def associate(world: Surroundings) -> None:
    world.aws.clear_faults()
    world.aws.associate(ROLE, token="pod-identity-token")


def exempt_metadata(world: Surroundings) -> None:
    world.aws.set_node_role(ROLE)
    world.harness.environ("AWS_EC2_METADATA_SERVICE_ENDPOINT", world.aws.url)
    for name in ("NO_PROXY", "no_proxy"):
        world.harness.environ(name, f"{os.environ[name]},169.254.169.254")


def print_credentials(world: Surroundings) -> None:
    keys = world.aws.static_credentials
    answer = f'{{"Version":1,"AccessKeyId":"{keys.access_key_id}","SecretAccessKey":"{keys.secret_access_key}"}}'
    world.write("program", f"echo '{answer}'")


def give_one_profile_keys(world: Surroundings) -> None:
    keys = world.aws.static_credentials
    world.profile(f"aws_access_key_id = {keys.access_key_id}", f"aws_secret_access_key = {keys.secret_access_key}")


def set_the_clock(world: Surroundings) -> None:
    world.harness.clock.ahead *= 0
    world.web_identity()


def name_the_mounted_ca(world: Surroundings) -> None:
    world.harness.environ("AWS_CA_BUNDLE", world.aws.network.ca_file)


FIXES: list[tuple[Callable[[Surroundings], None], str, Callable[[Surroundings], None]]] = [
    (cases.sts_unreachable, "check DNS, egress", restore_network),
    (cases.unknown_ca, "name its file in AWS_CA_BUNDLE", name_the_mounted_ca),
    (cases.ca_bundle_absent, "correct AWS_CA_BUNDLE", name_the_mounted_ca),
    (cases.profile_not_found, "unset AWS_PROFILE", lambda world: world.configure()),
    (cases.half_a_key, "set the missing part", lambda world: world.configure()),
    (cases.sso_not_logged_in, "use IRSA", lambda world: world.web_identity()),
    (cases.source_profile_loop, "credentials of its own", give_one_profile_keys),
    (cases.process_failing, "run the same command", print_credentials),
    (cases.process_without_json, "print one JSON object", print_credentials),
    (cases.pod_identity_has_no_association, "associate a role", associate),
    (
        cases.endpoint_without_scheme_for_sts,
        "begin AWS_ENDPOINT_URL (or AWS_ENDPOINT_URL_STS, _ECR, _ECR_PUBLIC, or endpoint_url) with https://",
        lambda world: world.harness.environ("AWS_ENDPOINT_URL_STS", "https://sts.eu-west-1.amazonaws.com"),
    ),
    (
        cases.bad_session_name,
        "correct AWS_ROLE_SESSION_NAME",
        lambda world: world.harness.environ("AWS_ROLE_SESSION_NAME", "pullkeeper"),
    ),
    (cases.bad_role_arn, "check the role's ARN", lambda world: world.harness.environ("AWS_ROLE_ARN", ROLE)),
    (cases.metadata_behind_a_proxy, "add 169.254.169.254, or", exempt_metadata),
    (cases.no_provider, "create one there", trust_the_other_issuer),
    (
        cases.wrong_audience,
        "project the token for one that it lists",
        lambda world: world.web_identity(),
    ),
    (cases.unreachable_keys, "public over HTTPS", serve_the_keys),
    (cases.token_expired, "the kubelet does not renew", lambda world: world.web_identity()),
    (cases.token_empty, "mount a projected", lambda world: world.web_identity()),
    (cases.token_absent, "mount a projected", lambda world: world.web_identity()),
    (cases.role_of_another_partition, "an identity of the registry's partition", lambda world: world.web_identity()),
    (cases.proxy_wants_a_login, "the login into HTTPS_PROXY", restore_network),
    (cases.clock_ahead, "set the node's clock", set_the_clock),
]


@pytest.mark.parametrize(("break_it", "advice", "mend"), FIXES, ids=[each[0].__name__ for each in FIXES])
async def test_what_a_check_advises_works(
    world: Surroundings,
    break_it: Callable[[Surroundings], None],
    advice: str,
    mend: Callable[[Surroundings], None],
) -> None:
    """It fails and says what to do; done, all is well."""
    break_it(world)
    found = await results(world)
    said = " ".join(f"{result.detail} {result.fix}" for result in found.values() if result.outcome is Outcome.FAILED)
    assert advice in said
    mend(world)
    mended = await results(world)
    assert is_well(mended), mended


async def test_the_token_is_described_and_never_shown(world: Surroundings) -> None:
    """Issuer, subject, audience, expiry, and the provider that must exist."""
    world.web_identity()
    token = (world.folder / "token").read_text()
    found = (await results(world))[WEB]
    assert found.outcome is Outcome.PASSED
    assert f"issuer {world.harness.issuer.url}, subject {SUBJECT}, audience sts.amazonaws.com" in found.detail
    provider = world.harness.issuer.url.removeprefix("https://")
    assert f"needs the IAM OIDC provider arn:aws:iam::123456789012:oidc-provider/{provider}" in found.detail
    assert not [part for part in token.split(".") if part in repr(found)]


async def test_without_a_token_that_is_skipped(world: Surroundings) -> None:
    """Keys need none."""
    world.configure()
    assert (await results(world))[WEB].outcome is Outcome.SKIPPED


async def test_a_partition_that_does_not_fit_is_found_before_any_call(world: Surroundings) -> None:
    """The registry of the role's own partition is asked all the same."""
    world.web_identity()
    found = (await results(world, BEIJING))["token in cn-north-1"]
    assert found.outcome is Outcome.FAILED
    assert found.detail == f"the role {ROLE} is of partition aws, the region cn-north-1 of aws-cn (PartitionMismatch)"
    assert world.aws.count(region="cn-north-1") == 0
    assert (await results(world, EU, BEIJING))[TOKEN].outcome is Outcome.PASSED


async def test_roles_of_another_partition_are_found_before_any_call(world: Surroundings) -> None:
    """By the partition of the controller's role, else of its region; each with its place in the settings."""
    roles = [ROLE, ROLE.replace("arn:aws:", "arn:aws-cn:")]
    world.web_identity()
    found = (await results(world, roles=roles))["roles"]
    assert (found.outcome, found.detail) == (
        Outcome.FAILED,
        f"roles[1] ({roles[1]}) is of partition aws-cn, the controller's credentials are of aws (PartitionMismatch)",
    )
    assert (await results(world, roles=roles[:1]))["roles"].outcome is Outcome.PASSED
    assert "roles" not in await results(world)
    assert world.aws.count("AssumeRole") == 0
    world.harness.environ("AWS_ROLE_ARN", "")
    world.harness.environ("AWS_REGION", "cn-north-1")
    assert "roles[0]" in (await results(world, roles=roles[:1]))["roles"].detail


CERTIFICATES: list[tuple[timedelta, Outcome, str, str]] = [
    (timedelta(days=90, minutes=1), Outcome.PASSED, ": 90 days left", ""),
    (timedelta(days=9, minutes=1), Outcome.WARNING, ": 9 days left", "kubectl describe certificate"),
    (timedelta(seconds=-5), Outcome.FAILED, ": expired", "kubectl describe certificate"),
]


@pytest.mark.parametrize(("ends", "outcome", "detail", "fix"), CERTIFICATES)
async def test_the_certificate_is_described_with_the_days_that_are_left(
    tmp_path: Path, ends: timedelta, outcome: Outcome, detail: str, fix: str
) -> None:
    """Subject and issuer too; it takes the place of the web identity token."""
    authority().write(tmp_path / "tls", starts=timedelta(days=-90), ends=ends)
    found = await _certificate(tmp_path / "tls")
    assert found.outcome is outcome
    assert found.detail.startswith("CN=pullkeeper, issued by CN=root, valid until 2")
    assert found.detail.endswith(detail)
    assert fix in found.fix


async def test_an_unreadable_certificate_says_which_file(tmp_path: Path) -> None:
    """And what to mount there."""
    found = await _certificate(tmp_path / "tls")
    assert (found.outcome, found.fix) == (Outcome.FAILED, "mount a Secret with tls.crt and tls.key")
    assert found.detail == f"{tmp_path}/tls/tls.crt: No such file or directory"


async def test_a_certificate_that_aws_takes_from_nobody_says_what_it_lacks(tmp_path: Path) -> None:
    """To mount another Secret would not help."""
    authority().write(tmp_path / "tls", key_usage=None)
    found = await _certificate(tmp_path / "tls")
    assert found.outcome is Outcome.FAILED
    assert found.detail == f"{tmp_path}/tls/tls.crt has no key usage digital signature"
    assert found.fix.startswith("issue one with")


async def _certificate(folder: Path) -> CheckResult:
    given = Settings(roles_anywhere=roles_anywhere.parse(settings(folder, ROLE)))
    checks = dict(AwsChecks(given, {}, clock=lambda: datetime.now(UTC)).all())
    assert WEB not in checks
    (found,) = await checks[CERTIFICATE]()
    return found


async def test_each_named_identity_has_checks_of_its_own(world: Surroundings, tmp_path: Path) -> None:
    """Its credentials, what proves them, who it is, and a token of each of its registries."""
    role = "arn:aws-cn:iam::123456789012:role/china"
    world.aws.allow_role(role, trusts_subjects=SUBJECT)
    world.write("token", world.harness.issuer.token(SUBJECT))
    authority().write(tmp_path / "tls")
    given = [
        {
            "name": "china",
            "registries": ["*.cn"],
            "webIdentity": {"roleArn": role, "tokenFile": str(world.folder / "token")},
        },
        {"name": "edge", "registries": ["1*"], "rolesAnywhere": settings(tmp_path / "tls", ROLE)},
    ]
    parsed = parse_settings({"identities": given, "registries": [EU.name, BEIJING.name]}, {})
    checks = AwsChecks(parsed, os.environ, clock=world.harness.clock)
    found = {each.check: each for name, check in checks.all() for each in await run_check(name, check)}
    named = {name: each.outcome for name, each in found.items() if " of identity " in name}
    assert named == {
        "AWS credentials of identity china": Outcome.PASSED,
        "web identity token of identity china": Outcome.PASSED,
        "AWS caller of identity china": Outcome.PASSED,
        "token in cn-north-1 of identity china": Outcome.PASSED,
        "AWS credentials of identity edge": Outcome.PASSED,
        "client certificate of identity edge": Outcome.PASSED,
        "AWS caller of identity edge": Outcome.FAILED,
        "token in eu-west-1 of identity edge": Outcome.FAILED,
    }
    assert f"{role.rpartition('/')[2]}/pullkeeper" in found["AWS caller of identity china"].detail
