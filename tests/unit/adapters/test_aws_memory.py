"""What is cached per identity, and for how long."""

import gc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from botocore.client import BaseClient

from pullkeeper.adapters.aws.sts import Sessions, WebIdentity
from pullkeeper.domain.iam.identity import Identity, service_account
from tests.unit.adapters.identity_harness import OWN, IdentityHarness, as_role, identity_harness
from testsupport.fake_aws import ACCOUNT, USER_ARN
from testsupport.waiting import HANG_GUARD

MANY = 60
TAGGED = 15


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch) -> Iterator[IdentityHarness]:
    with identity_harness(monkeypatch) as built:
        yield built


def cached_items(sessions: Sessions) -> int:
    """Count everything that the sessions cache."""
    return sum(len(each) for each in vars(sessions).values() if hasattr(each, "__len__"))


def use_role(sessions: Sessions, identity: Identity, web: WebIdentity | None = None) -> None:
    sessions.role_client(identity, web, "ecr", "eu-west-1").close()


def clients_alive() -> int:
    gc.collect()
    return sum(isinstance(each, BaseClient) for each in gc.get_objects())


def test_expired_credentials_are_forgotten(harness: IdentityHarness) -> None:
    """Nothing is left of an identity whose credentials have expired, round after round."""
    sessions = Sessions(home_region="eu-west-1", allow_node_instance_role=False, clock=harness.clock)
    roles = [f"arn:aws:iam::{ACCOUNT}:role/team-{number}" for number in range(MANY)]
    for role in roles:
        harness.aws.allow_role(role, trusted_principals=USER_ARN)
    one = as_role()
    use_role(sessions, one)
    alone, clients = cached_items(sessions), clients_alive()
    for _ in range(2):
        for role in roles:
            use_role(sessions, as_role(role))
        assert cached_items(sessions) == alone + MANY
        harness.clock.ahead += timedelta(hours=1, seconds=1)
        use_role(sessions, one)
        assert cached_items(sessions) == alone
        assert clients_alive() <= clients


def test_clients_of_identities_are_not_cached(harness: IdentityHarness) -> None:
    """A client takes 0.4 MB: those of roles and ServiceAccounts are collected after use_role."""
    sessions = Sessions(home_region="eu-west-1", allow_node_instance_role=False, clock=harness.clock)
    use_role(sessions, as_role())
    use_role(sessions, service_account("team-a", "puller"), _web(harness, "team-a"))
    harness.aws.allow_role(OWN, trusts_subjects="*")
    clients = clients_alive()
    for number in range(TAGGED):
        use_role(sessions, as_role(session_tags=True, namespace=f"team-{number}"))
        use_role(sessions, service_account(f"team-{number}", "puller"), _web(harness, f"team-{number}"))
    assert clients_alive() <= clients


def test_cached_clients_are_bounded(harness: IdentityHarness) -> None:
    """A region is any text in a registry host: only the most recently used have a cached client."""
    sessions = Sessions(home_region="eu-west-1", allow_node_instance_role=False, clock=harness.clock)
    counts = []
    for number in range(90):
        sessions.controller_client("ecr", f"made-up-{number}")
        counts.append(cached_items(sessions))
    assert counts[-1] == counts[-20] < 90
    assert sessions.controller_client("ecr", "made-up-89") is sessions.controller_client("ecr", "made-up-89")


def test_concurrent_regions_of_a_role_share_one_session(harness: IdentityHarness) -> None:
    """From several threads at the same time, the role is assumed once."""
    sessions = Sessions(home_region="eu-west-1", allow_node_instance_role=False, clock=harness.clock)
    held = harness.aws.hang(operation="AssumeRole")
    with ThreadPoolExecutor(4) as pool:
        uses = [pool.submit(use_role, sessions, as_role(session_tags=True)) for _ in range(4)]
        assert held.wait_played()
        held.clear()
        for each in uses:
            each.result(HANG_GUARD)
    assert harness.aws.count("AssumeRole") == 1


def test_repr_hides_credentials(harness: IdentityHarness) -> None:
    """No key and no token appears in the repr of anything cached."""
    sessions = Sessions(home_region="eu-west-1", allow_node_instance_role=False, clock=harness.clock)
    web = _web(harness, "team-a")
    harness.web_token = web.token
    use_role(sessions, as_role())
    use_role(sessions, service_account("team-a", "puller"), web)
    harness.check_no_secret(repr(vars(sessions)), repr(web))


def _web(harness: IdentityHarness, namespace: str) -> WebIdentity:
    token = harness.issuer.token(f"system:serviceaccount:{namespace}:puller", now=harness.clock())
    return WebIdentity(role_arn=OWN, token=token)
