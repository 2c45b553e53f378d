"""The fake's STS and its credentials, seen through boto3."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from typing import Any

import jwt
import pytest
from botocore.exceptions import ClientError

from testsupport.fake_aws import ACCOUNT, USER_ARN, AwsFake, Session, serve_in_thread, utcnow
from testsupport.fake_aws.clients import clients, code_of
from testsupport.fake_aws.issuer import Issuer
from testsupport.fake_aws.records import Principal

ROLE = f"arn:aws:iam::{ACCOUNT}:role/team/puller"
OTHER = "arn:aws:iam::210987654321:role/other"
SUBJECT = "system:serviceaccount:team-a:puller"


@cache
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def fake() -> Iterator[AwsFake]:
    with serve_in_thread() as running:
        running.trust_issuer(issuer().url, issuer().jwks())
        running.allow_role(ROLE, trusts_subjects="system:serviceaccount:team-?:*", trusted_principals=USER_ARN)
        yield running


def session_of(answer: Any) -> Session:
    keys = answer["Credentials"]
    return Session(
        principal=Principal(arn=answer["AssumedRoleUser"]["Arn"], account="", user_id=""),
        access_key_id=keys["AccessKeyId"],
        secret_access_key=keys["SecretAccessKey"],
        session_token=keys["SessionToken"],
    )


def assume(fake: AwsFake, role: str = ROLE, caller: Session | None = None, **options: Any) -> Any:
    with clients(fake, caller) as aws:
        return aws.sts.assume_role(**{"RoleArn": role, "RoleSessionName": "test", **options})


def assume_with_token(fake: AwsFake, token: str, role: str = ROLE, **options: Any) -> Any:
    with clients(fake) as aws:
        return aws.sts.assume_role_with_web_identity(
            RoleArn=role, RoleSessionName="test", WebIdentityToken=token, **options
        )


def test_caller_identity_is_the_user_or_the_role_session(fake: AwsFake) -> None:
    session = session_of(assume(fake))
    with clients(fake) as user, clients(fake, session) as role:
        assert user.sts.get_caller_identity()["Arn"] == USER_ARN
        answer = role.sts.get_caller_identity()
    assert answer["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/puller/test"
    assert answer["Account"] == ACCOUNT
    assert answer["UserId"].endswith(":test")


def test_a_role_session_fetches_tokens_as_itself(fake: AwsFake) -> None:
    fake.allow_role(OTHER, trusted_principals=USER_ARN)
    with clients(fake, session_of(assume(fake, OTHER))) as aws:
        data = aws.ecr.get_authorization_token()["authorizationData"][0]
    assert data["proxyEndpoint"] == "https://210987654321.dkr.ecr.eu-west-1.amazonaws.com"
    assert fake.tokens[0].role_arn == OTHER
    assert [call.target_role for call in fake.calls] == [OTHER, None]


def test_web_identity_gives_a_session_and_names_its_claims(fake: AwsFake) -> None:
    answer = assume_with_token(fake, issuer().token(SUBJECT), DurationSeconds=900)
    assert answer["SubjectFromWebIdentityToken"] == SUBJECT
    assert answer["Audience"] == "sts.amazonaws.com"
    assert answer["Provider"].startswith(f"arn:aws:iam::{ACCOUNT}:oidc-provider/oidc.eks.")
    left = answer["Credentials"]["Expiration"] - utcnow()
    assert timedelta(seconds=890) < left <= timedelta(seconds=900)
    assert {answer["Credentials"]["SecretAccessKey"], answer["Credentials"]["SessionToken"]} <= fake.secrets


def test_every_flaw_of_a_web_identity_token_has_its_error(fake: AwsFake) -> None:
    fake.reject_subject("system:serviceaccount:team-x:revoked")
    stranger, forger = Issuer("https://stranger.example"), Issuer(key_id="key-1")
    unknown_key = Issuer(key_id="key-2")
    signed = issuer().token
    late = utcnow() - timedelta(hours=2)
    flaws = {
        "not.a.jwt": ("InvalidIdentityToken", 400),
        stranger.token(SUBJECT): ("InvalidIdentityToken", 400),
        forger.token(SUBJECT): ("InvalidIdentityToken", 400),
        unknown_key.token(SUBJECT): ("InvalidIdentityToken", 400),
        jwt.encode({"iss": issuer().url, "sub": SUBJECT}, "", algorithm="none"): ("InvalidIdentityToken", 400),
        issuer().sign({"iss": issuer().url, "sub": SUBJECT}): ("InvalidIdentityToken", 400),
        issuer().sign({"iss": issuer().url, "exp": 2**33}): ("InvalidIdentityToken", 400),
        issuer().sign({"iss": issuer().url, "exp": "soon"}): ("InvalidIdentityToken", 400),
        issuer().sign({"iss": issuer().url, "sub": SUBJECT, "exp": 2**33, "aud": 7}): ("InvalidIdentityToken", 400),
        signed(SUBJECT, audience="else.example"): ("InvalidIdentityToken", 400),
        signed(SUBJECT, now=utcnow() + timedelta(hours=1)): ("InvalidIdentityToken", 400),
        signed(SUBJECT, now=late): ("ExpiredTokenException", 400),
        signed("system:serviceaccount:other:puller"): ("AccessDenied", 403),
        signed("system:serviceaccount:team-x:revoked"): ("IDPRejectedClaim", 403),
    }
    for token, expected in flaws.items():
        with pytest.raises(ClientError) as raised:
            assume_with_token(fake, token)
        assert code_of(raised.value) == expected


@pytest.mark.parametrize("trust", [{"audience": "other.example"}, {"issuer": "https://other.example"}])
def test_the_roles_own_conditions_count(fake: AwsFake, trust: dict[str, Any]) -> None:
    fake.allow_role(ROLE, trusts_subjects="*", **trust)
    with pytest.raises(ClientError) as raised:
        assume_with_token(fake, issuer().token(SUBJECT))
    assert code_of(raised.value) == ("AccessDenied", 403)
    assert "Not authorized to perform sts:AssumeRoleWithWebIdentity" in str(raised.value)


def test_keys_are_asked_for_at_every_verification(fake: AwsFake) -> None:
    sets = iter([{"keys": []}, issuer().jwks()])
    fake.trust_issuer(issuer().url, lambda: next(sets))
    with pytest.raises(ClientError) as raised:
        assume_with_token(fake, issuer().token(SUBJECT))
    assert code_of(raised.value) == ("InvalidIdentityToken", 400)
    assume_with_token(fake, issuer().token(SUBJECT))


def test_an_issuer_out_of_reach_is_a_communication_error(fake: AwsFake) -> None:
    def unreachable() -> dict[str, Any]:
        raise ConnectionRefusedError

    fake.trust_issuer(issuer().url, unreachable)
    with pytest.raises(ClientError) as raised:
        assume_with_token(fake, issuer().token(SUBJECT))
    assert code_of(raised.value) == ("IDPCommunicationError", 400)


@pytest.mark.parametrize(
    "trust",
    [{}, {"trusted_principals": [OTHER]}, {"trusted_principals": "*", "external_id": "secret-word"}],
)
def test_an_untrusted_caller_may_not_assume(fake: AwsFake, trust: dict[str, Any]) -> None:
    fake.allow_role(ROLE, **trust)
    with pytest.raises(ClientError) as raised:
        assume(fake)
    assert code_of(raised.value) == ("AccessDenied", 403)
    expected = f"User: {USER_ARN} is not authorized to perform: sts:AssumeRole on resource: {ROLE}"
    assert raised.value.response["Error"]["Message"] == expected


@pytest.mark.parametrize("trusted", [USER_ARN, ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", "*"])
def test_a_trusted_caller_with_the_external_id_may(fake: AwsFake, trusted: str) -> None:
    fake.allow_role(ROLE, trusted_principals=trusted, external_id="secret-word")
    answer = assume(fake, ExternalId="secret-word", SourceIdentity="someone", Tags=[{"Key": "a b", "Value": ""}])
    assert answer["SourceIdentity"] == "someone"


@pytest.mark.parametrize(
    ("options", "member"),
    [
        ({"RoleSessionName": "with space"}, "roleSessionName"),
        ({"RoleSessionName": "x" * 65}, "roleSessionName"),
        ({"ExternalId": "semi;colon"}, "externalId"),
        ({"SourceIdentity": "with space"}, "sourceIdentity"),
        ({"Tags": [{"Key": "no;semicolon", "Value": "v"}]}, "tags.key"),
        ({"DurationSeconds": 43201}, "durationSeconds"),
        ({"DurationSeconds": 3601}, "MaxSessionDuration"),
    ],
)
def test_parameters_are_held_to_the_model(fake: AwsFake, options: dict[str, Any], member: str) -> None:
    with pytest.raises(ClientError) as raised:
        assume(fake, **options)
    assert code_of(raised.value) == ("ValidationError", 400)
    assert member in str(raised.value)


def test_role_chaining_ends_at_one_hour(fake: AwsFake) -> None:
    fake.allow_role(OTHER, trusted_principals=[USER_ARN, ROLE], max_session=timedelta(hours=12))
    assume(fake, OTHER, DurationSeconds=43200)
    chained = session_of(assume(fake))
    assume(fake, OTHER, chained, DurationSeconds=3600)
    with pytest.raises(ClientError) as raised:
        assume(fake, OTHER, chained, DurationSeconds=3601)
    assert code_of(raised.value) == ("ValidationError", 400)
    assert "role chaining" in str(raised.value)


def test_expired_credentials_are_told_so_until_the_role_is_assumed_again(fake: AwsFake) -> None:
    session = session_of(assume(fake))
    assert fake.expire_credentials(ROLE) == 1
    with clients(fake, session) as aws:
        with pytest.raises(ClientError) as ecr:
            aws.ecr.get_authorization_token()
        with pytest.raises(ClientError) as sts:
            aws.sts.get_caller_identity()
    assert code_of(ecr.value) == ("ExpiredTokenException", 400)
    assert code_of(sts.value) == ("ExpiredToken", 403)
    with clients(fake, session_of(assume(fake))) as aws:
        aws.ecr.get_authorization_token()


def test_unknown_keys_and_mixed_up_session_tokens_are_not_recognised(fake: AwsFake) -> None:
    one, two = session_of(assume(fake)), session_of(assume(fake))
    mixed = Session(
        principal=one.principal,
        access_key_id=one.access_key_id,
        secret_access_key=one.secret_access_key,
        session_token=two.session_token,
    )
    with clients(fake, mixed) as aws:
        with pytest.raises(ClientError) as ecr:
            aws.ecr.get_authorization_token()
        with pytest.raises(ClientError) as sts:
            aws.sts.get_caller_identity()
    assert code_of(ecr.value) == ("UnrecognizedClientException", 400)
    assert code_of(sts.value) == ("InvalidClientTokenId", 403)


def test_sts_in_a_disabled_region_says_so(fake: AwsFake) -> None:
    fake.disable_region("af-south-1")
    with clients(fake, region="af-south-1") as aws, pytest.raises(ClientError) as raised:
        aws.sts.get_caller_identity()
    assert code_of(raised.value) == ("RegionDisabledException", 403)
