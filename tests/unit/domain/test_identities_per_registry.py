"""Several identities in one pull Secret: each registry has the token of its own, and none depends on another's."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullkeeper.domain.config.policy import NOBODY, Policy, RoleGrant
from pullkeeper.domain.ecr.credential import Password, Token
from pullkeeper.domain.ecr.registry_host import RegistryHost, parse
from pullkeeper.domain.ecr.rotation import Rotation
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.iam.identity import CONTROLLER, Identity, Session, role
from pullkeeper.domain.iam.principal import Current
from pullkeeper.domain.namespace.namespace import PREFIX, observe_namespace
from pullkeeper.domain.secret.desired_state import DesiredState
from pullkeeper.domain.secret.entries import Kept, build_secret, hosts_by_scope, plan_entries
from pullkeeper.domain.secret.plan import Apply, Cause, NoOp, Step, fallback_state, plan
from pullkeeper.domain.secret.secret_record import SecretRecord, read_record
from testsupport.examples import (
    EU,
    EU_OTHER_ACCOUNT,
    HOSTS,
    HOUR,
    NOW,
    PUBLIC,
    ROLE_A,
    ROLE_B,
    US,
    auth,
    managed,
    principals,
    times,
    token,
    token_times,
)

PULLER = role("arn:aws:iam::210987654321:role/puller", Session(name="pullkeeper"))
MIXED = DesiredState(identities={EU: CONTROLLER, EU_OTHER_ACCOUNT: PULLER, US: CONTROLLER})
HELD = SecretRecord(held=dict.fromkeys(MIXED.registries, times()), identities=MIXED.identity_names)
YOUNGER, OTHER = token(issued=NOW + HOUR, password="younger"), token(issued=NOW + HOUR / 2, password="other")
AUTHS = {host: auth(f"held-{host}") for host in HOSTS}


def write(
    desired: DesiredState, record: SecretRecord | None, tokens: Mapping[RegistryHost, Token]
) -> tuple[SecretRecord, Mapping[RegistryHost, Password]]:
    """Return the record and the entries that are written over an intact Secret, which there must be."""
    found = plan_entries(desired, managed(record) if record else None, tokens, complete=True)
    content = build_secret(found, {host: AUTHS[host] for host in record.held} if record else {})
    assert content is not None
    return content.record, content.auths


def test_each_identity_of_a_region_has_a_token_of_its_own() -> None:
    """Two accounts of one region share a token only if they share the identity."""
    assert hosts_by_scope(MIXED.identities) == {
        TokenScope.of(EU_OTHER_ACCOUNT, PULLER): [EU_OTHER_ACCOUNT],
        TokenScope.of(EU, CONTROLLER): [EU],
        TokenScope.of(US, CONTROLLER): [US],
    }


def test_record_names_the_identity_of_each_registry() -> None:
    """As JSON where there are several; a token that is not the youngest of its label is named by its registry."""
    record, auths = write(MIXED, None, {EU: YOUNGER, EU_OTHER_ACCOUNT: OTHER, US: YOUNGER})
    assert auths == {EU: YOUNGER.auth, EU_OTHER_ACCOUNT: OTHER.auth, US: YOUNGER.auth}
    annotations = record.annotations()
    assert json.loads(annotations[f"{PREFIX}identity"]) == {
        PULLER.name: [EU_OTHER_ACCOUNT.name],
        "controller": [EU.name, US.name],
    }
    assert list(json.loads(annotations[f"{PREFIX}tokens"])) == ["eu-west-1", "us-west-2", EU_OTHER_ACCOUNT.name]
    assert read_record(annotations) == record


@given(
    st.dictionaries(st.sampled_from(HOSTS), st.tuples(token_times, st.sampled_from((CONTROLLER, PULLER))), min_size=1),
    st.fixed_dictionaries({CONTROLLER.name: principals, PULLER.name: principals}),
)
def test_any_record_is_read_back(
    held: Mapping[RegistryHost, tuple[Token, Identity]], behind: Mapping[str, str]
) -> None:
    """Identities and what is known of their principals survive a restart."""
    identities = {host: identity.name for host, (_, identity) in held.items()}
    known = {name: found for name, found in behind.items() if found and name in identities.values()}
    record = SecretRecord(
        held={host: validity for host, (validity, _) in held.items()}, identities=identities, principals=known
    )
    assert read_record(record.annotations()) == record


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "{}",
        "[]",
        '{"controller": null}',
        '{"controller": 1}',
        json.dumps({"controller": [EU.name]}),
        json.dumps({"controller": [EU.name, EU_OTHER_ACCOUNT.name, US.name, PUBLIC.name]}),
        json.dumps({"controller": [EU.name, US.name], "": [EU_OTHER_ACCOUNT.name]}),
        json.dumps({"controller": [EU.name, US.name], PULLER.name: [EU.name, EU_OTHER_ACCOUNT.name]}),
        json.dumps({"controller": [EU.name, EU_OTHER_ACCOUNT.name, US.name, "x"]}),
    ],
)
def test_identities_that_do_not_match_the_registries_make_the_record_unreadable(text: str) -> None:
    """Each registry has exactly one; whatever else somebody has written there is no exception."""
    assert read_record({**HELD.annotations(), f"{PREFIX}identity": text}) is None


@pytest.mark.parametrize(
    "text", ["{", "{}", "[]", '{"controller": 7}', json.dumps({"controller": "x", "other": ROLE_A})]
)
def test_principals_that_cannot_be_read_are_unknown(text: str) -> None:
    """They are no part of what the Secret is for."""
    assert read_record({**HELD.annotations(), f"{PREFIX}principal": text}) == HELD


def test_identity_that_gets_no_token_leaves_the_others_undisturbed() -> None:
    """Their entries are renewed, its own stays as it is."""
    record, auths = write(MIXED, HELD, {EU: YOUNGER, US: YOUNGER})
    assert auths == {EU: YOUNGER.auth, EU_OTHER_ACCOUNT: AUTHS[EU_OTHER_ACCOUNT], US: YOUNGER.auth}
    assert record.held == {EU: YOUNGER.validity, EU_OTHER_ACCOUNT: times(), US: YOUNGER.validity}


def test_registry_that_changes_its_identity_keeps_its_entry_until_there_is_a_token() -> None:
    """The others are renewed meanwhile, and the record says as whom the entry that is left was fetched."""
    changed = DesiredState(identities={EU: CONTROLLER, EU_OTHER_ACCOUNT: CONTROLLER, US: PULLER})
    found = plan_entries(changed, managed(HELD), {}, complete=False)
    assert found.decisions[US] == Kept(identity="controller", validity=times())
    assert not found.needs_write
    record, auths = write(changed, HELD, {EU: YOUNGER})
    assert auths == {EU: YOUNGER.auth, EU_OTHER_ACCOUNT: AUTHS[EU_OTHER_ACCOUNT], US: AUTHS[US]}
    assert record.identities == HELD.identities
    record, auths = write(changed, record, {US: YOUNGER, EU_OTHER_ACCOUNT: EARLIER})
    assert (auths[US], auths[EU_OTHER_ACCOUNT]) == (YOUNGER.auth, EARLIER.auth)
    assert record.identities == changed.identity_names


EARLIER = token(life=HOUR, password="earlier")
THIRD = parse("333333333333.dkr.ecr.eu-west-1.amazonaws.com")


def test_new_registry_takes_no_entry_of_another_identity() -> None:
    """A neighbour's entry serves it only as the same identity."""
    for identity, shared in ((CONTROLLER, EU), (PULLER, EU_OTHER_ACCOUNT)):
        desired = replace(MIXED, identities={**MIXED.identities, THIRD: identity})
        assert write(desired, HELD, {})[1][THIRD] == AUTHS[shared]
    third = replace(MIXED, identities={**MIXED.identities, THIRD: role("arn:aws:iam::1:role/x", Session(name="x"))})
    assert plan_entries(third, managed(HELD), {}, complete=True).decisions[THIRD] is None


