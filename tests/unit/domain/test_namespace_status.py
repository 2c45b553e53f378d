"""How a namespace stands, by its metadata and its Secret's."""

from dataclasses import replace
from datetime import timedelta

import pytest

from pullkeeper.domain.config.policy import Matcher, Policy
from pullkeeper.domain.ecr.rotation import Rotation
from pullkeeper.domain.iam.identity import service_account
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.namespace.namespace_request import NamespaceRequest
from pullkeeper.domain.reporting.last_warning import LastWarning
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.pull_secret import SecretRecord
from pullkeeper.domain.views.namespace_status import (
    NamespaceStatus,
    State,
    StatusRules,
    namespace_status,
    not_found,
    with_warning,
)
from testsupport.examples import EU, EU_OTHER_ACCOUNT, FOREIGN, HOUR, NOW, PUBLIC, US, managed, published, times

MINUTE = timedelta(minutes=1)
KNOWN = StatusRules(policy=Policy(registries=(EU,)), rotation=Rotation(jitter=timedelta()))
UNKNOWN = StatusRules()
ROLE = "arn:aws:iam::123456789012:role/puller"
FRESH = published(EU, issued=NOW - HOUR)
CHANGED = "the pull Secret has been changed by somebody else, and is not put right yet"


def seen(*, since: timedelta | None = HOUR, terminating: bool = False, **annotations: str) -> NamespaceRequest:
    written = {key.replace("_", "-"): value for key, value in annotations.items()}
    view = ObservedNamespace(name="team-a", resource_version=7, annotations=written, terminating=terminating)
    return NamespaceRequest(namespace=view, first_requested_at=None if since is None else NOW - since)


def judged(asked: NamespaceRequest, secret: ObservedSecret | None, rules: StatusRules = KNOWN) -> NamespaceStatus:
    found = namespace_status(asked, secret, rules, NOW)
    assert found is not None
    return found


def held(age: timedelta) -> ObservedSecret:
    return managed(published(EU, issued=NOW - age))


OPTED_IN = seen(enabled="true")


@pytest.mark.parametrize("rules", [KNOWN, UNKNOWN])
@pytest.mark.parametrize("secret", [None, FOREIGN])
def test_who_asks_for_nothing_and_has_nothing_is_not_shown(rules: StatusRules, secret: ObservedSecret | None) -> None:
    """A stranger's Secret in a namespace that does not concern us is nobody's business."""
    assert namespace_status(seen(), secret, rules, NOW) is None
    assert namespace_status(seen(enabled="false"), secret, rules, NOW) is None


@pytest.mark.parametrize(
    ("asked", "secret", "state", "words"),
    [
        (OPTED_IN, managed(FRESH), State.READY, ""),
        (OPTED_IN, None, State.PENDING, "no pull Secret yet, asked for since 1h"),
        (seen(since=None, enabled="true"), None, State.PENDING, "no pull Secret yet"),
        (OPTED_IN, FOREIGN, State.CONFLICT, "is not Pullkeeper's: delete or rename it, or hand it over"),
        (OPTED_IN, managed(None), State.DAMAGED, "its annotations have been changed"),
        (OPTED_IN, held(12 * HOUR), State.EXPIRED, "the token is dead since 0s: pulls fail"),
        (OPTED_IN, held(13 * HOUR), State.EXPIRED, "the token is dead since 1h: pulls fail"),
        (OPTED_IN, held(11 * HOUR + 16 * MINUTE), State.EXPIRING, "the token dies in 44m, and has not been replaced"),
        (OPTED_IN, held(11 * HOUR + 15 * MINUTE), State.OVERDUE, "should have been replaced 5h15m ago"),
        (OPTED_IN, held(6 * HOUR + 15 * MINUTE), State.OVERDUE, "should have been replaced 15m ago"),
        (OPTED_IN, held(6 * HOUR + 14 * MINUTE), State.READY, ""),
        (OPTED_IN, managed(published(EU, US)), State.BEHIND, f"still an entry for {US}"),
        (seen(enabled="true", registries=f"{EU},{US}"), managed(FRESH), State.BEHIND, f"no entry yet for {US}"),
        (
            seen(enabled="true", refresh_requested_at="2"),
            managed(FRESH),
            State.BEHIND,
            "`refresh` request is not answered",
        ),
        (
            seen(enabled="true", refresh_requested_at="2"),
            managed(published(EU, refresh_requested_at="2")),
            State.READY,
            "",
        ),
        (OPTED_IN, managed(FRESH, intact=False), State.BEHIND, CHANGED),
        (seen(), managed(FRESH), State.ORPHANED, "the namespace is not opted in"),
        (seen(enabled="false"), managed(None), State.ORPHANED, "the namespace is not opted in"),
        (seen(enabled="yes"), None, State.MISCONFIGURED, 'pullkeeper.dev/enabled: found "yes"'),
        (seen(enabled="true", role_arn=ROLE), None, State.MISCONFIGURED, "the installation does not let this"),
        (seen(terminating=True, enabled="true"), None, State.LEAVING, ""),
        (seen(terminating=True), managed(FRESH), State.LEAVING, ""),
    ],
)
def test_each_state_is_told_by_what_is_there(
    asked: NamespaceRequest, secret: ObservedSecret | None, state: State, words: str
) -> None:
    """One state, with the words for whoever can mend it; only what is ready or leaving needs none."""
    found = judged(asked, secret)
    assert found.state is state
    assert words in "".join(found.problems)
    assert bool(found.problems) == bool(words)
    assert found.wrong == bool(words)


