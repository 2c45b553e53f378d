"""Answers of the fake that are rubbish, expired or short-lived, seen through boto3."""

from __future__ import annotations

import base64
import binascii
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from testsupport.fake_aws import ACCOUNT, AwsFake, Garbage, utcnow
from testsupport.fake_aws.clients import clients, code_of

ROLE = f"arn:aws:iam::{ACCOUNT}:role/puller"


@pytest.mark.parametrize("kind", [Garbage.INVALID_BODY, Garbage.HTML_PAGE])
@pytest.mark.parametrize("service", ["ecr", "ecr-public"])
def test_a_body_that_is_no_json_reaches_the_caller_as_no_data(fake: AwsFake, service: str, kind: Garbage) -> None:
    fake.garbage(kind)
    with clients(fake) as aws:
        assert "authorizationData" not in aws.call(service)
    assert [(each.outcome, each.faulted) for each in fake.calls] == [("garbage", True)]


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (Garbage.INVALID_BODY, ResponseParserError),
        (Garbage.EMPTY_BODY, ResponseParserError),
        # The page happens to be well-formed XML, and botocore misses its wrapper in its own way.
        (Garbage.HTML_PAGE, KeyError),
    ],
)
def test_a_body_that_is_no_answer_of_sts_makes_botocore_raise(
    fake: AwsFake, kind: Garbage, error: type[Exception]
) -> None:
    fake.garbage(kind)
    with clients(fake) as aws, pytest.raises(error):
        aws.call("sts")
    assert [(each.outcome, each.faulted) for each in fake.calls] == [("garbage", True)]


@pytest.mark.parametrize("service", ["ecr", "ecr-public"])
def test_an_html_error_page_is_an_error_of_its_status(fake: AwsFake, service: str) -> None:
    fake.garbage(Garbage.HTML_PAGE, status=503)
    with clients(fake) as aws, pytest.raises(ClientError) as raised:
        aws.call(service)
    assert code_of(raised.value) == ("503", 503)


def test_an_html_error_page_from_sts_is_an_error_without_a_code(fake: AwsFake) -> None:
    fake.garbage(Garbage.HTML_PAGE, status=503)
    with clients(fake) as aws, pytest.raises(ClientError) as raised:
        aws.sts.get_caller_identity()
    assert "Error" not in raised.value.response


@pytest.mark.parametrize(
    ("service", "kind", "answer"),
    [
        ("ecr", Garbage.NO_DATA, []),
        ("ecr", Garbage.MISSING_FIELDS, [{}]),
        ("ecr", Garbage.EMPTY_BODY, None),
        ("ecr-public", Garbage.NO_DATA, None),
        ("ecr-public", Garbage.MISSING_FIELDS, {}),
    ],
)
def test_an_envelope_can_lack_what_matters(fake: AwsFake, service: str, kind: Garbage, answer: object) -> None:
    fake.garbage(kind)
    with clients(fake) as aws:
        assert aws.call(service).get("authorizationData") == answer


def test_sts_can_answer_without_credentials(fake: AwsFake) -> None:
    fake.garbage("missing-fields")
    with clients(fake) as aws:
        assert "Credentials" not in aws.sts.assume_role(RoleArn=ROLE, RoleSessionName="test")


@pytest.mark.parametrize("service", ["ecr", "ecr-public"])
def test_a_token_can_be_no_base64_or_lack_its_colon(fake: AwsFake, service: str) -> None:
    fake.garbage(Garbage.TOKEN_NOT_BASE64, times=1)
    fake.garbage(Garbage.TOKEN_WITHOUT_COLON, times=1)
    with clients(fake) as aws:
        aws.call("sts")
        broken, plain = (aws.call(service)["authorizationData"] for _ in range(2))
    data = [each[0] if isinstance(each, list) else each for each in (broken, plain)]
    with pytest.raises(binascii.Error):
        base64.b64decode(data[0]["authorizationToken"], validate=True)
    assert b":" not in base64.b64decode(data[1]["authorizationToken"], validate=True)
    assert fake.tokens == []


@pytest.mark.parametrize("ago", [timedelta(seconds=1), timedelta(days=3650)])
def test_a_token_can_be_expired_on_arrival(fake: AwsFake, ago: timedelta) -> None:
    fake.answer_expired_token(ago, times=1)
    with clients(fake) as aws:
        expired = aws.ecr.get_authorization_token()["authorizationData"][0]["expiresAt"]
        good = aws.ecr.get_authorization_token()["authorizationData"][0]["expiresAt"]
    assert expired <= utcnow() - ago + timedelta(milliseconds=1)
    assert good > utcnow()
    assert [each.fault for each in fake.calls] == ["expired token", None]


def test_a_short_life_is_for_tokens_and_credentials(fake: AwsFake) -> None:
    fake.short_life(timedelta(seconds=30))
    with clients(fake) as aws:
        token = aws.ecr_public.get_authorization_token()["authorizationData"]["expiresAt"]
        role = aws.sts.assume_role(RoleArn=ROLE, RoleSessionName="test")["Credentials"]["Expiration"]
    for expires in (token, role):
        assert timedelta(seconds=20) < expires - utcnow() <= timedelta(seconds=30)
