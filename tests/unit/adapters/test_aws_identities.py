"""Tokens are fetched with the identity they are for: the controller, a role, or a namespace's ServiceAccount."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pullkeeper.domain.errors.failures import Reason
from pullkeeper.domain.iam.identity import CONTROLLER, service_account
from tests.unit.adapters.identity_harness import BLUE, OWN, IdentityHarness, as_role, identity_harness
from testsupport.fake_aws import ACCOUNT, USER_ARN, utcnow
from testsupport.fake_aws import sts_parameters as parameters_of

PULLER = replace(service_account("team-a", "puller"), uid="uid-1", role_arn=OWN, audience="sts.amazonaws.com")
HOUR = timedelta(hours=1)


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch) -> Iterator[IdentityHarness]:
    with identity_harness(monkeypatch) as built:
        yield built


@pytest.fixture
def sts_requests(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The parameters of each AssumeRole* call as received, except web identity tokens."""
    seen: list[dict[str, Any]] = []

    def record(operation: str, parameters: Mapping[str, object]) -> None:
        kept = {key: value for key, value in parameters.items() if key not in {"WebIdentityToken", "Version"}}
        seen.append(kept)
        parameters_of.check_parameters(operation, parameters)

    monkeypatch.setattr("testsupport.fake_aws.sts.check_parameters", record)
    return seen


async def test_role_is_assumed(harness: IdentityHarness, sts_requests: list[dict[str, Any]]) -> None:
    """The token is that of an hour-long session named after the cluster; nothing else is sent."""
    token = await harness.fetch(as_role())
    name = "pullkeeper-test"
    assert token.principal == f"arn:aws:sts::{ACCOUNT}:assumed-role/blue/{name}"
    (request,) = sts_requests
    assert request.pop("Action") == "AssumeRole"
    assert request == {"RoleArn": BLUE, "RoleSessionName": name, "DurationSeconds": "3600"}


async def test_session_has_the_attributes_of_the_grant(
    harness: IdentityHarness, sts_requests: list[dict[str, Any]]
) -> None:
    """ExternalId, SourceIdentity and session tags are sent if the policy sets them."""
    harness.aws.allow_role(BLUE, trusted_principals=USER_ARN, external_id="id/of:blue")
    await harness.fetch(as_role(external_id="id/of:blue", source_identity=True, session_tags=True))
    (request,) = sts_requests
    assert (request["ExternalId"], request["SourceIdentity"]) == ("id/of:blue", "pullkeeper-test")
    assert parameters_of.session_tags(request) == [
        ("pullkeeper-cluster", "test"),
        ("pullkeeper-namespace", "team-a"),
    ]


async def test_role_chaining(harness: IdentityHarness, tmp_path: Path) -> None:
    """From an IRSA session, STS allows an hour at most, which is what is requested."""
    chained = f"arn:aws:iam::{ACCOUNT}:role/controller"
    harness.aws.allow_role(chained, trusts_subjects="system:serviceaccount:pullkeeper:*")
    harness.aws.allow_role(BLUE, trusted_principals=chained, max_session=12 * HOUR)
    (tmp_path / "token").write_text(harness.issuer.token("system:serviceaccount:pullkeeper:controller"))
    file = str(tmp_path / "token")
    harness.configure(harness.aws.environment(web_identity_token_file=file, role_arn=chained))
    assert (await harness.fetch(as_role())).role_arn == BLUE
    assert (await harness.fetch()).role_arn == chained


async def test_service_account_assumes_its_own_role(
    harness: IdentityHarness, sts_requests: list[dict[str, Any]]
) -> None:
    """Its token is sufficient: the controller's credentials are not used."""
    environment = harness.aws.environment()
    harness.configure({key: value for key, value in environment.items() if "ACCESS_KEY" not in key})
    token = await harness.fetch(PULLER)
    name = "pullkeeper-team-a-puller"
    assert token.principal == f"arn:aws:sts::210987654321:assumed-role/own/{name}"
    (request,) = sts_requests
    assert request.pop("Action") == "AssumeRoleWithWebIdentity"
    assert request == {"RoleArn": OWN, "RoleSessionName": name}
    assert [call.principal for call in harness.aws.calls if call.service == "sts"] == [None]


