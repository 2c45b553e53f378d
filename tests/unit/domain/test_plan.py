"""The next action for a namespace, by example and by property."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullkeeper.domain.ecr.rotation import Rotation
from pullkeeper.domain.iam.identity import CONTROLLER
from pullkeeper.domain.iam.principal import Current
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.namespace.opt_in import OptIn
from pullkeeper.domain.secret.desired_state import DesiredState
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.plan import NOBODY_KNOWN, Apply, Cause, Conflict, Delete, NoOp, Step, plan
from pullkeeper.domain.secret.secret_record import SecretRecord
from testsupport.examples import (
    EU,
    EU_OTHER_ACCOUNT,
    FOREIGN,
    HOUR,
    NOW,
    PUBLIC,
    ROLE_A,
    ROLE_B,
    US,
    managed,
    moments,
    publications,
    published,
    record_of,
    times,
    wanted,
)

ROTATION = Rotation()
HERE = ObservedNamespace(name="team-a", resource_version=1)
TERMINATING = ObservedNamespace(name="team-a", resource_version=1, terminating=True)
DESIRED = wanted(EU)

CURRENT = managed(published(EU))
OLD = managed(published(EU, issued=NOW - 8 * HOUR))
EXPIRED = managed(published(EU, issued=NOW - 13 * HOUR))
EDITED = managed(published(EU), intact=False)
UNREADABLE = managed(None, intact=False)
OTHER_HOSTS = managed(published(EU, US))
SECRETS = {
    "none": None,
    "foreign": FOREIGN,
    "current": CURRENT,
    "old": OLD,
    "expired": EXPIRED,
    "edited": EDITED,
    "unreadable": UNREADABLE,
}


def planned(
    namespace: ObservedNamespace | None,
    desired: DesiredState | None,
    secret: ObservedSecret | None,
    now: datetime = NOW,
    principal: Current | None = None,
) -> Step:
    return plan(
        namespace=namespace,
        desired=desired,
        secret=secret,
        now=now,
        rotation=ROTATION,
        current_principals={CONTROLLER.name: principal} if principal else NOBODY_KNOWN,
    )


def rotation_time(secret: ObservedSecret) -> datetime:
    assert secret.record is not None
    return min(ROTATION.refresh_at_for(HERE.name, each) for each in secret.record.validities)


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize("desired", [None, DESIRED])
@pytest.mark.parametrize("namespace", [None, TERMINATING])
def test_missing_or_terminating_namespace_needs_nothing(
    namespace: ObservedNamespace | None, desired: DesiredState | None, secret: ObservedSecret | None
) -> None:
    """Its Secret is deleted with it, and nothing can be written there."""
    assert planned(namespace, desired, secret) == NoOp()


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_opt_out_deletes_our_secret(secret: ObservedSecret | None) -> None:
    """Only a Secret with our label that we have written, in whatever state."""
    ours = secret is not None and secret.managed
    assert planned(HERE, None, secret) == (Delete(secret=secret) if secret and ours else NoOp())


def test_handed_over_secret_is_adopted_and_never_just_deleted() -> None:
    """Labelled before its namespace opts in, it stays; once the namespace opts in, it is written in place."""
    handed_over = replace(UNREADABLE, written=False)
    assert planned(HERE, None, handed_over) == NoOp()
    assert planned(HERE, DESIRED, handed_over) == Apply(cause=Cause.REPAIRED, desired=DESIRED, secret=handed_over)


@pytest.mark.parametrize(
    ("secret", "cause"),
    [
        (None, Cause.CREATED),
        (UNREADABLE, Cause.REPAIRED),
        (EDITED, Cause.REPAIRED),
        (replace(OLD, intact=False), Cause.REPAIRED),
        (OTHER_HOSTS, Cause.CHANGED),
        (managed(published(US)), Cause.CHANGED),
        (managed(record_of(published(EU).held, "another")), Cause.CHANGED),
        (OLD, Cause.ROTATED),
        (EXPIRED, Cause.ROTATED),
    ],
)
def test_secret_is_written_with_its_cause(secret: ObservedSecret | None, cause: Cause) -> None:
    """Missing, edited, changed or due for rotation, in place of the observed one."""
    assert planned(HERE, DESIRED, secret) == Apply(cause=cause, desired=DESIRED, secret=secret)


def test_current_secret_needs_nothing_until_its_rotation() -> None:
    """Jitter included."""
    assert planned(HERE, DESIRED, CURRENT) == NoOp(until=rotation_time(CURRENT))


def test_foreign_secret_is_a_conflict() -> None:
    """A Secret with our name and without our label is not touched."""
    assert planned(HERE, DESIRED, FOREIGN) == Conflict()


@pytest.mark.parametrize(
    ("asked", "answered", "writes"),
    [(None, None, False), ("1", "1", False), (None, "1", False), ("1", None, True), ("2", "1", True), ("", None, True)],
)
def test_refresh_request_is_answered_once(asked: str | None, answered: str | None, *, writes: bool) -> None:
    """Any other value than the answered one is a request; removing it is none."""
    desired = replace(DESIRED, refresh_requested_at=asked)
    secret = managed(published(EU, refresh_requested_at=answered))
    expected = (
        Apply(cause=Cause.REFRESHED, desired=desired, secret=secret) if writes else NoOp(until=rotation_time(secret))
    )
    assert planned(HERE, desired, secret) == expected


@pytest.mark.parametrize(
    ("secret", "cause"), [(EDITED, Cause.REPAIRED), (OTHER_HOSTS, Cause.CHANGED), (OLD, Cause.REFRESHED)]
)
def test_causes_have_an_order(secret: ObservedSecret, cause: Cause) -> None:
    """Repair, change, refresh, rotate."""
    found = planned(HERE, replace(DESIRED, refresh_requested_at="1"), secret)
    assert isinstance(found, Apply)
    assert found.cause is cause


@pytest.mark.parametrize(("off", "writes"), [(-1, False), (0, True), (1, True)])
def test_rotation_starts_at_its_moment(off: int, *, writes: bool) -> None:
    """A microsecond earlier nothing is done."""
    found = planned(HERE, DESIRED, CURRENT, rotation_time(CURRENT) + timedelta(microseconds=off))
    assert isinstance(found, Apply) is writes


def test_oldest_token_determines_the_rotation() -> None:
    """With several regions the first that is due counts."""
    young, old = published(PUBLIC), published(EU, issued=NOW - HOUR)
    secret = managed(record_of({**young.held, **old.held}))
    found = planned(HERE, wanted(EU, PUBLIC), secret)
    assert found == NoOp(until=rotation_time(managed(old)))


def test_token_kept_per_registry_counts() -> None:
    """An older token that one registry keeps counts like any other."""
    held = {EU: times(), EU_OTHER_ACCOUNT: times(issued=NOW - HOUR)}
    secret = managed(record_of(held))
    found = planned(HERE, wanted(EU, EU_OTHER_ACCOUNT), secret)
    assert found == NoOp(until=rotation_time(managed(published(EU_OTHER_ACCOUNT, issued=NOW - HOUR))))


@pytest.mark.parametrize(
    ("secret", "cause"),
    [
        (CURRENT, Cause.ROTATED),
        (OLD, Cause.ROTATED),
        (EDITED, Cause.REPAIRED),
        (OTHER_HOSTS, Cause.CHANGED),
        (managed(replace(published(EU), opted_in_by=OptIn.SETTINGS)), Cause.CHANGED),
        (managed(published(EU, refresh_requested_at="old")), Cause.REFRESHED),
    ],
)
def test_revoked_token_is_due(secret: ObservedSecret, cause: Cause) -> None:
    """It is replaced at once; other causes are named first."""
    desired = replace(DESIRED, refresh_requested_at="new") if cause is Cause.REFRESHED else DESIRED
    found = plan(namespace=HERE, desired=desired, secret=secret, now=NOW, rotation=ROTATION, revoked=True)
    assert found == Apply(cause=cause, desired=desired, secret=secret)


@pytest.mark.parametrize("secret", [None, FOREIGN])
def test_revoked_token_does_not_matter_without_a_secret_of_ours(secret: ObservedSecret | None) -> None:
    """A missing or foreign Secret holds none of our tokens."""
    found = plan(namespace=HERE, desired=DESIRED, secret=secret, now=NOW, rotation=ROTATION, revoked=True)
    assert found == planned(HERE, DESIRED, secret)


def test_expired_token_is_due_whatever_else() -> None:
    """What has expired is replaced, wherever its jitter would put the rotation."""
    expired = managed(published(EU, issued=NOW - HOUR, life=HOUR))
    assert planned(HERE, DESIRED, expired) == Apply(cause=Cause.ROTATED, desired=DESIRED, secret=expired)


AS_A = Current(name=ROLE_A)
OF_B = managed(published(EU, principal=ROLE_B))


@pytest.mark.parametrize(("off", "writes"), [(-1, False), (0, True), (1, True)])
def test_tokens_of_another_principal_are_rotated_within_the_jitter(off: int, *, writes: bool) -> None:
    """From when the principal was found to be another, each namespace at its own place."""
    turn = ROTATION.spread(HERE.name, NOW)
    assert NOW < turn < NOW + ROTATION.jitter
    now = turn + timedelta(microseconds=off)
    found = planned(HERE, DESIRED, OF_B, now, replace(AS_A, since=NOW))
    write = Apply(cause=Cause.ROTATED, desired=DESIRED, secret=OF_B)
    assert found == (write if writes else NoOp(until=turn))


def test_tokens_of_another_principal_are_due_at_once_where_nothing_is_spread() -> None:
    """And where they are due anyway, that does not wait."""
    assert planned(HERE, DESIRED, OF_B, NOW, AS_A) == Apply(cause=Cause.ROTATED, desired=DESIRED, secret=OF_B)
    old = managed(published(EU, issued=NOW - 8 * HOUR, principal=ROLE_B))
    found = planned(HERE, DESIRED, old, NOW, replace(AS_A, since=NOW + HOUR))
    assert found == Apply(cause=Cause.ROTATED, desired=DESIRED, secret=old)


@pytest.mark.parametrize(("held", "current"), [("", ROLE_A), (ROLE_A, ""), ("", ""), (ROLE_A, ROLE_A)])
def test_unknown_or_same_principal_is_no_reason_to_rotate(held: str, current: str) -> None:
    """A Secret of before, or a principal that is not known before the next token: a restart writes nothing."""
    secret = managed(published(EU, principal=held))
    found = planned(HERE, DESIRED, secret, NOW, Current(name=current))
    assert found == NoOp(until=rotation_time(secret))


def test_order_of_registries_does_not_matter() -> None:
    """The same set in another order is no change."""
    held = published(EU, US)
    assert isinstance(planned(HERE, wanted(US, EU), managed(held)), NoOp)


desired_states = st.none() | publications().map(
    lambda held: wanted(*held.registries, refresh_requested_at=held.refresh_requested_at)
)
secrets = st.none() | st.builds(
    lambda held, managed_, intact: ObservedSecret(
        namespace="team-a",
        uid="u",
        resource_version=1,
        managed=managed_,
        intact=intact and held is not None and managed_,
        record=held if managed_ else None,
    ),
    st.none() | publications(),
    st.booleans(),
    st.booleans(),
)
namespaces = st.sampled_from([None, HERE, TERMINATING])


@given(namespaces, desired_states, secrets, moments)
def test_plan_rules_hold_for_any_observation(
    namespace: ObservedNamespace | None, desired: DesiredState | None, secret: ObservedSecret | None, now: datetime
) -> None:
    """Foreign Secrets are not touched, terminating namespaces are left alone, and NoOp ends in the future."""
    found = planned(namespace, desired, secret, now)
    if namespace is None or namespace.terminating:
        assert found == NoOp()
    match found:
        case Apply():
            assert found.secret is secret
            assert found.desired is desired
            assert secret is None or secret.managed
        case Delete():
            assert found.secret.managed
            assert desired is None
        case NoOp(until=datetime() as until):
            assert until > now
            assert secret is not None
            assert secret.intact


@given(publications(), moments)
def test_only_the_clock_decides_on_a_current_secret(held: SecretRecord, now: datetime) -> None:
    """Its content is intact and as desired."""
    secret = managed(held)
    desired = wanted(*held.registries, refresh_requested_at=held.refresh_requested_at)
    desired = replace(desired, installation_class=held.installation_class)
    write = Apply(cause=Cause.ROTATED, desired=desired, secret=secret)
    assert planned(HERE, desired, secret, now) == (
        NoOp(until=rotation_time(secret)) if now < rotation_time(secret) else write
    )
