"""Environments in which the controller gets no token from AWS: each by a cause of its own, provoked and not made up."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from tests.unit.adapters.identity_harness import IdentityHarness
from testsupport.fake_aws import ACCOUNT
from testsupport.fake_aws.issuer import Issuer

ROLE = f"arn:aws:iam::{ACCOUNT}:role/controller"
SUBJECT = "system:serviceaccount:pullkeeper:controller"


class Surroundings:
    """What a case changes before a token is fetched."""

    def __init__(self, harness: IdentityHarness, folder: Path) -> None:
        self.harness = harness
        self.aws = harness.aws
        self.folder = folder
        self.allows_node = False
        self.aws.allow_role(ROLE, trusts_subjects=SUBJECT)

    def write(self, name: str, text: str) -> str:
        """Write a file and return its path."""
        file = self.folder / name
        file.write_text(text)
        return str(file)

    def configure(self, added: Mapping[str, str] | None = None, *, without: Sequence[str] = ()) -> None:
        """Give the process static keys, and what is added."""
        self._configure(self.aws.environment(), added, without)

    def without_keys(self, added: Mapping[str, str] | None = None, *, node: bool = False) -> None:
        """Give the process no keys, but what is added."""
        self._configure(self.aws.environment(), added, ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), node=node)

    def profile(self, *lines: str, name: str = "pull", more: str = "") -> None:
        """Give the process a shared profile."""
        file = self.write("config", "\n".join([f"[profile {name}]", *lines, more, ""]))
        self.without_keys({"AWS_CONFIG_FILE": file, "AWS_PROFILE": "pull"})

    def process(self, script: str) -> None:
        """Give the process a profile with this script of a shell as its credential_process."""
        self.profile(f"credential_process = sh {self.write('program', script)}")

    def web_identity(
        self,
        added: Mapping[str, str] | None = None,
        *,
        role: str = ROLE,
        token: str | None = None,
        without: Sequence[str] = (),
    ) -> None:
        """Give the process IRSA."""
        text = self.harness.issuer.token(SUBJECT, now=self.harness.clock()) if token is None else token
        file = self.write("token", text)
        self._configure(self.aws.environment(web_identity_token_file=file, role_arn=role), added, without)

    def pod_identity(self, added: Mapping[str, str] | None = None) -> None:
        """Give the process EKS Pod Identity."""
        file = self.write("token", "pod-identity-token")
        self._configure(self.aws.environment(container_token_file=file), added)

    def _configure(
        self,
        environment: Mapping[str, str],
        added: Mapping[str, str] | None,
        without: Sequence[str] = (),
        *,
        node: bool = False,
    ) -> None:
        self.allows_node = node
        kept = {name: value for name, value in environment.items() if name not in without}
        self.harness.configure(kept | dict(added or {}), allow_node_instance_role=node)


def sts_unreachable(world: Surroundings) -> None:
    world.web_identity()
    world.aws.network.unreachable("sts.*")


def unknown_ca(world: Surroundings) -> None:
    world.web_identity(without=("AWS_CA_BUNDLE",))


def unknown_ca_of_ecr(world: Surroundings) -> None:
    world.configure(without=("AWS_CA_BUNDLE",))


def ca_bundle_empty(world: Surroundings) -> None:
    world.configure({"AWS_CA_BUNDLE": ""})


def ca_bundle_absent(world: Surroundings) -> None:
    world.web_identity({"AWS_CA_BUNDLE": str(world.folder / "absent.pem")})


def ca_bundle_absent_for_ecr(world: Surroundings) -> None:
    world.configure({"AWS_CA_BUNDLE": str(world.folder / "absent.pem")})


def ca_bundle_no_pem(world: Surroundings) -> None:
    world.configure({"AWS_CA_BUNDLE": world.write("ca.pem", "not a certificate")})


def config_file_malformed(world: Surroundings) -> None:
    world.without_keys({"AWS_CONFIG_FILE": world.write("config", "region eu-west-1\n[profile")})


def profile_not_found(world: Surroundings) -> None:
    world.without_keys({"AWS_PROFILE": "nope"})


def profile_without_credentials(world: Surroundings) -> None:
    world.profile("region = eu-west-1")


def half_a_key(world: Surroundings) -> None:
    world.without_keys({"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE"})


def sso_not_logged_in(world: Surroundings) -> None:
    world.profile(
        "sso_start_url = https://example.awsapps.com/start",
        "sso_region = eu-west-1",
        f"sso_account_id = {ACCOUNT}",
        "sso_role_name = puller",
    )
    world.harness.environ("HOME", str(world.folder))


def sso_session_not_logged_in(world: Surroundings) -> None:
    world.profile(
        "sso_session = corp",
        f"sso_account_id = {ACCOUNT}",
        "sso_role_name = puller",
        more="[sso-session corp]\nsso_start_url = https://example.awsapps.com/start\nsso_region = eu-west-1",
    )
    world.harness.environ("HOME", str(world.folder))


def login_session_expired(world: Surroundings) -> None:
    world.profile("login_session = arn:aws:iam::123456789012:user/me")
    world.harness.environ("HOME", str(world.folder))


def source_profile_loop(world: Surroundings) -> None:
    world.profile(
        f"role_arn = {ROLE}",
        "source_profile = other",
        more=f"[profile other]\nrole_arn = {ROLE}\nsource_profile = pull",
    )


def source_profile_absent(world: Surroundings) -> None:
    world.profile(f"role_arn = {ROLE}", "source_profile = other")


def mfa_wanted(world: Surroundings) -> None:
    world.profile(
        f"role_arn = {ROLE}",
        "source_profile = other",
        "mfa_serial = arn:aws:iam::123456789012:mfa/me",
        more="[profile other]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = x",
    )


def process_absent(world: Surroundings) -> None:
    world.profile("credential_process = /nonexistent/program --now")


def process_not_executable(world: Surroundings) -> None:
    world.profile(f"credential_process = {world.write('program', 'text')}")


def process_of_another_machine(world: Surroundings) -> None:
    world.profile(f"credential_process = {world.write('program', 'text')}")
    (world.folder / "program").chmod(0o755)


def process_empty(world: Surroundings) -> None:
    world.profile("credential_process =")


def process_misquoted(world: Surroundings) -> None:
    world.profile("credential_process = sh -c 'exit 1")


def process_failing(world: Surroundings) -> None:
    world.process("echo first >&2; echo cannot open store >&2; echo; exit 3")


def process_killed(world: Surroundings) -> None:
    world.process("kill -9 $$")


def process_of_a_source_profile_failing(world: Surroundings) -> None:
    source = f"[profile other]\ncredential_process = sh {world.write('program', 'exit 4')}"
    world.profile(f"role_arn = {ROLE}", "source_profile = other", more=source)


def process_silent(world: Surroundings) -> None:
    world.process("exit 0")


def process_without_json(world: Surroundings) -> None:
    world.process("echo hush-hush")


def process_in_another_encoding(world: Surroundings) -> None:
    world.process("printf '\\377\\376hush'")


def process_with_a_list(world: Surroundings) -> None:
    world.process("echo '[\"hush\"]'")


def process_without_end(world: Surroundings) -> None:
    world.process("yes hush")


def process_without_version(world: Surroundings) -> None:
    world.process("echo '{}'")


def process_of_other_version(world: Surroundings) -> None:
    world.process("""echo '{"Version": 7}'""")


def process_without_key(world: Surroundings) -> None:
    world.process("""echo '{"Version": 1, "AccessKeyId": "AKIAIOSFODNN7EXAMPLE"}'""")


def process_with_an_empty_key(world: Surroundings) -> None:
    world.process("""echo '{"Version": 1, "AccessKeyId": "", "SecretAccessKey": "hush"}'""")


def process_with_a_number_for_a_token(world: Surroundings) -> None:
    world.process("""echo '{"Version": 1, "AccessKeyId": "A", "SecretAccessKey": "hush", "SessionToken": 1}'""")


def process_with_odd_expiration(world: Surroundings) -> None:
    world.process("""echo '{"Version": 1, "AccessKeyId": "A", "SecretAccessKey": "hush", "Expiration": "soon"}'""")


def process_with_expired_keys(world: Surroundings) -> None:
    answer = """echo '{"Version": 1, "AccessKeyId": "A", "SecretAccessKey": "hush", "SessionToken": "hush",
    "Expiration": "2020-01-01T00:00:00Z"}'"""
    world.process(answer)