def test_each_identity_has_its_own_principal() -> None:
    """While an entry of it is kept, the earlier one."""
    known = replace(HELD, principals={"controller": ROLE_A, PULLER.name: ROLE_A})
    new, other = (replace(each, principal=ROLE_B) for each in (YOUNGER, OTHER))
    assert write(MIXED, known, {EU: new, EU_OTHER_ACCOUNT: other})[0].principals == {
        "controller": ROLE_A,
        PULLER.name: ROLE_B,
    }
    assert write(MIXED, known, {EU: new, US: new})[0].principals == {"controller": ROLE_B, PULLER.name: ROLE_A}


@pytest.mark.parametrize(("name", "writes"), [("controller", True), (PULLER.name, True), ("another", False)])
def test_another_principal_of_one_identity_is_a_reason_to_rotate(name: str, *, writes: bool) -> None:
    """Of no identity that the Secret does not hold tokens of."""
    known = replace(HELD, principals={"controller": ROLE_A, PULLER.name: ROLE_A})
    step = plan(
        namespace=observe_namespace({"name": "team-a", "resourceVersion": "1"}),
        desired=MIXED,
        secret=managed(known),
        now=NOW,
        rotation=Rotation(),
        current_principals={name: Current(name=ROLE_B)},
    )
    assert isinstance(step, Apply if writes else NoOp)


