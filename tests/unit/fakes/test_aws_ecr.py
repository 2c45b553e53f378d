"""The fake's GetAuthorizationToken, private and public, and its registries, seen through boto3."""

from __future__ import annotations

import base64
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from testsupport.fake_aws import ACCOUNT, TOKEN_MARKER, USER_ARN, AwsFake, Grants, principal_hash, serve_in_thread
from testsupport.fake_aws.clients import client, clients, code_of
from testsupport.waiting import HANG_GUARD

LIMITED = f"arn:aws:iam::{ACCOUNT}:user/limited"
HOST = f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com"


def probe(fake: AwsFake, token: str, host: str = HOST, *, by_path: bool = False) -> int:
    url = f"{fake.url}/_registry/{host}/v2/" if by_path else f"{fake.url}/v2/"
    headers = {"Authorization": f"Basic {token}", **({} if by_path else {"Host": host})}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=HANG_GUARD) as answer:  # noqa: S310 -- http, and ours
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_a_token_says_whose_it_is_and_where(fake: AwsFake) -> None:
    with clients(fake) as aws:
        data = aws.ecr.get_authorization_token()["authorizationData"]
    assert len(data) == 1
    assert data[0]["proxyEndpoint"] == f"https://{HOST}"
    user, _, password = base64.b64decode(data[0]["authorizationToken"]).decode().partition(":")
    assert user == "AWS"
    assert password.split(".")[:5] == [
        TOKEN_MARKER,
        "private",
        "eu-west-1",
        principal_hash(USER_ARN),
        "000001",
    ]
    assert 1700 < len(data[0]["authorizationToken"]) < 2000
    assert {password, data[0]["authorizationToken"]} <= fake.secrets


def test_a_token_lives_as_long_as_the_fake_says(fake: AwsFake) -> None:
    fake.lifetime = timedelta(minutes=3)
    with clients(fake) as aws:
        expires = aws.ecr.get_authorization_token()["authorizationData"][0]["expiresAt"]
    (token,) = fake.tokens
    assert token.expires_at - token.issued_at == timedelta(minutes=3)
    assert abs(expires.astimezone(UTC) - token.expires_at) < timedelta(milliseconds=1)


def test_the_clock_is_the_one_that_was_given() -> None:
    then = datetime(2031, 5, 6, tzinfo=UTC)
    with serve_in_thread(clock=lambda: then) as fake, clients(fake) as aws:
        expires = aws.ecr.get_authorization_token()["authorizationData"][0]["expiresAt"]
    assert expires.astimezone(UTC) == then + timedelta(hours=12)


def test_the_region_is_the_one_of_the_host(fake: AwsFake) -> None:
    chinese = fake.add_user(f"arn:aws-cn:iam::{ACCOUNT}:user/pullkeeper")
    with clients(fake, chinese, region="cn-north-1") as aws:
        data = aws.ecr.get_authorization_token()["authorizationData"][0]
    assert data["proxyEndpoint"] == f"https://{ACCOUNT}.dkr.ecr.cn-north-1.amazonaws.com.cn"
    assert fake.count("GetAuthorizationToken", region="cn-north-1") == 1
    assert fake.count("GetAuthorizationToken", region="eu-west-1") == 0


def test_registry_ids_are_recorded_and_answered(fake: AwsFake) -> None:
    with clients(fake) as aws:
        aws.ecr.get_authorization_token()
        data = aws.ecr.get_authorization_token(registryIds=["111111111111", "222222222222"])["authorizationData"]
        with pytest.raises(ClientError) as bad:
            aws.ecr.get_authorization_token(registryIds=["1"])
    assert [call.registry_ids for call in fake.calls] == [None, ("111111111111", "222222222222"), ("1",)]
    assert len(data) == 2
    assert code_of(bad.value) == ("InvalidParameterException", 400)


def test_a_public_token_is_one_object_without_endpoint(fake: AwsFake) -> None:
    with clients(fake) as aws:
        data = aws.ecr_public.get_authorization_token()["authorizationData"]
    assert set(data) == {"authorizationToken", "expiresAt"}
    assert [(token.public, token.region) for token in fake.tokens] == [(True, "us-east-1")]


