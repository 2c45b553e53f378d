"""The issuer of the cluster's tokens, as the API server tells it."""

import pytest

from pullkeeper.adapters.kubernetes.issuer import read_issuer
from pullkeeper.domain.errors.failures import FailureError, Reason
from testsupport.fake_client import FakeClient, ok

ISSUER = "https://oidc.example.com/id/1"


async def test_the_issuer_is_read_from_the_discovery_document() -> None:
    """Any ServiceAccount may, by the role system:service-account-issuer-discovery."""
    client = FakeClient(ok({"issuer": ISSUER, "jwks_uri": "https://x/openid/v1/jwks"}))
    assert await read_issuer(client) == ISSUER
    (request,) = client.requests
    assert (request.verb, request.path) == ("get", "/.well-known/openid-configuration")


async def test_whoever_may_not_read_it_is_told_the_right_and_the_option() -> None:
    """People often may not: the role is bound to ServiceAccounts."""
    with pytest.raises(FailureError) as raised:
        await read_issuer(FakeClient(ok(status=403)))
    assert raised.value.failure.reason is Reason.KUBERNETES_DENIED
    assert "get on the URL /.well-known/openid-configuration, or name it with --issuer" in str(raised.value)


@pytest.mark.parametrize("body", [{}, {"issuer": ""}, {"issuer": 1}, {"issuer": ["https://x"]}])
async def test_a_document_without_an_issuer_is_refused(body: dict[str, object]) -> None:
    """What is no text is not taken for one."""
    with pytest.raises(FailureError, match="names no issuer"):
        await read_issuer(FakeClient(ok(body)))