def test_every_problem_of_the_annotations_is_told_and_the_clock_goes_on() -> None:
    """A misconfigured namespace whose Secret dies meanwhile is told both."""
    found = judged(seen(enabled="maybe", nope="1"), held(13 * HOUR))
    assert [problem.partition(":")[0] for problem in found.problems] == [
        "pullkeeper.dev/nope",
        "pullkeeper.dev/enabled",
        "the token is dead since 1h",
    ]


@pytest.mark.parametrize(("secret", "state"), [(None, State.PENDING), (managed(FRESH, intact=False), State.BEHIND)])
def test_a_minute_of_waiting_is_no_trouble(secret: ObservedSecret | None, state: State) -> None:
    """What was asked for a moment ago may still be on its way."""
    for since, wrong in ((59 * MINUTE / 60, False), (MINUTE, True)):
        found = judged(seen(since=since, enabled="true"), secret)
        assert (found.state, found.wrong) == (state, wrong)


def test_what_the_secret_holds_is_told_of_it() -> None:
    """Registries, identity and times; the turn only where the rule is known."""
    found = judged(seen(enabled="true", registries=f"{EU}"), managed(FRESH))
    assert (found.registries, found.identity) == ((EU.name,), "controller")
    assert (found.issued_at, found.expires_at, found.due_at) == (NOW - HOUR, NOW + 11 * HOUR, NOW + 5 * HOUR)
    assert judged(OPTED_IN, managed(FRESH), UNKNOWN).due_at is None


def test_the_identity_is_the_one_that_is_asked_for() -> None:
    """One that differs from what the Secret was written as is not there yet."""
    account = seen(enabled="true", service_account_name="puller")
    found = judged(account, managed(FRESH), UNKNOWN)
    assert (found.state, found.identity) == (State.BEHIND, service_account("team-a", "puller").name)
    assert found.problems == ("still fetched as controller, and asked for as system:serviceaccount:team-a:puller",)


def test_an_orphan_is_told_by_what_it_holds() -> None:
    """There is no wish to tell it by."""
    found = judged(seen(), managed(FRESH))
    assert (found.registries, found.identity) == ((EU.name,), "controller")
    assert judged(seen(), managed(None)).identity == ""


def test_the_installation_opts_in_where_its_policy_is_known() -> None:
    """Then nothing need be written on the namespace."""
    policy = Policy(registries=(EU,), opt_in=Matcher(names=("team-*",)))
    assert judged(seen(), managed(FRESH), StatusRules(policy=policy)).state is State.READY
    assert judged(seen(), None, StatusRules(policy=policy)).state is State.PENDING


