"""Which identities and regions have series of their own."""

from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.iam import identity
from pullkeeper.domain.iam.identity import CONTROLLER, Identity, Session
from pullkeeper.domain.reporting.token_labels import (
    IDLE_SECONDS,
    MAX_SERIES,
    MAX_SERIES_PER_NAMESPACE,
    OTHER,
    TokenLabels,
)

REGION = "eu-west-1"
ROLE = identity.role("arn:aws:iam::123456789012:role/puller", Session(name="x"))


def scope(who: Identity = CONTROLLER, region: str = REGION) -> TokenScope:
    return TokenScope(identity=who, region=region)


def test_labels_come_with_the_first_token() -> None:
    """Until then there are the controller's identity, and regions in which somebody has got one."""
    labels = TokenLabels()
    assert labels.of(scope(), 0, issued=False) == (("controller", OTHER), True)
    assert labels.of(scope(), 0, issued=False) == (("controller", OTHER), False)
    assert labels.of(scope(ROLE), 0, issued=False) == ((OTHER, OTHER), True)
    assert labels.of(scope(), 0, issued=True) == (("controller", REGION), True)
    assert labels.of(scope(), 0, issued=False) == (("controller", REGION), False)
    assert labels.of(scope(ROLE), 0, issued=False) == ((OTHER, REGION), True)
    assert labels.of(scope(ROLE), 0, issued=True) == ((ROLE.name, REGION), True)
    assert labels.of(scope(ROLE, "us-east-1"), 0, issued=False) == ((OTHER, OTHER), False)


def test_made_up_regions_and_roles_have_no_series() -> None:
    """However many there are."""
    labels = TokenLabels()
    for number in range(10_000):
        found, _ = labels.of(scope(region=f"us-x{number}-1"), number, issued=False)
        assert found == ("controller", OTHER)
        made_up = identity.role(f"arn:aws:iam::123456789012:role/x{number}", Session(name="x"))
        assert labels.of(scope(made_up), number, issued=False)[0] == (OTHER, OTHER)


def test_a_namespace_has_a_few_series_for_identities_of_its_own() -> None:
    """However many ServiceAccounts it makes; those of another namespace and shared identities are not affected."""
    labels = TokenLabels()
    found = {
        labels.of(scope(identity.service_account("a", f"x{number}")), 0, issued=True)[0] for number in range(1_000)
    }
    assert len(found) == MAX_SERIES_PER_NAMESPACE + 1
    assert (OTHER, REGION) in found
    tagged = identity.role(ROLE.role_arn, Session(name="x"), only_for="a")
    assert labels.of(scope(tagged), 0, issued=True)[0] == (OTHER, REGION)
    for who in (identity.service_account("b", "x"), ROLE, CONTROLLER):
        assert labels.of(scope(who), 0, issued=True)[0] == (who.name, REGION)


def test_the_number_of_series_is_limited() -> None:
    """What has its own keeps it."""
    labels = TokenLabels()
    names = [identity.service_account(f"team-{number}", "x") for number in range(MAX_SERIES + 100)]
    found = [labels.of(scope(who), 0, issued=True)[0] for who in names]
    assert len(set(found)) == MAX_SERIES + 1
    assert found[-1] == (OTHER, REGION)
    assert labels.of(scope(names[0]), 0, issued=False)[0] == (names[0].name, REGION)


def test_what_is_not_used_for_a_day_makes_room() -> None:
    """Also in the share of a namespace."""
    labels = TokenLabels()
    accounts = [identity.service_account("a", f"x{number}") for number in range(2 * MAX_SERIES_PER_NAMESPACE)]
    for who in accounts[:MAX_SERIES_PER_NAMESPACE]:
        labels.of(scope(who), 0, issued=True)
    assert labels.remove_unused(IDLE_SECONDS) == []
    labels.of(scope(), 1, issued=True)
    assert len(labels.remove_unused(IDLE_SECONDS + 0.5)) == MAX_SERIES_PER_NAMESPACE
    for who in accounts[MAX_SERIES_PER_NAMESPACE:]:
        assert labels.of(scope(who), IDLE_SECONDS, issued=True)[0] == (who.name, REGION)


def test_one_that_is_not_used_makes_room_for_one() -> None:
    """In the share of its namespace."""
    labels = TokenLabels()
    tagged = [
        identity.role(f"{ROLE.role_arn}{number}", Session(name="x"), only_for="a")
        for number in range(MAX_SERIES_PER_NAMESPACE + 2)
    ]
    for number, who in enumerate(tagged[:MAX_SERIES_PER_NAMESPACE]):
        labels.of(scope(who), min(number, 1), issued=True)
    assert labels.remove_unused(IDLE_SECONDS + 0.5) == [(tagged[0].name, REGION)]
    found = [labels.of(scope(who), IDLE_SECONDS, issued=True)[0] for who in tagged[MAX_SERIES_PER_NAMESPACE:]]
    assert found == [(tagged[-2].name, REGION), (OTHER, REGION)]


def test_a_shared_role_has_series_in_as_many_regions_as_it_is_used_in() -> None:
    """It is no namespace's own."""
    labels = TokenLabels()
    for number in range(2 * MAX_SERIES_PER_NAMESPACE):
        assert labels.of(scope(ROLE, f"us-x{number}-1"), 0, issued=True)[0] == (ROLE.name, f"us-x{number}-1")
