"""The endpoint of ECR follows from the registry hosts: FIPS, dual-stack, partition."""

from collections.abc import Sequence
from typing import Any

import pytest
from botocore.config import Config

from pullkeeper.adapters.aws import Ecr
from pullkeeper.adapters.aws.sts import CLIENT_CONFIG, Sessions, WebIdentity
from pullkeeper.domain.ecr.registry_host import parse
from pullkeeper.domain.errors.failures import FailureError, Reason
from pullkeeper.domain.iam.identity import CONTROLLER, Identity
from pullkeeper.domain.secret.desired_state import DesiredState
from pullkeeper.domain.secret.entries import token_scopes
from tests.unit.adapters.identity_harness import FetchRecorder, as_role
from testsupport.examples import demand
from testsupport.fake_aws import utcnow

ACCOUNT = "123456789012"


class _StubClient:
    """A client without a connection."""

    def close(self) -> None:
        """Do nothing."""

    def get_authorization_token(self) -> dict[str, Any]:
        return {}


class _RecordingSessions(Sessions):
    """Create real clients, record their endpoints, and return stubs in their place."""

    seen: list[str]

    def controller_client(self, service: str, region: str, config: Config = CLIENT_CONFIG, variant: str = "") -> Any:
        return self._record(super().controller_client(service, region, config, variant), service)

    def role_client(
        self, identity: Identity, web: WebIdentity | None, service: str, region: str, config: Config = CLIENT_CONFIG
    ) -> Any:
        del identity, web
        return self._record(
            super().controller_client(service, region, config, f"as a role, {config.__dict__}"), service
        )

    def _record(self, client: Any, service: str) -> _StubClient:
        if service != "sts":
            self.seen.append(client.meta.endpoint_url)
        return _StubClient()


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    for name in ("ECR", "ECR_PUBLIC", "STS"):
        monkeypatch.delenv(f"AWS_ENDPOINT_URL_{name}", raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "fake")
    monkeypatch.setattr("pullkeeper.adapters.aws.ecr.Sessions", _RecordingSessions)
    monkeypatch.setattr(_RecordingSessions, "seen", [], raising=False)
    return _RecordingSessions.seen


async def _fetch_all(identity: Identity, hosts: Sequence[str], environment: dict[str, str] | None = None) -> None:
    async def nobody(_: Identity) -> str:
        raise AssertionError

    ecr = Ecr(
        environment=environment or {},
        allow_node_instance_role=False,
        clock=utcnow,
        metrics=FetchRecorder(),
        service_account_token=nobody,
    )
    desired = DesiredState(registries=tuple(map(parse, hosts)), identity=identity)
    for scope in token_scopes(desired):
        with pytest.raises(FailureError) as raised:
            await ecr.fetch(scope, demand())
        assert raised.value.failure.reason is Reason.MALFORMED_ANSWER


@pytest.mark.parametrize("identity", [CONTROLLER, as_role()])
@pytest.mark.parametrize(
    ("host", "endpoint"),
    [
        ("dkr.ecr.us-east-1.amazonaws.com", "https://api.ecr.us-east-1.amazonaws.com"),
        ("dkr.ecr-fips.us-east-1.amazonaws.com", "https://ecr-fips.us-east-1.amazonaws.com"),
        ("dkr-ecr.eu-west-1.on.aws", "https://ecr.eu-west-1.api.aws"),
        ("dkr-ecr-fips.us-east-1.on.aws", "https://ecr-fips.us-east-1.api.aws"),
        ("dkr.ecr-fips.us-gov-west-1.amazonaws.com", "https://ecr-fips.us-gov-west-1.amazonaws.com"),
        ("dkr.ecr.cn-north-1.amazonaws.com.cn", "https://api.ecr.cn-north-1.amazonaws.com.cn"),
        ("dkr-ecr.cn-north-1.on.amazonwebservices.com.cn", "https://ecr.cn-north-1.api.amazonwebservices.com.cn"),
        ("dkr.ecr.us-iso-east-1.c2s.ic.gov", "https://api.ecr.us-iso-east-1.c2s.ic.gov"),
        ("dkr.ecr.us-isob-east-1.sc2s.sgov.gov", "https://api.ecr.us-isob-east-1.sc2s.sgov.gov"),
        ("dkr.ecr.eusc-de-east-1.amazonaws.eu", "https://api.ecr.eusc-de-east-1.amazonaws.eu"),
    ],
)
async def test_endpoint_matches_the_registry_host(
    seen: list[str], identity: Identity, host: str, endpoint: str
) -> None:
    """A FIPS host uses the FIPS endpoint and a dual-stack host the dual-stack one, in the partition of its region."""
    await _fetch_all(identity, [f"{ACCOUNT}.{host}"])
    assert seen == [endpoint]


async def test_ecr_public_has_one_endpoint(seen: list[str]) -> None:
    """Its API exists only in us-east-1."""
    await _fetch_all(CONTROLLER, ["public.ecr.aws"])
    assert seen == ["https://api.ecr-public.us-east-1.amazonaws.com"]


async def test_each_form_of_host_has_a_token_from_its_own_endpoint(seen: list[str]) -> None:
    """So that a FIPS endpoint that does not exist, or fails, takes nothing from the other hosts of its region."""
    hosts = [f"{ACCOUNT}.dkr.ecr{fips}.us-east-1.amazonaws.com" for fips in ("", "-fips")]
    await _fetch_all(CONTROLLER, [*hosts, f"{ACCOUNT}.dkr.ecr.us-west-2.amazonaws.com"])
    regions = ["https://api.ecr.us-east-1.amazonaws.com", "https://api.ecr.us-west-2.amazonaws.com"]
    assert sorted(seen) == [*regions, "https://ecr-fips.us-east-1.amazonaws.com"]


async def test_configured_endpoint_is_used_unchanged(seen: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A configured VPC endpoint serves all kinds of hosts; botocore derives no variant of it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECR", "http://vpce.example")
    hosts = [f"{ACCOUNT}.dkr-ecr-fips.us-east-1.on.aws", f"{ACCOUNT}.dkr.ecr.us-west-2.amazonaws.com"]
    await _fetch_all(CONTROLLER, hosts, {"AWS_ENDPOINT_URL_ECR": "http://vpce.example"})
    assert seen == ["http://vpce.example"] * 2
