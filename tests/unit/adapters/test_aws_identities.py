"""Tokens are fetched as whom they are for: the controller, a role, or a namespace's own ServiceAccount."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pullkeeper.domain.errors.failures import Reason
from pullkeeper.domain.iam.identity import CONTROLLER, service_account
from tests.unit.adapters.identity_harness import BLUE, OWN, IdentityHarness, as_role, identity_harness
from testsupport.fake_aws import ACCOUNT, USER_ARN, utcnow
from testsupport.fake_aws import sts_parameters as parameters_of

PULLER = service_account("team-a", "puller")
HOUR = timedelta(hours=1)


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[IdentityHarness]:
    with identity_harness(monkeypatch) as built:
        yield built


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The parameters of each AssumeRole* as they came over the wire, web identity tokens left out."""
    seen: list[dict[str, Any]] = []

    def note(operation: str, parameters: Mapping[str, object]) -> None:
        kept = {key: value for key, value in parameters.items() if key not in {"WebIdentityToken", "Version"}}
        seen.append(kept)
        parameters_of.check_parameters(operation, parameters)

    monkeypatch.setattr("testsupport.fake_aws.sts.check_parameters", note)
    return seen


async def test_a_role_is_assumed_for_its_token(there: IdentityHarness, asked: list[dict[str, Any]]) -> None:
    """The token is the role's, in a session named for cluster and namespace, of an hour; no more is sent."""
    token = await there.fetch(as_role())
    name = "pullkeeper-test-team-a"
    assert token.principal == f"arn:aws:sts::{ACCOUNT}:assumed-role/blue/{name}"
    (request,) = asked
    assert request.pop("Action") == "AssumeRole"
    assert request == {"RoleArn": BLUE, "RoleSessionName": name, "DurationSeconds": "3600"}


async def test_a_session_carries_what_the_grant_says(there: IdentityHarness, asked: list[dict[str, Any]]) -> None:
    """ExternalId, SourceIdentity and session tags go to STS where the policy has them."""
    there.aws.allow_role(BLUE, trusted_principals=USER_ARN, external_id="id/of:blue")
    await there.fetch(as_role(external_id="id/of:blue", source_identity=True, session_tags=True))
    (request,) = asked
    assert (request["ExternalId"], request["SourceIdentity"]) == ("id/of:blue", "pullkeeper-test")
    assert parameters_of.session_tags(request) == [
        ("pullkeeper-cluster", "test"),
        ("pullkeeper-namespace", "team-a"),
    ]


async def test_a_role_is_assumed_from_the_controllers_own_role(there: IdentityHarness, tmp_path: Path) -> None:
    """Role chaining: out of IRSA's session the hour is the longest that STS gives, and it is what is asked for."""
    chained = f"arn:aws:iam::{ACCOUNT}:role/controller"
    there.aws.allow_role(chained, trusts_subjects="system:serviceaccount:pullkeeper:*")
    there.aws.allow_role(BLUE, trusted_principals=chained, max_session=12 * HOUR)
    (tmp_path / "token").write_text(there.issuer.token("system:serviceaccount:pullkeeper:controller"))
    file = str(tmp_path / "token")
    there.live(there.aws.environment(web_identity_token_file=file, role_arn=chained))
    assert (await there.fetch(as_role())).role_arn == BLUE
    assert (await there.fetch()).role_arn == chained


async def test_a_service_account_fetches_as_its_own_role(there: IdentityHarness, asked: list[dict[str, Any]]) -> None:
    """Its token alone opens the role, without a word of the controller's credentials."""
    environment = there.aws.environment()
    there.live({key: value for key, value in environment.items() if "ACCESS_KEY" not in key})
    token = await there.fetch(PULLER)
    name = "pullkeeper-team-a-puller"
    assert token.principal == f"arn:aws:sts::210987654321:assumed-role/own/{name}"
    (request,) = asked
    assert request.pop("Action") == "AssumeRoleWithWebIdentity"
    assert request == {"RoleArn": OWN, "RoleSessionName": name}
    assert [call.principal for call in there.aws.calls if call.service == "sts"] == [None]


