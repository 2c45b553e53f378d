"""Requests to AWS are counted where they leave: the figures are those that AWS has."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.config import Config

from pullkeeper.adapters.aws import ecr
from tests.unit.adapters.aws_harness import AwsHarness, quick
from testsupport.examples import EU, PUBLIC, scope
from testsupport.fake_aws import ACCOUNT, AwsFake, serve_in_thread
from testsupport.fake_aws.issuer import Issuer

TOKEN, ROLE = "GetAuthorizationToken", f"arn:aws:iam::{ACCOUNT}:role/pullkeeper"
SUBJECT = "system:serviceaccount:pullkeeper:pullkeeper"


@pytest.fixture
def fake() -> Iterator[AwsFake]:
    with serve_in_thread() as running:
        yield running


@pytest.fixture
def house(fake: AwsFake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[AwsHarness]:
    caplog.set_level(logging.DEBUG, "pullkeeper")
    house = AwsHarness(fake, monkeypatch)
    yield house
    house.search(caplog.text)


async def test_each_service_is_counted_by_its_own_name(house: AwsHarness) -> None:
    """ECR and ECR Public are two, with quotas of their own."""
    door = house.door()
    await door.fetch(scope(EU))
    await door.fetch(scope(PUBLIC))
    assert house.counts.tries == [("ecr", TOKEN, 200), ("ecr-public", TOKEN, 200)]


async def test_the_calls_for_credentials_are_counted(house: AwsHarness, fake: AwsFake, tmp_path: Path) -> None:
    """Those that botocore makes on its own for IRSA too."""
    issuer = Issuer()
    fake.trust_issuer(issuer.url, issuer.jwks())
    fake.allow_role(ROLE, trusts_subjects=SUBJECT)
    (tmp_path / "token").write_text(issuer.token(SUBJECT))
    environment = fake.environment(web_identity_token_file=str(tmp_path / "token"), role_arn=ROLE)
    await house.door(environment).fetch(scope(EU))
    assert house.counts.tries == [("sts", "AssumeRoleWithWebIdentity", 200), ("ecr", TOKEN, 200)]


async def test_botocores_own_repetitions_are_counted(
    house: AwsHarness, fake: AwsFake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One question of ours may be several requests to AWS, and it is those that AWS's limits count."""
    twice = Config(retries={"mode": "standard", "total_max_attempts": 2})
    monkeypatch.setattr(ecr, "QUICK", quick().merge(twice))
    fake.throttle(operation=TOKEN)
    await house.refused(house.door(), scope(EU))
    assert house.counts.tries == [("ecr", TOKEN, 400)] * 2
    assert len(fake.calls) == 2


async def test_no_answer_is_counted_as_0(house: AwsHarness, fake: AwsFake) -> None:
    """Each try of it."""
    fake.reset(operation=TOKEN)
    await house.refused(house.door(), scope(EU))
    assert set(house.counts.tries) == {("ecr", TOKEN, 0)}
    assert len(house.counts.tries) == len(fake.calls)
