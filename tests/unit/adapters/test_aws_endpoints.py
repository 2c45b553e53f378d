"""The endpoint of ECR follows from the registry hosts: FIPS, dual-stack, partition."""

import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError

from pullkeeper.adapters.aws import Ecr, ecr
from pullkeeper.adapters.aws.clients import Clients, Keys
from pullkeeper.domain.ecr.registry_host import parse
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.errors.failures import FailureError, Reason
from pullkeeper.domain.iam.identity import CONTROLLER, Identity
from tests.unit.adapters.identity_harness import FetchRecorder, as_role
from testsupport.examples import auth, demand
from testsupport.fake_aws import utcnow
from testsupport.waiting import HANG_GUARD

ACCOUNT = "123456789012"


class _StubClient:
    """A client without a connection."""

    def close(self) -> None:
        """Do nothing."""

    def get_authorization_token(self) -> dict[str, Any]:
        return {}

    def assume_role(self, **_: object) -> dict[str, Any]:
        keys = {"AccessKeyId": "a", "SecretAccessKey": "b", "SessionToken": "c"}
        return {"Credentials": {**keys, "Expiration": utcnow() + timedelta(hours=1)}}


class _RecordingClients(Clients):
    """Create real clients, record their endpoints, and return stubs in their place."""

    seen: list[str]

    def create(self, service: str, region: str, keys: Keys | None, config: Config | None = None) -> Any:
        client = super().create(service, region, keys, config)
        if service != "sts":
            self.seen.append(client.meta.endpoint_url)
        return _StubClient()


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "fake")
    monkeypatch.setattr("pullkeeper.adapters.aws.ecr.Clients", _RecordingClients)
    monkeypatch.setattr(_RecordingClients, "seen", [], raising=False)
    return _RecordingClients.seen


async def _fetch_all(identity: Identity, hosts: Sequence[str]) -> None:
    source = _ecr()
    for scope in [_scope(host, identity) for host in hosts]:
        with pytest.raises(FailureError) as raised:
            await source.fetch(scope, demand())
        assert raised.value.failure.reason is Reason.MALFORMED_ANSWER


def _scope(name: str, identity: Identity) -> TokenScope:
    host = parse(name)
    return TokenScope(
        identity=identity, region=host.region, public=host.public, fips=host.fips, dual_stack=host.dual_stack
    )


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