def test_public_tokens_come_from_us_east_1_only(fake: AwsFake) -> None:
    with client(fake, "ecr-public", "us-west-2") as elsewhere, pytest.raises(ClientError) as raised:
        elsewhere.get_authorization_token()
    assert code_of(raised.value) == ("UnsupportedCommandException", 400)


@pytest.mark.parametrize(
    ("grants", "operation"),
    [
        (Grants(ecr=False), "ecr:GetAuthorizationToken"),
        (Grants(ecr_regions=frozenset({"us-west-2"})), "ecr:GetAuthorizationToken"),
        (Grants(ecr_public=False), "ecr-public:GetAuthorizationToken"),
        (Grants(service_bearer_token=False), "sts:GetServiceBearerToken"),
    ],
)
def test_a_principal_without_permission_is_refused_in_the_words_of_aws(
    fake: AwsFake, grants: Grants, operation: str
) -> None:
    limited = fake.add_user(LIMITED, grants)
    with clients(fake, limited) as aws:
        client = aws.ecr if operation.startswith("ecr:") else aws.ecr_public
        with pytest.raises(ClientError) as raised:
            client.get_authorization_token()
    assert code_of(raised.value) == ("AccessDeniedException", 400)
    assert raised.value.response["Error"]["Message"] == (
        f"User: {LIMITED} is not authorized to perform: {operation} on resource: * "
        f"because no identity-based policy allows the {operation} action"
    )
    assert fake.tokens == []
    assert fake.count(outcome="AccessDeniedException", faulted=False) == 1


def test_in_a_region_that_is_not_enabled_the_credentials_are_unknown(fake: AwsFake) -> None:
    fake.disable_region("af-south-1")
    with clients(fake, region="af-south-1") as aws, pytest.raises(ClientError) as raised:
        aws.ecr.get_authorization_token()
    assert code_of(raised.value) == ("UnrecognizedClientException", 400)


def test_a_deleted_user_is_unknown(fake: AwsFake) -> None:
    gone = fake.add_user(LIMITED)
    fake.remove(LIMITED)
    with clients(fake, gone) as aws, pytest.raises(ClientError) as raised:
        aws.ecr.get_authorization_token()
    assert code_of(raised.value) == ("UnrecognizedClientException", 400)


def test_what_the_fake_does_not_know_is_an_unknown_operation(fake: AwsFake) -> None:
    with clients(fake) as aws, pytest.raises(ClientError) as raised:
        aws.ecr.describe_repositories()
    assert code_of(raised.value) == ("UnknownOperationException", 400)


@pytest.mark.parametrize("by_path", [False, True])
def test_a_registry_accepts_a_token_of_its_region_until_it_is_revoked(fake: AwsFake, by_path: bool) -> None:  # noqa: FBT001 -- a parameter of the table
    with clients(fake) as aws:
        token = aws.ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    elsewhere = HOST.replace("eu-west-1", "us-west-2")
    assert probe(fake, token, by_path=by_path) == 200
    assert probe(fake, token, HOST.replace(ACCOUNT, "999999999999"), by_path=by_path) == 200
    assert probe(fake, token, elsewhere, by_path=by_path) == 401
    assert probe(fake, token, "public.ecr.aws", by_path=by_path) == 401
    assert probe(fake, "bm9uc2Vuc2U=", by_path=by_path) == 401
    assert probe(fake, token, "example.com", by_path=by_path) == 404
    fake.revoke(token)
    assert probe(fake, token, by_path=by_path) == 401
    assert fake.tokens[0].revoked
    assert fake.count("ProbeRegistry", outcome="ok") == 2
    assert fake.count() == 1  # probes are no API calls


def test_a_registry_refuses_an_expired_token() -> None:
    now = [datetime(2031, 5, 6, tzinfo=UTC)]
    with serve_in_thread(clock=lambda: now[0]) as fake:
        with clients(fake) as aws:
            token = aws.ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
        now[0] += timedelta(hours=12) - timedelta(seconds=1)
        assert probe(fake, token) == 200
        now[0] += timedelta(seconds=1)
        assert probe(fake, token) == 401
