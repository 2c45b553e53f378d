"""Moto's server as somebody else's reading of AWS's protocols."""

from collections.abc import Iterator

import pytest
from moto.server import ThreadedMotoServer

from testsupport.fake_aws import ACCOUNT
from testsupport.installation import Installation


@pytest.fixture
def moto_url() -> Iterator[str]:
    """Serve moto on a free port of this machine."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


async def test_moto_understands_us_and_its_token_of_2015_is_not_published(
    installation: Installation, moto_url: str
) -> None:
    """The call goes through moto's ECR; its token expired in 2015, which is said, and nothing is written."""
    keys = {"AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": "moto", "AWS_EC2_METADATA_DISABLED": "true"}
    # Moto has one address for all services, so it is the one test here that is not led by host names.
    where = {"AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": moto_url}
    process = await installation.start(environment=where | keys)
    team = await installation.create_namespace(enabled="true")
    event = await installation.event(team, "TokenFetchFailed")
    assert "returned an expired token" in event["note"]
    assert "expired at 2015-" in event["note"]
    assert await installation.secret(team) is None
    assert await process.metric("pullkeeper_token_request_errors_total", reason="TokenExpired") >= 1
