"""Requests to the fake that no boto3 client sends by itself."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from testsupport.fake_aws import ACCOUNT, AwsFake, serve_in_thread
from testsupport.waiting import HANG_GUARD

ROLE = f"arn:aws:iam::{ACCOUNT}:role/puller"
TARGET = "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken"
ECR = {"Host": "api.ecr.eu-west-1.amazonaws.com", "X-Amz-Target": TARGET}
FORM = {"Host": "sts.eu-west-1.amazonaws.com", "Content-Type": "application/x-www-form-urlencoded"}
TTL = "X-aws-ec2-metadata-token-ttl-seconds"
TOKEN = "X-aws-ec2-metadata-token"


def send(url: str, headers: Mapping[str, str], body: str | None = None, method: str = "POST") -> tuple[int, str]:
    data = None if body is None else body.encode()
    request = urllib.request.Request(url, data, dict(headers), method=method)  # noqa: S310 -- http, and ours
    try:
        with urllib.request.urlopen(request, timeout=HANG_GUARD) as answer:  # noqa: S310 -- an address of this machine
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def signed(
    fake: AwsFake, service: str, *, date: str = "20310506", day: str = "20310506", region: str = "eu-west-1"
) -> dict[str, str]:
    key = fake.static_credentials.access_key_id
    scope = f"{key}/{date}/{region}/{service}/aws4_request"
    text = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature={'0' * 64}"
    return {"Authorization": text, "X-Amz-Date": f"{day}T000000Z"}


def sts(fake: AwsFake, operation: str, **parameters: str) -> tuple[int, str]:
    body = "&".join([f"Action={operation}", *(f"{name}={value}" for name, value in parameters.items())])
    return send(fake.url, {**FORM, **signed(fake, "sts")}, body)


def test_an_unsigned_request_lacks_authentication(fake: AwsFake) -> None:
    status, body = send(fake.url, ECR, "{}")
    assert (status, json.loads(body)["__type"]) == (400, "MissingAuthenticationTokenException")
    status, body = send(fake.url, FORM, "Action=GetCallerIdentity")
    assert status == 403
    assert "<Code>MissingAuthenticationToken</Code>" in body
    assert [(call.principal, call.region) for call in fake.calls] == [(None, "eu-west-1")] * 2


def test_the_credential_scope_must_fit_host_and_day(fake: AwsFake) -> None:
    elsewhere = signed(fake, "ecr", region="us-west-2")
    for headers in (signed(fake, "sts"), signed(fake, "ecr", day="20310507"), elsewhere):
        status, body = send(fake.url, {**ECR, **headers}, "{}")
        assert (status, json.loads(body)["__type"]) == (400, "InvalidSignatureException")
    assert send(fake.url, {**ECR, **signed(fake, "ecr")}, "{}")[0] == 200


def test_sts_calls_a_wrong_credential_scope_a_wrong_signature(fake: AwsFake) -> None:
    status, body = send(fake.url, {**FORM, **signed(fake, "sts", region="us-east-1")}, "Action=GetCallerIdentity")
    assert status == 403
    assert "<Code>SignatureDoesNotMatch</Code>" in body
    assert "valid region, not 'us-east-1'" in body


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (ECR, "not json"),
        (ECR, "[]"),
    ],
)
def test_a_body_that_is_no_json_object_is_a_bad_request(fake: AwsFake, headers: dict[str, str], body: str) -> None:
    assert send(fake.url, headers, body)[0] == 400
    assert fake.calls == []


@pytest.mark.parametrize("target", ["SpencerFrontendService.GetAuthorizationToken", "DynamoDB_20120810.ListTables"])
def test_a_host_knows_the_operations_of_its_service_only(fake: AwsFake, target: str) -> None:
    status, body = send(fake.url, {**ECR, "X-Amz-Target": target, **signed(fake, "ecr")}, "{}")
    assert (status, json.loads(body)["__type"]) == (400, "UnknownOperationException")


def test_a_request_to_no_host_of_aws_is_not_found(fake: AwsFake) -> None:
    assert send(fake.url, {**ECR, "Host": "api.ecr.eu-nowhere-1.amazonaws.com"}, "{}")[0] == 404
    assert fake.calls == []


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"DurationSeconds": "899"}, "greater than or equal to 900"),
        ({"DurationSeconds": "soon"}, "must be an integer"),
        ({"RoleSessionName": "x"}, "length greater than or equal to 2"),
        ({f"Tags.member.{n}.Key": f"k{n}" for n in range(1, 52)}, "less than or equal to 50"),
    ],
)
def test_sts_refuses_what_botocore_would_not_have_sent(fake: AwsFake, parameters: dict[str, str], words: str) -> None:
    status, body = sts(fake, "AssumeRole", **{"RoleArn": ROLE, "RoleSessionName": "test", **parameters})
    assert status == 400
    assert "<Code>ValidationError</Code>" in body
    assert words.lower() in body.lower()


def test_every_problem_of_a_request_is_named_at_once(fake: AwsFake) -> None:
    body = sts(fake, "AssumeRole")[1]
    assert "2 validation errors detected" in body
    assert "roleArn" in body
    assert "roleSessionName" in body


def test_an_unknown_action_is_invalid(fake: AwsFake) -> None:
    status, body = sts(fake, "GetSessionToken")
    assert status == 400
    assert "<Code>InvalidAction</Code>" in body


def test_instance_metadata_wants_a_token_of_a_lawful_ttl() -> None:
    now = [datetime(2031, 5, 6, tzinfo=UTC)]
    with serve_in_thread(clock=lambda: now[0]) as fake:
        zone = f"{fake.url}/latest/meta-data/placement/availability-zone/"
        assert send(f"{fake.url}/latest/api/token", {TTL: "21601"}, method="PUT")[0] == 400
        assert send(zone, {}, method="GET")[0] == 401
        token = send(f"{fake.url}/latest/api/token", {TTL: "60"}, method="PUT")[1]
        assert token in fake.secrets
        assert send(zone, {TOKEN: token}, method="GET") == (200, "eu-west-1a")
        assert send(f"{fake.url}/latest/meta-data/placement/region", {TOKEN: token}, method="GET")[1] == "eu-west-1"
        assert send(f"{fake.url}/latest/meta-data/ami-id", {TOKEN: token}, method="GET")[0] == 404
        now[0] += timedelta(seconds=60)
        assert send(zone, {TOKEN: token}, method="GET")[0] == 401


def test_a_registry_can_deny_and_throttle(fake: AwsFake) -> None:
    url = f"{fake.url}/_registry/{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/v2/"
    fake.deny(service="registry", times=1)
    fake.throttle(operation="ProbeRegistry", region="eu-west-1", times=1)
    assert [send(url, {}, method="GET")[0] for _ in range(3)] == [403, 429, 401]