@pytest.mark.parametrize("value", ["", "http://vpce.example"])
async def test_configured_endpoint_is_used_unchanged(
    seen: list[str], monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    """A configured VPC endpoint serves all kinds of hosts; an empty value configures none, as for botocore."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECR", value)
    hosts = [f"{ACCOUNT}.dkr-ecr-fips.us-east-1.on.aws", f"{ACCOUNT}.dkr.ecr.us-west-2.amazonaws.com"]
    await _fetch_all(CONTROLLER, hosts)
    plain = ["https://ecr-fips.us-east-1.api.aws", "https://api.ecr.us-west-2.amazonaws.com"]
    assert seen == ([value] * 2 if value else plain)


FIPS, DUAL, BOTH = "ecr-fips.us-east-1.amazonaws.com", "ecr.us-east-1.api.aws", "ecr-fips.us-east-1.api.aws"


@pytest.mark.parametrize(
    ("variables", "host", "endpoint"),
    [
        ({"AWS_USE_FIPS_ENDPOINT": "true"}, "dkr-ecr.us-east-1.on.aws", BOTH),
        ({"AWS_USE_FIPS_ENDPOINT": "true"}, "dkr.ecr.us-east-1.amazonaws.com", FIPS),
        ({"AWS_USE_DUALSTACK_ENDPOINT": "true"}, "dkr.ecr-fips.us-east-1.amazonaws.com", BOTH),
        ({"AWS_USE_DUALSTACK_ENDPOINT": "true"}, "dkr.ecr.us-east-1.amazonaws.com", DUAL),
        ({"AWS_ENDPOINT_URL": ""}, "dkr.ecr-fips.us-east-1.amazonaws.com", FIPS),
        (
            {"AWS_ENDPOINT_URL": "http://vpce.example", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
            "dkr-ecr.us-east-1.on.aws",
            DUAL,
        ),
    ],
)
async def test_host_adds_to_what_the_environment_demands(
    seen: list[str], monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], host: str, endpoint: str
) -> None:
    """It takes nothing away: FIPS above all."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    await _fetch_all(CONTROLLER, [f"{ACCOUNT}.{host}"])
    assert seen == [f"https://{endpoint}"]


@dataclass(kw_only=True)
class _Network:
    """Endpoints that answer with a token, cannot be reached, or hang."""

    unreachable: str = "nothing"
    hanging: str = "nothing"
    asked: list[str] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def answer(self, url: str) -> dict[str, Any]:
        self.asked.append(url.removeprefix("https://"))
        if self.hanging in url:
            self.released.wait(HANG_GUARD)
        if self.unreachable in url:
            raise EndpointConnectionError(endpoint_url=url)
        data = {"authorizationToken": auth().reveal(), "expiresAt": utcnow() + timedelta(hours=12)}
        return {"authorizationData": [data]}


class _NetworkClients(Clients):
    network: _Network

    def create(self, service: str, region: str, keys: Keys | None, config: Config | None = None) -> Any:
        client = super().create(service, region, keys, config)
        stub = _StubClient()
        stub.get_authorization_token = lambda: self.network.answer(client.meta.endpoint_url)  # type: ignore[method-assign] # a stub
        return stub


@pytest.fixture
def network(seen: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[_Network]:
    assert not seen
    built = _Network()
    monkeypatch.setattr("pullkeeper.adapters.aws.ecr.Clients", _NetworkClients)
    monkeypatch.setattr(_NetworkClients, "network", built, raising=False)
    yield built
    built.released.set()


def _ecr() -> Ecr:
    async def nobody(_: Identity) -> str:
        raise AssertionError

    return Ecr(
        environment=os.environ,
        registries=(),
        allow_node_instance_role=False,
        clock=utcnow,
        metrics=FetchRecorder(),
        service_account_token=nobody,
    )


DUAL_HOST, FIPS_HOST = f"{ACCOUNT}.dkr-ecr.us-east-1.on.aws", f"{ACCOUNT}.dkr-ecr-fips.us-east-1.on.aws"
PLAIN = "api.ecr.us-east-1.amazonaws.com"


@pytest.mark.parametrize("how", ["unreachable", "hanging"])
async def test_dual_stack_endpoint_is_replaced_where_it_does_not_answer(
    network: _Network, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Within the deadline of one fetch; from then on the plain one is asked at once."""
    setattr(network, how, ".api.aws")
    monkeypatch.setattr(ecr, "_SECONDS", 4.0 if how == "hanging" else HANG_GUARD)
    source = _ecr()
    for _ in range(3):
        assert (await source.fetch(_scope(DUAL_HOST, CONTROLLER), demand())).auth == auth()
    assert network.asked == [DUAL, PLAIN, PLAIN, PLAIN]


async def test_dual_stack_endpoint_is_tried_again_if_no_other_helps(network: _Network) -> None:
    """The network was at fault, and the failure names what was asked last."""
    network.unreachable = "us-east-1"
    source = _ecr()
    for _ in range(2):
        with pytest.raises(FailureError, match="EndpointConnectionError: no response") as raised:
            await source.fetch(_scope(DUAL_HOST, CONTROLLER), demand())
        assert raised.value.failure.reason is Reason.NETWORK_UNREACHABLE
    assert network.asked == [DUAL, PLAIN] * 2


async def test_fips_is_never_given_up(network: _Network) -> None:
    """Only dual-stack is, and the failure says which endpoints there are none of in most regions."""
    network.unreachable = "api.aws"
    await _ecr().fetch(_scope(FIPS_HOST, CONTROLLER), demand())
    network.unreachable = "fips"
    with pytest.raises(FailureError, match="demands FIPS, which few regions have an endpoint for"):
        await _ecr().fetch(_scope(FIPS_HOST, CONTROLLER), demand())
    assert network.asked == [BOTH, FIPS, BOTH, FIPS]


async def test_region_without_dual_stack_falls_back(network: _Network) -> None:
    """Botocore refuses to build the name of an endpoint that its partition cannot have."""
    scope = TokenScope(identity=CONTROLLER, region="eu-isoe-west-1", dual_stack=True)
    assert (await _ecr().fetch(scope, demand())).auth == auth()
    assert network.asked == ["api.ecr.eu-isoe-west-1.cloud.adc-e.uk"]