async def test_each_identity_has_its_own_token(there: IdentityHarness) -> None:
    """Nobody is handed another's token, in whatever order they ask."""
    order = [CONTROLLER, as_role(), PULLER, as_role(), CONTROLLER, PULLER]
    expected = {CONTROLLER: USER_ARN, as_role(): BLUE, PULLER: OWN}
    for identity in order:
        token = await there.fetch(identity, "us-west-2")
        assert (token.role_arn or token.principal, token.region) == (expected[identity], "us-west-2")


async def test_credentials_of_a_role_serve_until_they_end(there: IdentityHarness) -> None:
    """AssumeRole is called again only when little is left of the session, be it for other regions."""
    for region in ("eu-west-1", "us-west-2"):
        await there.fetch(as_role(), region)
    assert there.aws.count("AssumeRole") == 1
    there.clock.ahead = HOUR - timedelta(minutes=4)
    await there.fetch(as_role(), "us-east-2")
    assert there.aws.count("AssumeRole") == 2


@pytest.mark.parametrize("identity", [CONTROLLER, as_role(), PULLER])
async def test_the_public_registry_is_asked_as_anybody(there: IdentityHarness, identity: Any) -> None:
    """ECR Public has its own API, and gives its token to the principal that asks."""
    token = await there.fetch(identity, "us-east-1", public=True)
    expected = {CONTROLLER: USER_ARN, as_role(): BLUE, PULLER: OWN}[identity]
    assert (token.public, token.role_arn or token.principal) == (True, expected)


@pytest.mark.parametrize(("identity", "operation"), [(as_role(), "AssumeRole"), (PULLER, "AssumeRoleWithWebIdentity")])
async def test_stale_credentials_of_a_role_are_renewed_once(
    there: IdentityHarness, identity: Any, operation: str
) -> None:
    """Credentials that AWS takes no more are had anew within the same fetch, and nobody hears of it."""
    await there.fetch(identity)
    assert there.aws.expire_credentials() >= 1
    await there.fetch(identity)
    assert there.aws.count(operation) == 2
    assert there.meters.reasons == [None, None]


async def test_credentials_that_stay_stale_are_no_endless_matter(there: IdentityHarness) -> None:
    """One renewal and one more try make the whole attempt."""
    there.aws.fail(code="ExpiredTokenException", status=400, operation="GetAuthorizationToken")
    found = await there.failure(as_role())
    assert found.reason is Reason.CREDENTIALS_INVALID
    assert there.aws.count("GetAuthorizationToken") == there.aws.count("AssumeRole") == 2


async def test_a_role_that_is_deleted_and_comes_back(there: IdentityHarness) -> None:
    """While it is away the failure names who may not become it; once it is back the next fetch has a token."""
    await there.fetch(as_role())
    there.aws.remove(BLUE)
    found = await there.failure(as_role())
    assert found.reason is Reason.ACCESS_DENIED
    assert f"which is to become {BLUE}," in found.message
    there.aws.allow_role(BLUE, trusted_principals=USER_ARN)
    assert (await there.fetch(as_role())).role_arn == BLUE


async def test_an_expired_token_of_a_service_account_is_told(there: IdentityHarness) -> None:
    """A clock that is off makes its token invalid: the reason says so, and the token is not shown."""
    there.web_token = there.issuer.token(str(PULLER), now=utcnow() - 2 * HOUR)
    found = await there.failure(PULLER)
    assert found.reason is Reason.CREDENTIALS_INVALID
    assert "STS refused AssumeRoleWithWebIdentity" in found.message
    assert "the node's clock" in found.message


async def test_each_fetch_of_a_service_account_has_a_new_token(there: IdentityHarness) -> None:
    """A token is used once and never kept; one session serves as long as it lives."""
    await there.fetch(PULLER)
    await there.fetch(PULLER, "us-west-2")
    assert there.aws.count("AssumeRoleWithWebIdentity") == 1