def test_registry_with_another_identity_is_a_change() -> None:
    """The registries are the same."""
    step = plan(
        namespace=observe_namespace({"name": "team-a", "resourceVersion": "1"}),
        desired=DesiredState(identities={**MIXED.identities, US: PULLER}),
        secret=managed(HELD),
        now=NOW,
        rotation=Rotation(),
    )
    assert isinstance(step, Apply)
    assert step.cause is Cause.CHANGED


BROKEN = observe_namespace({"name": "team-a", "resourceVersion": "1", "annotations": {f"{PREFIX}enabled": "no"}})


def test_frozen_state_has_the_identities_that_are_allowed() -> None:
    """What was last valid stays while annotations are invalid."""
    allowed = Policy(roles=(RoleGrant(role=PULLER.role_arn, external_id="new"),))
    found = fallback_state(BROKEN, managed(HELD), allowed, MIXED)
    assert found is not None
    assert found.identity_names == MIXED.identity_names
    session = found.identities[EU_OTHER_ACCOUNT].session
    assert session is not None
    assert session.external_id == "new"


def test_frozen_state_leaves_what_an_identity_has_that_is_not_allowed_any_more() -> None:
    """The others go on; where none is left, nothing does."""
    found = fallback_state(BROKEN, managed(HELD), Policy(), MIXED)
    assert found is not None
    assert (set(found.identities), found.refused) == ({EU, US}, {EU_OTHER_ACCOUNT: PULLER.name})
    assert fallback_state(BROKEN, managed(HELD), Policy(controller_identity=NOBODY), MIXED) is None
    late = NOW + 100 * HOUR
    for held, step in ((times(issued=late), NoOp), (times(), Apply)):
        record = replace(HELD, held={EU: held, US: held, EU_OTHER_ACCOUNT: times()})
        assert isinstance(planned(found, record, late), step)


def test_entry_of_a_refused_identity_is_kept_and_never_made() -> None:
    """Also where the record cannot be read, and the entry is another registry's to share."""
    absent = parse("333333333333.dkr.ecr.eu-west-1.amazonaws.com")
    desired = DesiredState(identities={EU: CONTROLLER}, refused={EU_OTHER_ACCOUNT: PULLER.name, absent: PULLER.name})
    record = SecretRecord(
        held=dict.fromkeys((EU, EU_OTHER_ACCOUNT), times()),
        identities={EU: CONTROLLER.name, EU_OTHER_ACCOUNT: PULLER.name},
    )
    written, entries = write(desired, record, {EU: YOUNGER})
    assert entries == {EU: YOUNGER.auth, EU_OTHER_ACCOUNT: AUTHS[EU_OTHER_ACCOUNT]}
    assert written.identities == record.identities
    unreadable = plan_entries(desired, managed(None, intact=False), {EU: YOUNGER}, complete=True)
    assert {host for host, found in unreadable.decisions.items() if isinstance(found, Kept)} == {
        EU_OTHER_ACCOUNT,
        absent,
    }


def planned(desired: DesiredState, record: SecretRecord, now: datetime) -> Step:
    namespace = observe_namespace({"name": "team-a", "resourceVersion": "1"})
    return plan(namespace=namespace, desired=desired, secret=managed(record), now=now, rotation=Rotation())
