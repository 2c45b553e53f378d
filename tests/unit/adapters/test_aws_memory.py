"""What the door to AWS keeps of the identities that it has fetched as."""

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
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[IdentityHarness]:
    with identity_harness(monkeypatch) as built:
        yield built


def kept(sessions: Sessions) -> int:
    """Count everything that it keeps, in whichever of its mappings."""
    return sum(len(each) for each in vars(sessions).values() if hasattr(each, "__len__"))


def use(sessions: Sessions, identity: Identity, web: WebIdentity | None = None) -> None:
    sessions.assumed(identity, web, "ecr", "eu-west-1").close()


def clients_alive() -> int:
    gc.collect()
    return sum(isinstance(each, BaseClient) for each in gc.get_objects())


def test_spent_credentials_of_many_identities_are_not_kept(there: IdentityHarness) -> None:
    """Once its credentials are spent nothing of an identity is left, however many there were, round after round."""
    sessions = Sessions(home_region="eu-west-1", allow_node_instance_role=False, clock=there.clock)
    roles = [f"arn:aws:iam::{ACCOUNT}:role/team-{number}" for number in range(MANY)]
    for role in roles:
        there.aws.allow_role(role, trusted_principals=USER_ARN)
    one = as_role()
    use(sessions, one)
    alone, clients = kept(sessions), clients_alive()
    for _ in range(2):
        for role in roles:
            use(sessions, as_role(role))
        assert kept(sessions) == alone + MANY
        there.clock.ahead += timedelta(hours=1, seconds=1)
        use(sessions, one)
        assert kept(sessions) == alone
        assert clients_alive() <= clients


def test_no_client_is_kept_for_an_identity(there: IdentityHarness) -> None:
    """A client costs a third of a megabyte: those of roles and accounts are gone once they have served."""
    sessions = Sessions(home_region="eu-west-1", allow_node_instance_role=False, clock=there.clock)
    use(sessions, as_role())
    use(sessions, service_account("team-a", "puller"), _web(there, "team-a"))
    there.aws.allow_role(OWN, trusts_subjects="*")
    clients = clients_alive()
    for number in range(TAGGED):
        use(sessions, as_role(session_tags=True, namespace=f"team-{number}"))
        use(sessions, service_account(f"team-{number}", "puller"), _web(there, f"team-{number}"))
    assert clients_alive() <= clients


def test_clients_of_made_up_regions_are_bounded(there: IdentityHarness) -> None:
    """A region is any text of a host that somebody wrote: only those used last have a client that stays."""
    sessions = Sessions(home_region="eu-west-1", allow_node_instance_role=False, clock=there.clock)
    counts = []
    for number in range(90):
        sessions.own("ecr", f"made-up-{number}")
        counts.append(kept(sessions))
    assert counts[-1] == counts[-20] < 90
    assert sessions.own("ecr", "made-up-89") is sessions.own("ecr", "made-up-89")


def test_regions_of_an_identity_share_one_session(there: IdentityHarness) -> None:
    """Asked from several threads at the same moment, a role is assumed once."""
    sessions = Sessions(home_region="eu-west-1", allow_node_instance_role=False, clock=there.clock)
    held = there.aws.hang(operation="AssumeRole")
    with ThreadPoolExecutor(4) as pool:
        uses = [pool.submit(use, sessions, as_role(session_tags=True)) for _ in range(4)]
        assert held.wait_played()
        held.clear()
        for each in uses:
            each.result(HANG_GUARD)
    assert there.aws.count("AssumeRole") == 1


def test_no_repr_shows_credentials(there: IdentityHarness) -> None:
    """Whatever prints what is kept prints no key and no token."""
    sessions = Sessions(home_region="eu-west-1", allow_node_instance_role=False, clock=there.clock)
    web = _web(there, "team-a")
    there.web_token = web.token
    use(sessions, as_role())
    use(sessions, service_account("team-a", "puller"), web)
    there.check_silence(repr(vars(sessions)), repr(web))


def _web(there: IdentityHarness, namespace: str) -> WebIdentity:
    token = there.issuer.token(f"system:serviceaccount:{namespace}:puller", now=there.clock())
    return WebIdentity(role_arn=OWN, token=token)
