"""Each cause that the world has, provoked: its reason, what is said of it, the fix, and whether somebody is needed."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pullkeeper.adapters.aws import clients
from pullkeeper.domain.errors.failures import EXPLANATIONS, Actor, Reason
from tests.unit.adapters import cause_cases as cases
from tests.unit.adapters.aws_harness import client_config
from tests.unit.adapters.cause_cases import Surroundings
from tests.unit.adapters.identity_harness import IdentityHarness, identity_harness

Play = Callable[[Surroundings], None]
STS = "STS at sts.eu-west-1.amazonaws.com"
ECR = "ECR at api.ecr.eu-west-1.amazonaws.com"
CASES: list[tuple[Play, Reason, str, str]] = [
    (cases.sts_unreachable, Reason.NETWORK_UNREACHABLE, f"no response from {STS}", "check DNS, egress"),
    (cases.unknown_ca, Reason.CERTIFICATE_UNTRUSTED, f"the certificate of {STS} is of a CA that", "in AWS_CA_BUNDLE"),
    (cases.unknown_ca_of_ecr, Reason.CERTIFICATE_UNTRUSTED, f"the certificate of {ECR} is of a", "in AWS_CA_BUNDLE"),
    (cases.ca_bundle_absent, Reason.CONFIGURATION_INVALID, "CA certificates cannot be read", "correct AWS_CA_BUNDLE"),
    (cases.ca_bundle_absent_for_ecr, Reason.CONFIGURATION_INVALID, "CA certificates cannot be", "correct AWS_CA_BUND"),
    (cases.ca_bundle_no_pem, Reason.CONFIGURATION_INVALID, "or holds none", "correct AWS_CA_BUNDLE"),
    (cases.ca_bundle_empty, Reason.CONFIGURATION_INVALID, "is empty", "unset AWS_CA_BUNDLE"),
    (cases.config_file_malformed, Reason.CONFIGURATION_INVALID, "configuration file is malformed", "AWS_CONFIG_FILE"),
    (cases.profile_not_found, Reason.CONFIGURATION_INVALID, "there is no such profile", "unset AWS_PROFILE"),
    (cases.profile_without_credentials, Reason.CREDENTIALS_MISSING, "no AWS credentials", "IRSA or EKS Pod Identity"),
    (cases.half_a_key, Reason.CREDENTIALS_MISSING, "a part of the credentials", "beside AWS_ACCESS_KEY_ID"),
    (cases.sso_not_logged_in, Reason.CREDENTIALS_INVALID, "nobody is logged in", "use IRSA or Pod Identity"),
    (cases.sso_session_not_logged_in, Reason.CREDENTIALS_INVALID, "nobody is logged in", "use IRSA or Pod Identity"),
    (cases.login_session_expired, Reason.CONFIGURATION_INVALID, "needs a library", "use another source"),
    (cases.source_profile_loop, Reason.CONFIGURATION_INVALID, "in a circle", "credentials of its own"),
    (cases.source_profile_absent, Reason.CONFIGURATION_INVALID, "is not valid", "correct the profile"),
    (cases.mfa_wanted, Reason.CONFIGURATION_INVALID, "a code of an MFA device", "without mfa_serial"),
    (cases.process_absent, Reason.CONFIGURATION_INVALID, "/nonexistent/program: No such file", "put the program into"),
    (cases.process_not_executable, Reason.CONFIGURATION_INVALID, "Permission denied", "executable for the container"),
    (cases.process_of_another_machine, Reason.CONFIGURATION_INVALID, "program: Exec format error", "put the program"),
    (cases.process_empty, Reason.CONFIGURATION_INVALID, "(its command is empty)", "put the program into the image"),
    (cases.process_misquoted, Reason.CONFIGURATION_INVALID, "has no counterpart", "as a shell takes it"),
    (cases.process_failing, Reason.CREDENTIALS_MISSING, "failed (exit status 3)", "run the same"),
    (cases.process_killed, Reason.CREDENTIALS_MISSING, "failed (ended by SIGKILL)", "run the same command"),
    (cases.process_of_a_source_profile_failing, Reason.CREDENTIALS_MISSING, "failed (exit status 4)", "run the same"),
    (cases.process_silent, Reason.CONFIGURATION_INVALID, "else than credentials (nothing)", "one JSON object"),
    (cases.process_without_json, Reason.CONFIGURATION_INVALID, "than credentials (no JSON)", "one JSON object"),
    (cases.process_in_another_encoding, Reason.CONFIGURATION_INVALID, "credentials (no JSON)", "one JSON object"),
    (cases.process_with_a_list, Reason.CONFIGURATION_INVALID, "(JSON, but no object)", "one JSON object"),
    (cases.process_without_end, Reason.CONFIGURATION_INVALID, "(more than 64 KiB)", "one JSON object"),
    (cases.process_without_version, Reason.CONFIGURATION_INVALID, "credentials (no Version)", "with Version 1"),
    (cases.process_of_other_version, Reason.CONFIGURATION_INVALID, "credentials (Version 7)", "with Version 1"),
    (cases.process_without_key, Reason.CONFIGURATION_INVALID, "(no SecretAccessKey)", "SecretAccessKey"),
    (cases.process_with_an_empty_key, Reason.CONFIGURATION_INVALID, "(no AccessKeyId)", "AccessKeyId"),
    (
        cases.process_with_a_number_for_a_token,
        Reason.CONFIGURATION_INVALID,
        "a SessionToken that is",
        "one JSON object",
    ),
    (
        cases.process_with_odd_expiration,
        Reason.CONFIGURATION_INVALID,
        "an Expiration that is no time",
        "one JSON object",
    ),
    (cases.process_with_expired_keys, Reason.CREDENTIALS_INVALID, "have expired (2020-01-01T00:00:00Z)", "a cache"),
    (cases.pod_identity_refuses, Reason.ACCESS_DENIED, "agent may not take the role", "trust pods.eks.amazonaws.com"),
    (cases.pod_identity_has_no_association, Reason.CREDENTIALS_MISSING, "has no credentials for", "associate a role"),
    (cases.pod_identity_fails, Reason.SERVICE_ERROR, "the Pod Identity agent fails", "eks-pod-identity-agent"),
    (cases.pod_identity_agent_absent, Reason.CREDENTIALS_MISSING, "agent cannot be reached", "must run on the node"),
    (cases.pod_identity_token_absent, Reason.CREDENTIALS_MISSING, "absent", "the variables name its file"),
    (cases.pod_identity_host_not_allowed, Reason.CONFIGURATION_INVALID, "FULL_URI names", "leave it to EKS to set"),
    (cases.pod_identity_token_with_newline, Reason.CREDENTIALS_INVALID, "has a line break", "mount the projected"),
    (cases.endpoint_without_scheme, Reason.CONFIGURATION_INVALID, "an endpoint is no URL", "with https://"),
    (cases.endpoint_without_scheme_for_sts, Reason.CONFIGURATION_INVALID, "an endpoint is no URL", "with https://"),
    (cases.bad_session_name, Reason.CONFIGURATION_INVALID, "the session name is not one", "AWS_ROLE_SESSION_NAME"),
    (cases.bad_role_arn, Reason.CONFIGURATION_INVALID, "a parameter is malformed", "check the role's ARN"),
    (cases.metadata_behind_a_proxy, Reason.CREDENTIALS_MISSING, "asked through the proxy", "add 169.254.169.254, or"),
    (cases.proxy_redirects_ecr, Reason.MALFORMED_ANSWER, f"answered in place of {ECR}", "let AWS's hosts pass"),
    (cases.proxy_forbids_ecr, Reason.MALFORMED_ANSWER, f"answered in place of {ECR}", "let AWS's hosts pass"),
    (cases.proxy_redirects_sts, Reason.MALFORMED_ANSWER, f"answered in place of {STS}", "let AWS's hosts pass"),
    (cases.proxy_forbids_sts, Reason.MALFORMED_ANSWER, f"answered in place of {STS}", "let AWS's hosts pass"),
    (cases.page_instead_of_ecr, Reason.MALFORMED_ANSWER, "no readable token", "check proxies"),
    (cases.page_instead_of_sts, Reason.MALFORMED_ANSWER, f"response of {STS} could not be read", "check proxies"),
    (cases.proxy_wants_a_login, Reason.PROXY_REFUSED, f"wants a login before it connects to {ECR}", "into HTTPS_PROXY"),
    (cases.proxy_forbids_the_host, Reason.PROXY_REFUSED, f"refuses to connect to {ECR}", "allow AWS's hosts"),
    (cases.proxy_absent, Reason.NETWORK_UNREACHABLE, "the proxy cannot be reached", "correct HTTPS_PROXY"),
    (
        cases.role_of_another_partition,
        Reason.PARTITION_MISMATCH,
        "are of partition aws-cn, eu-west-1 is of aws",
        "use an identity of that partition",
    ),
    (cases.keys_of_another_partition, Reason.CREDENTIALS_INVALID, "access key is not known", "to another partition"),
    (cases.no_provider, Reason.CREDENTIALS_INVALID, "has no IAM OIDC provider", "create one there for exactly"),
    (cases.wrong_audience, Reason.CREDENTIALS_INVALID, "does not list the token's audience", "provider's client IDs"),
    (cases.unreachable_keys, Reason.CREDENTIALS_INVALID, "finds no key of the issuer", "public over HTTPS"),
    (cases.token_expired, Reason.CREDENTIALS_INVALID, "the projected token has expired", "why the kubelet"),
    (cases.token_empty, Reason.CREDENTIALS_INVALID, "a parameter is malformed", "the projected token is not empty"),
    (cases.token_absent, Reason.CREDENTIALS_MISSING, "absent", "projected token is mounted"),
    (cases.token_unreadable, Reason.CREDENTIALS_MISSING, "cannot be read", "projected token is mounted"),
    (cases.token_no_jwt, Reason.CREDENTIALS_INVALID, "does not hold a ServiceAccount's token", "mount a projected"),
    (cases.keys_not_fetched, Reason.SERVICE_ERROR, "could not fetch the keys", "is retried"),
    (cases.clock_ahead, Reason.CREDENTIALS_INVALID, "had expired when they came", "set the node's clock"),
    (cases.signature_late, Reason.CREDENTIALS_INVALID, "the node's clock is wrong", "set the node's clock"),
    (cases.signature_wrong, Reason.CREDENTIALS_INVALID, "does not belong to the access key", "AWS_SECRET_ACCESS_KEY"),
    (cases.session_tags_too_large, Reason.CONFIGURATION_INVALID, "the session's tags", "switch sessionTags off"),
    (cases.session_too_long, Reason.CONFIGURATION_INVALID, "for longer than the role allows", "MaxSessionDuration"),
    (cases.account_not_signed_up, Reason.ACCESS_DENIED, "is not signed up for the service", "registration"),
    (cases.signature_stripped, Reason.CREDENTIALS_INVALID, "signature did not arrive", "Authorization header"),
    (cases.endpoint_of_another_service, Reason.CONFIGURATION_INVALID, f"{ECR} does not know", "AWS_ENDPOINT_URL"),
    (cases.aws_broken, Reason.SERVICE_ERROR, f"{ECR} fails", "is retried"),
    (cases.load_balancer_of_aws_broken, Reason.SERVICE_ERROR, f"{STS} fails", "is retried"),
    (cases.throttled_by_the_load_balancer, Reason.THROTTLED, "too many requests", "is retried"),
    (cases.connection_broken_off, Reason.NETWORK_UNREACHABLE, f"no response from {ECR}", "check DNS, egress"),
    (cases.nothing_listens, Reason.NETWORK_UNREACHABLE, "nothing listens there", "AWS_ENDPOINT_URL"),
    (cases.name_unknown, Reason.NETWORK_UNREACHABLE, "name cannot be resolved", "check DNS"),
    (cases.no_tls_there, Reason.NETWORK_UNREACHABLE, "TLS with ECR at 127.0.0.1:", "does not speak TLS"),
    (cases.region_no_region, Reason.REGION_INVALID, "no such region", "AWS_REGION"),
    (cases.fips_where_there_is_none, Reason.NETWORK_UNREACHABLE, "api.ecr-fips.eu-west-1", "demands FIPS"),
    (cases.metadata_mode_invalid, Reason.CONFIGURATION_INVALID, "is not one of those", "that botocore names"),
    (cases.metadata_endpoint_invalid, Reason.CONFIGURATION_INVALID, "is malformed", "correct the AWS_* variables"),
    (cases.defaults_mode_invalid, Reason.CONFIGURATION_INVALID, "is not one of those", "that botocore names"),
    (cases.regional_endpoints_invalid, Reason.CONFIGURATION_INVALID, "is not one of those", "that botocore names"),
]
NOBODY_NEEDED = {Reason.NETWORK_UNREACHABLE, Reason.SERVICE_ERROR, Reason.THROTTLED}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Surroundings]:
    monkeypatch.setattr(clients, "CLIENT_CONFIG", client_config())
    monkeypatch.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0)
    with identity_harness(monkeypatch) as harness:
        yield Surroundings(harness, tmp_path)


@pytest.mark.filterwarnings("ignore:The 'filename' attribute will be removed:DeprecationWarning")  # Python 3.11's own
@pytest.mark.parametrize(("play", "reason", "what", "fix"), CASES, ids=[case[0].__name__ for case in CASES])
async def test_a_cause_has_its_reason_and_its_fix(
    world: Surroundings, play: Play, reason: Reason, what: str, fix: str
) -> None:
    """Nothing is made up: a real botocore raises it. What a program or a token says is not quoted."""
    play(world)
    found = await world.harness.failure()
    assert found.reason is reason, found
    assert what in found.message, found
    assert fix in found.message, found
    assert (EXPLANATIONS[reason].actor is Actor.NOBODY) is (reason in NOBODY_NEEDED)
    assert "hush" not in str(found)


@pytest.mark.parametrize(
    ("play", "words"),
    [
        (cases.profile_not_found, "The config profile (nope) could not be found"),
        (cases.source_profile_loop, "already been visited"),
        (cases.process_failing, "cannot open store"),
        (cases.no_provider, "No OpenIDConnect provider found in your account for https://oidc.eks"),
        (cases.pod_identity_refuses, "EKS does not have permissions to assume the associated role"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
async def test_words_that_help_are_quoted(world: Surroundings, play: Play, words: str) -> None:
    """Those of the configuration, of AWS, and of its agent."""
    play(world)
    assert words in (await world.harness.failure()).detail


async def test_an_agents_words_are_quoted_without_what_may_be_a_key(world: Surroundings) -> None:
    """It may say anything."""
    world.pod_identity()
    secret = "FwoGZXIvYXdzEBYaDExample7secret/session+token=="
    world.aws.fail(service="container", code="Odd", status=400, message=f"no use for {secret} today")
    found = await world.harness.failure()
    assert "no use for … today" in found.detail
    assert secret not in repr(found)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 1", ""),
        (r"printf 'first\n  last \033[2Jline \n\n' >&2; exit 1", r"last \x1b[2Jline"),
        (r"printf 'caf\351' >&2; exit 1", "caf\ufffd"),
        ("echo 'no use for AKIAIOSFODNN7EXAMPLE' >&2; exit 1", "no use for …"),
        ("""echo '{"SecretAccessKey": "short"}' >&2; exit 1""", '{"SecretAccessKey": "…"}'),
        ("yes word | head -n 90 | tr '\\n' ' ' >&2; exit 1", f"{'word ' * 90}"[:299] + "…"),
        ("yes 12345678 | head -c 90000 | tr -d '\\n' >&2; exit 1", ""),
    ],
)
async def test_a_programs_last_line_is_quoted_without_what_may_be_a_key(
    world: Surroundings, script: str, said: str
) -> None:
    """It is bounded and escaped, and nothing of a line whose beginning was not kept."""
    world.process(script)
    assert (await world.harness.failure()).detail == said


async def test_pages_of_proxies_are_not_quoted(world: Surroundings) -> None:
    """They say nothing to anybody."""
    cases.proxy_forbids_ecr(world)
    assert "<" not in str(await world.harness.failure())


def test_every_case_is_in_the_table() -> None:
    """None is left out by mistake."""
    plays = {name for name, each in vars(cases).items() if callable(each) and each.__module__ == cases.__name__}
    assert plays - {Surroundings.__name__} == {case[0].__name__ for case in CASES}


async def test_the_harness_is_well_without_a_case(world: Surroundings) -> None:
    """So that what fails above fails for its own cause."""
    harness: IdentityHarness = world.harness
    for way in (world.configure, world.web_identity):
        way()
        assert (await harness.fetch()).region == "eu-west-1"
