"""The one next step for a namespace, as a table and by its rules."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullkeeper.domain.config.policy import Policy
from pullkeeper.domain.ecr.rotation import Rotation
from pullkeeper.domain.iam.identity import CONTROLLER, Identity
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.secret.desired_state import DesiredState
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.plan import Apply, Cause, Conflict, Delete, NoOp, Step, fallback_state, plan
from pullkeeper.domain.secret.pull_secret import SecretRecord, Target
from testsupport.examples import (
    EU,
    EU_OTHER_ACCOUNT,
    FOREIGN,
    HOUR,
    NOW,
    PUBLIC,
    US,
    managed,
    moments,
    publications,
    published,
    times,
)

ROTATION = Rotation()
HERE = ObservedNamespace(name="team-a", resource_version=1)
LEAVING = ObservedNamespace(name="team-a", resource_version=1, terminating=True)
DESIRED = DesiredState(registries=(EU,))

FRESH = managed(published(EU))
OLD = managed(published(EU, issued=NOW - 8 * HOUR))
DEAD = managed(published(EU, issued=NOW - 13 * HOUR))
EDITED = managed(published(EU), intact=False)
UNREADABLE = managed(None, intact=False)
OTHER_HOSTS = managed(published(EU, US))
SECRETS = {
    "none": None,
    "foreign": FOREIGN,
    "fresh": FRESH,
    "old": OLD,
    "dead": DEAD,
    "edited": EDITED,
    "unreadable": UNREADABLE,
}


def step(
    namespace: ObservedNamespace | None,
    desired: DesiredState | None,
    secret: ObservedSecret | None,
    now: datetime = NOW,
) -> Step:
    return plan(namespace=namespace, desired=desired, secret=secret, now=now, rotation=ROTATION)


def turn(secret: ObservedSecret) -> datetime:
    assert secret.record is not None
    return min(ROTATION.refresh_at_for(HERE.name, each) for each in secret.record.validities)


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize("desired", [None, DESIRED])
@pytest.mark.parametrize("namespace", [None, LEAVING])
def test_a_namespace_that_is_gone_or_going_is_left_alone(
    namespace: ObservedNamespace | None, desired: DesiredState | None, secret: ObservedSecret | None
) -> None:
    """Its Secrets go with it, and nothing can be written there."""
    assert step(namespace, desired, secret) == NoOp()


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_an_opt_out_removes_what_is_ours(secret: ObservedSecret | None) -> None:
    """Just a Secret with our label that we have written is removed, in whatever state; anything else stays."""
    ours = secret is not None and secret.managed
    assert step(HERE, None, secret) == (Delete(secret=secret) if secret and ours else NoOp())


def test_a_secret_that_was_handed_over_is_taken_in_but_never_just_deleted() -> None:
    """Labelled before its namespace asks for one, it stays as it is; the namespace asks, and it is written in place."""
    handed_over = replace(UNREADABLE, written=False)
    assert step(HERE, None, handed_over) == NoOp()
    assert step(HERE, DESIRED, handed_over) == Apply(cause=Cause.REPAIRED, desired=DESIRED, secret=handed_over)


@pytest.mark.parametrize(
    ("secret", "cause"),
    [
        (None, Cause.CREATED),
        (UNREADABLE, Cause.REPAIRED),
        (EDITED, Cause.REPAIRED),
        (replace(OLD, intact=False), Cause.REPAIRED),
        (OTHER_HOSTS, Cause.CHANGED),
        (managed(published(US)), Cause.CHANGED),
        (managed(replace(published(EU), identity=Identity(name="another"))), Cause.CHANGED),
        (OLD, Cause.ROTATED),
        (DEAD, Cause.ROTATED),
    ],
)
def test_what_is_not_as_it_should_be_is_written(secret: ObservedSecret | None, cause: Cause) -> None:
    """Absent, edited, changed or due: each is written, with its cause, in the place of what was observed."""
    assert step(HERE, DESIRED, secret) == Apply(cause=cause, desired=DESIRED, secret=secret)


def test_what_is_as_it_should_be_rests_until_its_turn() -> None:
    """Nothing is done until the namespace's turn within the window."""
    assert step(HERE, DESIRED, FRESH) == NoOp(until=turn(FRESH))


def test_a_strangers_secret_blocks() -> None:
    """A Secret of our name without our label is reported and not touched."""
    assert step(HERE, DESIRED, FOREIGN) == Conflict()


@pytest.mark.parametrize(
    ("asked", "answered", "writes"),
    [(None, None, False), ("1", "1", False), (None, "1", False), ("1", None, True), ("2", "1", True), ("", None, True)],
)
def test_each_new_refresh_request_is_answered_once(asked: str | None, answered: str | None, *, writes: bool) -> None:
    """A value other than the answered one is a request; taking it away is none."""
    desired = replace(DESIRED, refresh_requested_at=asked)
    secret = managed(published(EU, refresh_requested_at=answered))
    expected = Apply(cause=Cause.REFRESHED, desired=desired, secret=secret) if writes else NoOp(until=turn(secret))
    assert step(HERE, desired, secret) == expected


@pytest.mark.parametrize(
    ("secret", "cause"), [(EDITED, Cause.REPAIRED), (OTHER_HOSTS, Cause.CHANGED), (OLD, Cause.REFRESHED)]
)
def test_the_first_cause_that_fits_is_named(secret: ObservedSecret, cause: Cause) -> None:
    """Where several causes come together, the order is: repair, change, refresh, rotate."""
    found = step(HERE, replace(DESIRED, refresh_requested_at="1"), secret)
    assert isinstance(found, Apply)
    assert found.cause is cause