def pod_identity_refuses(world: Surroundings) -> None:
    world.pod_identity()
    world.aws.fail(
        service="container",
        code="AccessDeniedException",
        status=400,
        message="Unauthorized Exception! EKS does not have permissions to assume the associated role.",
    )


def pod_identity_has_no_association(world: Surroundings) -> None:
    world.pod_identity()
    world.aws.fail(
        service="container",
        code="ResourceNotFoundException",
        status=404,
        message="(ResourceNotFoundException): Token not found.",
    )


def pod_identity_fails(world: Surroundings) -> None:
    world.pod_identity()
    world.aws.fail(service="container", code="InternalServerException", status=500, message="fetching credentials")


def pod_identity_agent_absent(world: Surroundings) -> None:
    world.pod_identity({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/v1/credentials"})


def pod_identity_token_absent(world: Surroundings) -> None:
    world.pod_identity({"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(world.folder / "absent")})


def pod_identity_host_not_allowed(world: Surroundings) -> None:
    world.pod_identity({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://example.com/v1/credentials"})


def pod_identity_token_with_newline(world: Surroundings) -> None:
    world.pod_identity()
    world.write("token", "hush\nhush")


def endpoint_without_scheme(world: Surroundings) -> None:
    world.configure({"AWS_ENDPOINT_URL": "vpce-1.api.ecr.eu-west-1.vpce.amazonaws.com"})


def endpoint_without_scheme_for_sts(world: Surroundings) -> None:
    world.web_identity({"AWS_ENDPOINT_URL_STS": "vpce-1.sts.eu-west-1.vpce.amazonaws.com"})


def bad_session_name(world: Surroundings) -> None:
    world.web_identity({"AWS_ROLE_SESSION_NAME": "not a good name!"})


def bad_role_arn(world: Surroundings) -> None:
    world.web_identity(role="pullkeeper")


def metadata_behind_a_proxy(world: Surroundings) -> None:
    proxy = world.aws.network.environment["HTTPS_PROXY"]
    found = {"AWS_EC2_METADATA_DISABLED": "false", "AWS_METADATA_SERVICE_TIMEOUT": "1"}
    world.without_keys(found, node=True)
    world.harness.environ("HTTP_PROXY", proxy)
    world.harness.environ("http_proxy", proxy)


def proxy_redirects_ecr(world: Surroundings) -> None:
    world.configure()
    world.aws.garbage("html-page", status=302, service="ecr")


def proxy_forbids_ecr(world: Surroundings) -> None:
    world.configure()
    world.aws.garbage("html-page", status=403, service="ecr")


def proxy_redirects_sts(world: Surroundings) -> None:
    world.web_identity()
    world.aws.garbage("html-page", status=302, service="sts")


def proxy_forbids_sts(world: Surroundings) -> None:
    world.web_identity()
    world.aws.garbage("html-page", status=403, service="sts")


def page_instead_of_ecr(world: Surroundings) -> None:
    world.configure()
    world.aws.garbage("html-page", service="ecr")


def page_instead_of_sts(world: Surroundings) -> None:
    world.web_identity()
    world.aws.garbage("html-page", service="sts")


def proxy_wants_a_login(world: Surroundings) -> None:
    world.configure()
    world.aws.network.unreachable("*", 407)


def proxy_forbids_the_host(world: Surroundings) -> None:
    world.configure()
    world.aws.network.unreachable("*", 403)


def proxy_absent(world: Surroundings) -> None:
    world.configure({"HTTPS_PROXY": "http://127.0.0.1:1", "https_proxy": "http://127.0.0.1:1"})


def role_of_another_partition(world: Surroundings) -> None:
    world.web_identity(role="arn:aws-cn:iam::123456789012:role/controller")


def keys_of_another_partition(world: Surroundings) -> None:
    session = world.aws.add_user("arn:aws-cn:iam::123456789012:user/me")
    world.harness.configure(world.aws.environment(credentials=session))


def no_provider(world: Surroundings) -> None:
    other = Issuer("https://oidc.eks.eu-west-1.amazonaws.com/id/OTHER")
    world.web_identity(token=other.token(SUBJECT))


def wrong_audience(world: Surroundings) -> None:
    world.web_identity(token=world.harness.issuer.token(SUBJECT, audience="vault"))


def unreachable_keys(world: Surroundings) -> None:
    world.aws.trust_issuer(world.harness.issuer.url, {"keys": []})
    world.web_identity()


def token_expired(world: Surroundings) -> None:
    past = world.harness.clock() - timedelta(hours=3)
    world.web_identity(token=world.harness.issuer.token(SUBJECT, now=past))


def token_empty(world: Surroundings) -> None:
    world.web_identity(token="")


def token_absent(world: Surroundings) -> None:
    world.web_identity({"AWS_WEB_IDENTITY_TOKEN_FILE": str(world.folder / "absent")})


def token_unreadable(world: Surroundings) -> None:
    world.web_identity({"AWS_WEB_IDENTITY_TOKEN_FILE": str(world.folder)})


def token_no_jwt(world: Surroundings) -> None:
    world.web_identity(token="no.jwt.at.all")


def keys_not_fetched(world: Surroundings) -> None:
    world.web_identity()
    world.aws.fail(service="sts", code="IDPCommunicationError", status=400, message="An error occurred")


def clock_ahead(world: Surroundings) -> None:
    world.harness.clock.ahead = timedelta(hours=-13)  # of AWS, and botocore goes by the real one
    world.web_identity()


def region_no_region(world: Surroundings) -> None:
    world.web_identity({"AWS_REGION": "eu west 1", "AWS_DEFAULT_REGION": "eu west 1"})


def fips_where_there_is_none(world: Surroundings) -> None:
    world.configure({"AWS_USE_FIPS_ENDPOINT": "true"})


def metadata_mode_invalid(world: Surroundings) -> None:
    world.without_keys({"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "ipv5"})


def metadata_endpoint_invalid(world: Surroundings) -> None:
    world.without_keys(
        {"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://[::"}, node=True
    )


def signature_late(world: Surroundings) -> None:
    world.configure()
    words = "Signature expired: 20261127T000000Z is now earlier than 20261127T130000Z (20261127T130500Z - 5 min.)"
    world.aws.fail("InvalidSignatureException", 400, words, service="ecr")


def signature_wrong(world: Surroundings) -> None:
    world.configure()
    words = "The request signature we calculated does not match the signature you provided."
    world.aws.fail("InvalidSignatureException", 400, words, service="ecr")


def session_tags_too_large(world: Surroundings) -> None:
    world.web_identity()
    world.aws.fail("PackedPolicyTooLarge", 400, "Packed size of session tags consumes 120%", service="sts")


def session_too_long(world: Surroundings) -> None:
    world.web_identity()
    words = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    world.aws.fail("ValidationError", 400, words, service="sts")


def account_not_signed_up(world: Surroundings) -> None:
    world.configure()
    world.aws.fail("OptInRequired", 403, "The AWS Access Key Id needs a subscription for the service", service="ecr")


def signature_stripped(world: Surroundings) -> None:
    world.configure()
    words = "Request is missing Authentication Token"
    world.aws.fail("MissingAuthenticationTokenException", 400, words, service="ecr")


def endpoint_of_another_service(world: Surroundings) -> None:
    world.configure()
    world.aws.fail("UnknownOperationException", 400, "", service="ecr")


def aws_broken(world: Surroundings) -> None:
    world.configure()
    world.aws.fail("InternalFailure", 500, "", service="ecr")


def load_balancer_of_aws_broken(world: Surroundings) -> None:
    world.web_identity()
    world.aws.garbage("html-page", status=503, service="sts")


def throttled_by_the_load_balancer(world: Surroundings) -> None:
    world.configure()
    world.aws.garbage("html-page", status=429, service="ecr")


def connection_broken_off(world: Surroundings) -> None:
    world.configure()
    world.aws.reset(service="ecr")


def nothing_listens(world: Surroundings) -> None:
    world.configure({"AWS_ENDPOINT_URL_ECR": "http://127.0.0.1:1"})


def name_unknown(world: Surroundings) -> None:
    world.configure({"AWS_ENDPOINT_URL_ECR": "https://nowhere.invalid", "NO_PROXY": "*", "no_proxy": "*"})
    world.harness.forget_names()


def no_tls_there(world: Surroundings) -> None:
    world.configure({"AWS_ENDPOINT_URL_ECR": world.aws.url.replace("http://", "https://")})


def defaults_mode_invalid(world: Surroundings) -> None:
    world.configure({"AWS_DEFAULTS_MODE": "odd"})


def regional_endpoints_invalid(world: Surroundings) -> None:
    world.web_identity({"AWS_STS_REGIONAL_ENDPOINTS": "odd"})