async def test_each_identity_has_its_own_token(harness: IdentityHarness) -> None:
    """No identity gets the token of another one, in whatever order they fetch."""
    order = [CONTROLLER, as_role(), PULLER, as_role(), CONTROLLER, PULLER]
    expected = {CONTROLLER: USER_ARN, as_role(): BLUE, PULLER: OWN}
    for identity in order:
        token = await harness.fetch(identity, "us-west-2")
        assert (token.role_arn or token.principal, token.region) == (expected[identity], "us-west-2")


async def test_role_session_is_reused_until_shortly_before_it_expires(harness: IdentityHarness) -> None:
    """One AssumeRole serves all regions of an identity."""
    for region in ("eu-west-1", "us-west-2"):
        await harness.fetch(as_role(), region)
    assert harness.aws.count("AssumeRole") == 1
    harness.clock.ahead = HOUR - timedelta(minutes=4)
    await harness.fetch(as_role(), "us-east-2")
    assert harness.aws.count("AssumeRole") == 2


@pytest.mark.parametrize("identity", [CONTROLLER, as_role(), PULLER])
async def test_ecr_public_serves_every_identity(harness: IdentityHarness, identity: Any) -> None:
    """It has an API of its own, and issues the token to the calling principal."""
    token = await harness.fetch(identity, "us-east-1", public=True)
    expected = {CONTROLLER: USER_ARN, as_role(): BLUE, PULLER: OWN}[identity]
    assert (token.public, token.role_arn or token.principal) == (True, expected)


@pytest.mark.parametrize(("identity", "operation"), [(as_role(), "AssumeRole"), (PULLER, "AssumeRoleWithWebIdentity")])
async def test_stale_role_credentials_are_renewed_within_the_fetch(
    harness: IdentityHarness, identity: Any, operation: str
) -> None:
    """The fetch succeeds, and no failure is recorded."""
    await harness.fetch(identity)
    assert harness.aws.expire_credentials() >= 1
    await harness.fetch(identity)
    assert harness.aws.count(operation) == 2
    assert harness.metrics.reasons == [None, None]


async def test_role_credentials_are_renewed_once_per_fetch(harness: IdentityHarness) -> None:
    """One renewal and one retry, then the fetch fails."""
    harness.aws.fail(code="ExpiredTokenException", status=400, operation="GetAuthorizationToken")
    found = await harness.failure(as_role())
    assert found.reason is Reason.CREDENTIALS_INVALID
    assert harness.aws.count("GetAuthorizationToken") == harness.aws.count("AssumeRole") == 2


async def test_deleted_role_works_again_once_it_is_back(harness: IdentityHarness) -> None:
    """Meanwhile the failure names the role and who cannot assume it."""
    await harness.fetch(as_role())
    harness.aws.remove(BLUE)
    found = await harness.failure(as_role())
    assert found.reason is Reason.ACCESS_DENIED
    assert f"assuming {BLUE} " in found.message
    harness.aws.allow_role(BLUE, trusted_principals=USER_ARN)
    assert (await harness.fetch(as_role())).role_arn == BLUE


async def test_expired_service_account_token_is_reported(harness: IdentityHarness) -> None:
    """The failure mentions the node's clock, and does not quote the token."""
    harness.web_token = harness.issuer.token(str(PULLER), now=utcnow() - 2 * HOUR)
    found = await harness.failure(PULLER)
    assert found.reason is Reason.CREDENTIALS_INVALID
    assert found.message.startswith("STS at sts.eu-west-1.amazonaws.com ")
    assert "refused AssumeRoleWithWebIdentity" in found.message
    assert "the node's clock" in found.message


async def test_service_account_session_is_reused(harness: IdentityHarness) -> None:
    """No new token of the ServiceAccount is exchanged while its session lasts."""
    await harness.fetch(PULLER)
    await harness.fetch(PULLER, "us-west-2")
    assert harness.aws.count("AssumeRoleWithWebIdentity") == 1
