"""Instance metadata on loopback is a source of the controller's own; any other is the node's."""

import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from pullkeeper.adapters.aws import clients
from pullkeeper.domain.errors.failures import Reason
from tests.unit.adapters.aws_harness import client_config
from tests.unit.adapters.identity_harness import BLUE, IdentityHarness, identity_harness


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch) -> Iterator[IdentityHarness]:
    """Serve metadata, and let every name and address lead there."""
    monkeypatch.setattr(clients, "CLIENT_CONFIG", client_config())
    resolve = socket.getaddrinfo

    def lead_here(_: str, *rest: Any, **options: Any) -> Any:  # as the library's
        return resolve("127.0.0.1", *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", lead_here)
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with identity_harness(monkeypatch) as built:
        built.aws.allow_role(BLUE, trusted_principals="*")
        built.aws.set_node_role(BLUE)
        yield built


def configure(harness: IdentityHarness, host: str) -> None:
    endpoint = f"http://{host}:{urlsplit(harness.aws.url).port}/"
    found = harness.aws.environment(instance_metadata=True)
    harness.configure(found | {"AWS_EC2_METADATA_SERVICE_ENDPOINT": endpoint})


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.8.7", "[::1]"])
async def test_a_service_on_loopback_is_not_the_nodes(harness: IdentityHarness, host: str) -> None:
    """As `aws_signing_helper serve` in another container of the pod; a proxy for HTTPS does not matter."""
    configure(harness, host)
    assert (await harness.fetch()).role_arn == BLUE


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "127.0.0.1.nip.io",
        "metadata.internal",
        "169.254.169.254",
        "[fd00:ec2::254]",
        "10.0.0.1",
        "0.0.0.0",  # noqa: S104 -- not listened on
    ],
)
async def test_any_other_is_the_nodes_wherever_its_name_leads(harness: IdentityHarness, host: str) -> None:
    """A name is resolved anew at each call, so that only an address says where it is."""
    configure(harness, host)
    found = await harness.failure()
    assert found.reason is Reason.NODE_ROLE_REFUSED
    assert "AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:9911" in found.message


async def test_loopback_behind_a_proxy_is_the_proxys(harness: IdentityHarness) -> None:
    """What a proxy answers is not used; where it answers nothing, the fix is to go past it."""
    configure(harness, "127.0.0.1")
    for name, value in {"http_proxy": harness.aws.url, "no_proxy": "", "NO_PROXY": ""}.items():
        harness.environ(name, value)
    assert (await harness.failure()).reason is Reason.NODE_ROLE_REFUSED
    harness.aws.set_node_role(None)
    found = await harness.failure()
    assert found.reason is Reason.CREDENTIALS_MISSING
    assert "the host in AWS_EC2_METADATA_SERVICE_ENDPOINT, to NO_PROXY" in found.message


@pytest.mark.parametrize("allowed", [False, True])
async def test_a_proxy_for_https_alone_is_not_blamed(harness: IdentityHarness, allowed: bool) -> None:  # noqa: FBT001 -- a parameter of the table
    """Metadata is asked for without TLS, so that proxy is not on the way."""
    harness.aws.set_node_role(None)
    harness.configure(harness.aws.environment(instance_metadata=True), allow_node_instance_role=allowed)
    for name in ("no_proxy", "NO_PROXY"):
        harness.environ(name, "")
    assert "no AWS credentials were found: give the controller's" in (await harness.failure()).message
