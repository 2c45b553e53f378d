"""What is kept per identity, and how much of it."""

import asyncio
import gc
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from botocore.client import BaseClient

from pullkeeper.adapters.aws import credentials, ecr
from pullkeeper.adapters.aws.clients import Keys
from pullkeeper.domain.errors.failures import Reason
from pullkeeper.domain.iam.identity import CONTROLLER, service_account
from pullkeeper.tokens import call_queue
from tests.unit.adapters.identity_harness import OWN, IdentityHarness, as_role, identity_harness
from testsupport.fake_aws import ACCOUNT, USER_ARN

MANY = 12
PULLER = replace(service_account("team-a", "puller"), uid="uid-1", role_arn=OWN, audience="sts.amazonaws.com")


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch) -> Iterator[IdentityHarness]:
    monkeypatch.setattr(call_queue, "_INTERVAL", 0.0)
    with identity_harness(monkeypatch) as built:
        yield built


def clients_alive() -> int:
    gc.collect()
    return sum(isinstance(each, BaseClient) for each in gc.get_objects())


async def test_identities_that_are_remembered_are_bounded(
    harness: IdentityHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The least recently used go first, and no client stays: one takes 0.4 MB."""
    monkeypatch.setattr(credentials, "_MAX_IDENTITIES", MANY // 2)
    monkeypatch.setattr(ecr, "_MAX_REMEMBERED", MANY // 2)
    roles = [as_role(f"arn:aws:iam::{ACCOUNT}:role/team-{number}") for number in range(MANY)]
    await harness.fetch()
    clients = clients_alive()
    for role in roles:
        harness.aws.allow_role(role.role_arn, trusted_principals=USER_ARN)
        await harness.fetch(role)
    known = vars(harness.ecr)
    assert len(known["_credentials"]) == len(known["_recognised"]) == MANY // 2
    assert clients_alive() <= clients
    await harness.fetch(roles[-1], "us-west-2")
    assert harness.aws.count("AssumeRole") == MANY
    await harness.fetch(roles[0], "us-west-2")
    assert harness.aws.count("AssumeRole") == MANY + 1


async def test_concurrent_regions_of_an_identity_share_one_attempt(harness: IdentityHarness) -> None:
    """The role is assumed once, and a failure to do so holds for all of them."""
    regions = ("eu-west-1", "eu-west-2", "us-east-1", "us-west-2")
    await asyncio.gather(*(harness.fetch(as_role(), region) for region in regions))
    assert harness.aws.count("AssumeRole") == 1
    harness.aws.remove(as_role().role_arn)
    harness.clock.ahead = timedelta(hours=2)
    found = await asyncio.gather(*(harness.failure(as_role(), region) for region in regions))
    assert {each.reason for each in found} == {Reason.ACCESS_DENIED}
    assert harness.aws.count("AssumeRole") == 2


async def test_failure_is_remembered_for_all_regions(harness: IdentityHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a while no region asks again, and what a failed attempt took counts."""
    monkeypatch.setattr(credentials, "_MIN_REMEMBERED", 3600.0)
    monkeypatch.setattr(credentials, "_MAX_REMEMBERED", 3600.0)
    harness.aws.remove(as_role().role_arn)
    for region in ("eu-west-1", "us-west-2", "us-east-1"):
        assert (await harness.failure(as_role(), region)).reason is Reason.ACCESS_DENIED
    assert harness.aws.count("AssumeRole") == 1
    assert (await harness.fetch(CONTROLLER)).principal == USER_ARN


async def test_repr_hides_credentials(harness: IdentityHarness) -> None:
    """No key and no token appears in the repr of anything kept."""
    await harness.fetch(as_role())
    await harness.fetch(
        replace(service_account("team-a", "puller"), uid="uid-1", role_arn=OWN, audience="sts.amazonaws.com")
    )
    kept = vars(vars(harness.ecr)["_credentials"])
    assert len([each for each in kept["_entries"].values() if isinstance(each.keys, Keys)]) == 3
    harness.check_no_secret(repr(kept), repr(vars(harness.ecr)))