@pytest.mark.parametrize(
    ("asked", "secret", "state"),
    [
        (OPTED_IN, None, State.PENDING),
        (OPTED_IN, managed(FRESH), State.READY),
        (OPTED_IN, managed(None), State.DAMAGED),
        (OPTED_IN, FOREIGN, State.CONFLICT),
        (seen(enabled="true", registries=" "), None, State.MISCONFIGURED),
        (seen(enabled="true", nope="1"), None, State.MISCONFIGURED),
        (seen(enabled="true", role_arn=ROLE), None, State.PENDING),
        (seen(), managed(published(PUBLIC)), State.READY),
        (seen(enabled="false"), managed(FRESH), State.ORPHANED),
        (OPTED_IN, held(9 * HOUR), State.READY),
        (OPTED_IN, held(11 * HOUR + 30 * MINUTE), State.EXPIRING),
    ],
)
def test_without_the_settings_only_what_is_certain_is_called_wrong(
    asked: NamespaceRequest, secret: ObservedSecret | None, state: State
) -> None:
    """Defaults, policy and rule of rotation are unknown, so all is taken to be allowed, and only the end counts."""
    assert judged(asked, secret, UNKNOWN).state is state


def test_where_the_settings_have_no_default_a_namespace_that_names_no_registry_is_misconfigured() -> None:
    """Unlike where nobody knows."""
    found = judged(OPTED_IN, None, StatusRules(policy=Policy()))
    assert found.state is State.MISCONFIGURED
    assert "no annotation, and the installation has no default" in found.problems[0]


def test_an_unknown_default_is_not_shown_as_a_registry() -> None:
    """What is asked for by annotation is shown all the same."""
    found = judged(seen(enabled="true", role_arn=ROLE), None, UNKNOWN)
    assert (found.registries, found.identity) == ((), ROLE)


def test_the_controllers_own_words_are_added_where_they_tell_more() -> None:
    """Why a token cannot be had is seen nowhere else; what is wrong with an annotation is seen at once."""
    last = LastWarning(namespace="team-a", reason="AccessDenied", note="grant it", at=NOW)
    pending = judged(OPTED_IN, None)
    assert with_warning(pending, last) == replace(pending, warned=last)
    assert with_warning(pending, None) == pending
    for asked, secret in ((seen(enabled="x"), None), (OPTED_IN, FOREIGN), (OPTED_IN, managed(FRESH))):
        assert with_warning(judged(asked, secret), last).warned is None


def test_a_namespace_that_is_named_and_not_there_is_wrong() -> None:
    """It may be a slip of the pen."""
    assert not_found("x") == NamespaceStatus(
        namespace="x", state=State.ABSENT, wrong=True, problems=("there is no such namespace",)
    )


def test_the_first_token_to_die_counts() -> None:
    """A Secret is as old as its oldest token."""
    both = published(EU, PUBLIC, issued=NOW - HOUR)
    tokens = dict(both.tokens)
    first = min(tokens)
    tokens[first] = replace(tokens[first], issued_at=NOW - 13 * HOUR, expires_at=NOW - HOUR)
    mixed = SecretRecord(registries=both.registries, identity=both.identity, tokens=tokens)
    found = judged(seen(enabled="true", registries=f"{EU},{PUBLIC}"), managed(mixed))
    assert (found.state, found.expires_at) == (State.EXPIRED, NOW - HOUR)


def test_a_token_that_one_registry_holds_apart_counts_like_any_other() -> None:
    """A registry that refuses the young token keeps its older one, and that is what is told and what is due."""
    young, old = times(issued=NOW - HOUR), times(issued=NOW - 13 * HOUR)
    hosts = f"{EU},{EU_OTHER_ACCOUNT}"
    mixed = managed(SecretRecord.of({EU: old, EU_OTHER_ACCOUNT: young}, FRESH.identity))
    found = judged(seen(enabled="true", registries=hosts), mixed)
    assert (found.state, found.issued_at, found.expires_at) == (State.EXPIRED, old.issued_at, old.expires_at)
    assert found.due_at is not None
    assert found.due_at < NOW