@pytest.mark.parametrize(("off", "writes"), [(-1, False), (0, True), (1, True)])
def test_the_turn_begins_with_its_moment(off: int, *, writes: bool) -> None:
    """A microsecond before, it rests; from the moment on, it is written."""
    found = step(HERE, DESIRED, FRESH, turn(FRESH) + timedelta(microseconds=off))
    assert isinstance(found, Apply) is writes


def test_the_oldest_token_of_a_secret_sets_its_turn() -> None:
    """With several regions the first that is due counts."""
    young, old = published(PUBLIC), published(EU, issued=NOW - HOUR)
    secret = managed(replace(young, registries=(EU, PUBLIC), tokens={**young.tokens, **old.tokens}))
    found = step(HERE, DesiredState(registries=(EU, PUBLIC)), secret)
    assert found == NoOp(until=turn(managed(old)))


def test_a_registry_that_keeps_an_older_token_sets_the_turn() -> None:
    """What one registry of a scope holds apart from the others counts like any other token."""
    held = {EU: times(), EU_OTHER_ACCOUNT: times(issued=NOW - HOUR)}
    secret = managed(SecretRecord.of(held, CONTROLLER))
    found = step(HERE, DesiredState(registries=(EU, EU_OTHER_ACCOUNT)), secret)
    assert found == NoOp(until=turn(managed(published(EU_OTHER_ACCOUNT, issued=NOW - HOUR))))


@pytest.mark.parametrize(
    ("secret", "cause"),
    [
        (FRESH, Cause.ROTATED),
        (OLD, Cause.ROTATED),
        (EDITED, Cause.REPAIRED),
        (OTHER_HOSTS, Cause.CHANGED),
        (managed(published(EU, refresh_requested_at="old")), Cause.REFRESHED),
    ],
)
def test_a_token_that_is_dead_before_its_time_is_due(secret: ObservedSecret, cause: Cause) -> None:
    """It is replaced at once, and whatever else is to be done names the cause."""
    changed = replace(DESIRED, refresh_requested_at="new") if cause is Cause.REFRESHED else DESIRED
    found = plan(namespace=HERE, desired=changed, secret=secret, now=NOW, rotation=ROTATION, revoked=True)
    assert found == Apply(cause=cause, desired=changed, secret=secret)


@pytest.mark.parametrize("secret", [None, FOREIGN])
def test_a_death_changes_nothing_about_a_secret_that_is_not_ours(secret: ObservedSecret | None) -> None:
    """What is not there or a stranger's holds none of our tokens."""
    found = plan(namespace=HERE, desired=DESIRED, secret=secret, now=NOW, rotation=ROTATION, revoked=True)
    assert found == step(HERE, DESIRED, secret)


def test_the_order_of_registries_changes_nothing() -> None:
    """The same set in another order is no change."""
    held = published(EU, US)
    secret = managed(replace(held, registries=tuple(reversed(held.registries))))
    assert isinstance(step(HERE, DesiredState(registries=(EU, US)), secret), NoOp)


def test_a_secret_goes_on_as_what_it_holds() -> None:
    """While the annotations are invalid, what is there is kept up as it is, the answered request too."""
    assert fallback_state(HERE, managed(published(EU, US, refresh_requested_at="1")), Policy()) == DesiredState(
        registries=(EU, US), refresh_requested_at="1"
    )


def test_a_secret_with_unreadable_tokens_goes_on_for_what_it_is_for() -> None:
    """Registries and identity are enough to fetch anew; no request counts as answered."""
    purpose = Target(registries=(EU, US), identity=CONTROLLER)
    expected = DesiredState(registries=(EU, US), identity=CONTROLLER)
    assert fallback_state(HERE, managed(None, intact=False, purpose=purpose), Policy()) == expected


@pytest.mark.parametrize("secret", [None, FOREIGN, UNREADABLE])
def test_nothing_goes_on_where_nothing_can_be_read(secret: ObservedSecret | None) -> None:
    """Without readable annotations of ours there is nothing to go on with."""
    assert fallback_state(HERE, secret, Policy()) is None


desired_states = st.none() | publications().map(
    lambda held: DesiredState(registries=held.registries, refresh_requested_at=held.refresh_requested_at)
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
namespaces = st.sampled_from([None, HERE, LEAVING])


@given(namespaces, desired_states, secrets, moments)
def test_whatever_is_found_the_policy_holds(
    namespace: ObservedNamespace | None, desired: DesiredState | None, secret: ObservedSecret | None, now: datetime
) -> None:
    """A stranger's Secret is neither written nor removed, a namespace that goes is left alone, a rest ends later."""
    found = step(namespace, desired, secret, now)
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
def test_a_secret_that_holds_what_is_asked_waits_for_its_turn_alone(held: SecretRecord, now: datetime) -> None:
    """With intact content just the clock decides."""
    secret = managed(held)
    desired = DesiredState(registries=held.registries, refresh_requested_at=held.refresh_requested_at)
    write = Apply(cause=Cause.ROTATED, desired=desired, secret=secret)
    assert step(HERE, desired, secret, now) == (NoOp(until=turn(secret)) if now < turn(secret) else write)
