"""The status of a namespace, from its metadata and its Secret's metadata."""

from dataclasses import replace
from datetime import timedelta

import pytest

from pullkeeper.domain.config.injection import Injection
from pullkeeper.domain.config.policy import Matcher, Policy
from pullkeeper.domain.ecr.rotation import Rotation
from pullkeeper.domain.iam.identity import service_account
from pullkeeper.domain.iam.principal import of_role
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.namespace.namespace_request import NamespaceRequest
from pullkeeper.domain.namespace.opt_in import OptIn
from pullkeeper.domain.reporting.last_warning import LastWarning
from pullkeeper.domain.reporting.state import State
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.views.namespace_status import (
    NamespaceStatus,
    StatusRules,
    namespace_status,
    not_found,
    with_warning,
)
from testsupport.examples import (
    EU,
    EU_OTHER_ACCOUNT,
    FOREIGN,
    HOUR,
    NOW,
    PUBLIC,
    US,
    managed,
    published,
    record_of,
    times,
)

MINUTE = timedelta(minutes=1)
KNOWN = StatusRules(policy=Policy(registries=(EU,)), rotation=Rotation(jitter=timedelta()))
UNKNOWN = StatusRules()
ROLE = "arn:aws:iam::123456789012:role/puller"
FRESH = published(EU, issued=NOW - HOUR)
NOT_OURS = (
    "a Secret with the pull Secret's name exists and is not managed by Pullkeeper: delete or rename it, or hand it "
    "over by adding the label app.kubernetes.io/managed-by=pullkeeper"
)
NOT_ALLOWED = (
    f"the installation does not let this namespace use the role {ROLE}: whoever runs Pullkeeper can allow it in the "
    "settings, under `roles`"
)
UNREADABLE = "the pull Secret's annotations were changed and cannot be read"
LEFT = "the namespace is not opted in, but the pull Secret has not been deleted"
CHANGED = "the pull Secret was changed and has not been repaired yet (managedFields do not tell who)"


def request(
    *, name: str = "team-a", since: timedelta | None = HOUR, terminating: bool = False, **annotations: str
) -> NamespaceRequest:
    written = {key.replace("_", "-"): value for key, value in annotations.items()}
    namespace = ObservedNamespace(name=name, resource_version=7, annotations=written, terminating=terminating)
    return NamespaceRequest(namespace=namespace, first_requested_at=None if since is None else NOW - since)


def status(asked: NamespaceRequest, secret: ObservedSecret | None, rules: StatusRules = KNOWN) -> NamespaceStatus:
    found = namespace_status(asked, secret, rules, NOW)
    assert found is not None
    return found


def aged(age: timedelta) -> ObservedSecret:
    return managed(published(EU, issued=NOW - age))


OPTED_IN = request(enabled="true")


def test_a_status_names_its_namespace() -> None:
    """Whether it is opted in or of another installation, there or not."""
    other = namespace_status(OPTED_IN, None, replace(KNOWN, policy=Policy(installation_class="canary")), NOW)
    assert other is not None
    assert (status(OPTED_IN, None).namespace, other.namespace, not_found("team-a").namespace) == ("team-a",) * 3


def test_an_opt_in_that_the_settings_have_lost_is_shown() -> None:
    """At once, and as unhealthy; without the settings it is not known, and a namespace's own opt-out is none."""
    secret = managed(replace(FRESH, opted_in_by=OptIn.SETTINGS))
    found = status(request(), secret)
    assert (found.state, found.unhealthy, found.needs_events) == (State.OPTING_OUT, True, False)
    assert "when `optOutGrace` has passed" in found.problems[0]
    assert status(request(), secret, UNKNOWN).state is State.READY
    assert status(request(enabled="false"), secret).state is State.ORPHANED


def test_whether_pods_are_injected_is_known_from_the_settings() -> None:
    """Of the installation that they are for."""
    injecting = StatusRules(policy=Policy(registries=(EU,), pod_injection=True))
    asked = request(enabled="true", inject="false")
    found = [status(asked, managed(FRESH), rules).injection for rules in (injecting, KNOWN, UNKNOWN)]
    assert found == [Injection.DECLINED, Injection.OFF, None]


@pytest.mark.parametrize("rules", [KNOWN, UNKNOWN])
@pytest.mark.parametrize("secret", [None, FOREIGN])
def test_a_namespace_without_request_and_pull_secret_is_not_shown(
    rules: StatusRules, secret: ObservedSecret | None
) -> None:
    """Nor is a foreign Secret in a namespace that requests nothing."""
    assert namespace_status(request(), secret, rules, NOW) is None
    assert namespace_status(request(enabled="false"), secret, rules, NOW) is None


@pytest.mark.parametrize(
    ("asked", "secret", "state", "words"),
    [
        (OPTED_IN, managed(FRESH), State.READY, ""),
        (OPTED_IN, None, State.PENDING, "no pull Secret yet; requested 1h ago"),
        (request(since=None, enabled="true"), None, State.PENDING, "no pull Secret yet"),
        (
            OPTED_IN,
            FOREIGN,
            State.CONFLICT,
            NOT_OURS,
        ),
        (OPTED_IN, managed(None), State.CORRUPT, UNREADABLE),
        (OPTED_IN, aged(-HOUR), State.CORRUPT, UNREADABLE),
        (OPTED_IN, aged(12 * HOUR), State.EXPIRED, "the token expired 0s ago: image pulls fail"),
        (OPTED_IN, aged(13 * HOUR), State.EXPIRED, "the token expired 1h ago: image pulls fail"),
        (OPTED_IN, aged(11 * HOUR + 16 * MINUTE), State.EXPIRING, "the token expires in 44m and has not been replaced"),
        (OPTED_IN, aged(11 * HOUR + 15 * MINUTE), State.FAILING, "the token should have been replaced 5h15m ago"),
        (OPTED_IN, aged(6 * HOUR + 15 * MINUTE), State.FAILING, "the token should have been replaced 15m ago"),
        (OPTED_IN, aged(6 * HOUR + 14 * MINUTE), State.READY, ""),
        (OPTED_IN, managed(published(EU, US)), State.OUTDATED, f"still an entry for {US}"),
        (request(enabled="true", registries=f"{EU},{US}"), managed(FRESH), State.OUTDATED, f"no entry yet for {US}"),
        (
            request(enabled="true", refresh_requested_at="2"),
            managed(FRESH),
            State.OUTDATED,
            "the request in pullkeeper.dev/refresh-requested-at has not been answered yet",
        ),
        (
            request(enabled="true", refresh_requested_at="2"),
            managed(published(EU, refresh_requested_at="2")),
            State.READY,
            "",
        ),
        (OPTED_IN, managed(FRESH, intact=False), State.OUTDATED, CHANGED),
        (request(), managed(FRESH), State.ORPHANED, LEFT),
        (request(enabled="false"), managed(None), State.ORPHANED, LEFT),
        (
            request(enabled="yes"),
            None,
            State.MISCONFIGURED,
            'pullkeeper.dev/enabled: found "yes", expected "true" or "false"',
        ),
        (
            request(enabled="true", role_arn=ROLE),
            None,
            State.MISCONFIGURED,
            NOT_ALLOWED,
        ),
        (request(terminating=True, enabled="true"), None, State.TERMINATING, ""),
        (request(terminating=True), managed(FRESH), State.TERMINATING, ""),
    ],
)
def test_each_state_is_derived_from_the_metadata(
    asked: NamespaceRequest, secret: ObservedSecret | None, state: State, words: str
) -> None:
    """With the problem for whoever can correct it; only READY and TERMINATING have none."""
    found = status(asked, secret)
    assert found.state is state
    assert found.problems == ((words,) if words else ())
    assert found.unhealthy == bool(words)


@pytest.mark.parametrize(
    ("hours", "late"), [(13, "the token expired 1h ago"), (7, "the token should have been replaced 1h ago")]
)
def test_every_problem_of_the_annotations_is_listed_and_lateness_with_them(hours: int, late: str) -> None:
    """A misconfigured namespace whose token has expired, or soon will, shows both."""
    found = status(request(enabled="maybe", nope="1"), aged(hours * HOUR))
    assert [problem.partition(":")[0] for problem in found.problems] == [
        "pullkeeper.dev/nope",
        "pullkeeper.dev/enabled",
        late,
    ]


@pytest.mark.parametrize(("secret", "state"), [(None, State.PENDING), (managed(FRESH, intact=False), State.OUTDATED)])
def test_a_request_less_than_a_minute_old_is_not_unhealthy(secret: ObservedSecret | None, state: State) -> None:
    """The controller may still be working on it."""
    for since, unhealthy in ((59 * MINUTE / 60, False), (MINUTE, True)):
        found = status(request(since=since, enabled="true"), secret)
        assert (found.state, found.unhealthy) == (state, unhealthy)


def test_the_status_shows_what_the_secret_contains() -> None:
    """Registries, identity and times; the refresh time only where the rule is known."""
    found = status(request(enabled="true", registries=f"{EU}"), managed(FRESH))
    assert (found.registries, found.identities) == ((EU.name,), {"controller": [EU.name]})
    assert (found.issued_at, found.expires_at, found.refresh_at) == (NOW - HOUR, NOW + 11 * HOUR, NOW + 5 * HOUR)
    assert status(OPTED_IN, managed(FRESH), UNKNOWN).refresh_at is None


def test_what_is_not_fetched_yet_is_shown_as_it_is_requested() -> None:
    """Registries and identity."""
    found = status(OPTED_IN, None)
    assert (found.registries, found.identities) == ((EU.name,), {"controller": [EU.name]})


def test_the_identity_is_the_requested_one() -> None:
    """A Secret that was written as another identity is outdated."""
    account = request(enabled="true", service_account_name="puller")
    found = status(account, managed(FRESH), UNKNOWN)
    assert (found.state, [*found.identities]) == (State.OUTDATED, [service_account("team-a", "puller").name])
    assert found.problems == ("still fetched as controller; system:serviceaccount:team-a:puller is requested",)


def test_the_principal_is_that_of_the_tokens() -> None:
    """As the Secret says it, or as the name of its identity does; not of what is requested and not there."""
    who = "arn:aws:sts::123456789012:assumed-role/puller"
    assert status(OPTED_IN, managed(replace(FRESH, principals={"controller": who}))).principals == {"controller": who}
    assert status(OPTED_IN, managed(record_of(FRESH.held, ROLE))).principals == {ROLE: of_role(ROLE)}
    assert status(OPTED_IN, managed(FRESH)).principals == {}
    assert status(OPTED_IN, None).principals == {}


def test_an_orphaned_secret_is_described_by_its_contents() -> None:
    """There is no request to describe it by."""
    found = status(request(), managed(FRESH))
    assert (found.registries, found.identities) == ((EU.name,), {"controller": [EU.name]})
    assert status(request(), managed(None)).identities == {}


def test_the_policy_can_opt_a_namespace_in() -> None:
    """Without any annotation on the namespace."""
    policy = Policy(registries=(EU,), opt_in=Matcher(names=("team-*",)))
    assert status(request(), managed(FRESH), StatusRules(policy=policy)).state is State.READY
    assert status(request(), None, StatusRules(policy=policy)).state is State.PENDING


@pytest.mark.parametrize(
    ("asked", "secret", "state"),
    [
        (OPTED_IN, None, State.PENDING),
        (OPTED_IN, managed(FRESH), State.READY),
        (OPTED_IN, managed(None), State.CORRUPT),
        (OPTED_IN, FOREIGN, State.CONFLICT),
        (request(enabled="true", registries=" "), None, State.MISCONFIGURED),
        (request(enabled="true", nope="1"), None, State.MISCONFIGURED),
        (request(enabled="true", role_arn=ROLE), None, State.PENDING),
        (request(name="kube-system", enabled="true", registries=EU.name), None, State.PENDING),
        (request(), managed(published(PUBLIC)), State.READY),
        (request(enabled="false"), managed(FRESH), State.ORPHANED),
        (OPTED_IN, aged(9 * HOUR), State.READY),
        (OPTED_IN, aged(11 * HOUR + 30 * MINUTE), State.EXPIRING),
    ],
)
def test_without_the_settings_only_what_is_certain_is_unhealthy(
    asked: NamespaceRequest, secret: ObservedSecret | None, state: State
) -> None:
    """Defaults, policy and refresh rule are unknown: everything counts as allowed, and only expiry is judged."""
    assert status(asked, secret, UNKNOWN).state is state


def test_without_default_registries_a_namespace_that_names_none_is_misconfigured() -> None:
    """Unlike where the defaults are not known."""
    found = status(OPTED_IN, None, StatusRules(policy=Policy()))
    assert found.state is State.MISCONFIGURED
    assert "no annotation, and no default in the settings" in found.problems[0]


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        (OPTED_IN, "controller"),
        (request(enabled="true", role_arn=ROLE), ROLE),
        (request(enabled="true", service_account_name="puller"), "system:serviceaccount:team-a:puller"),
    ],
)
def test_unknown_default_registries_are_not_shown(asked: NamespaceRequest, name: str) -> None:
    """The identity from the annotation is shown all the same."""
    found = status(asked, None, UNKNOWN)
    assert (found.registries, found.identities) == ((), {name: ()})


def test_the_last_warning_is_added_where_the_metadata_does_not_show_the_cause() -> None:
    """Why a token cannot be fetched is shown nowhere else; an invalid annotation speaks for itself."""
    last = LastWarning(namespace="team-a", reason="AccessDenied", note="grant it", at=NOW)
    pending = status(OPTED_IN, None)
    assert with_warning(pending, last) == replace(pending, last_warning=last)
    assert with_warning(pending, None) == pending
    for asked, secret in ((request(enabled="x"), None), (OPTED_IN, FOREIGN), (OPTED_IN, managed(FRESH))):
        assert with_warning(status(asked, secret), last).last_warning is None


def test_a_named_namespace_that_does_not_exist_is_unhealthy() -> None:
    """It may be a typing mistake."""
    assert not_found("x") == NamespaceStatus(
        namespace="x", state=State.NOT_FOUND, unhealthy=True, problems=("there is no such namespace",)
    )


def test_the_token_that_expires_first_counts() -> None:
    """A Secret is as old as its oldest token."""
    both = published(EU, PUBLIC, issued=NOW - HOUR)
    mixed = replace(both, held={**both.held, EU: times(issued=NOW - 13 * HOUR)})
    found = status(request(enabled="true", registries=f"{EU},{PUBLIC}"), managed(mixed))
    assert (found.state, found.expires_at) == (State.EXPIRED, NOW - HOUR)


def test_a_token_kept_for_one_registry_counts_like_any_other() -> None:
    """A registry that rejects the new token keeps its older one, which decides age and refresh time."""
    young, old = times(issued=NOW - HOUR), times(issued=NOW - 13 * HOUR)
    hosts = f"{EU},{EU_OTHER_ACCOUNT}"
    mixed = managed(record_of({EU: old, EU_OTHER_ACCOUNT: young}))
    found = status(request(enabled="true", registries=hosts), mixed)
    assert (found.state, found.issued_at, found.expires_at) == (State.EXPIRED, old.issued_at, old.expires_at)
    assert found.refresh_at is not None
    assert found.refresh_at < NOW


def test_an_annotation_without_effect_is_judged_as_the_controller_does() -> None:
    """The installation does not change ServiceAccounts; where its settings are not known nothing is said."""
    asked = request(enabled="true", attach_to_service_accounts="*")
    found = status(asked, managed(FRESH), replace(KNOWN, attaches=False))
    assert (found.state, found.unhealthy) == (State.MISCONFIGURED, True)
    (problem,) = found.problems
    assert problem == (
        "pullkeeper.dev/attach-to-service-accounts has no effect, because this installation does not change "
        "ServiceAccounts: its operator can enable that in the settings with `serviceAccountAttachment: true`"
    )
    assert status(asked, managed(FRESH)).state is State.READY


def asking(named: str | None) -> NamespaceRequest:
    """Return a request of a namespace that names a class, or none."""
    annotations = {"enabled": "true"} | ({} if named is None else {"class": named})
    namespace = ObservedNamespace(name="team-a", resource_version=7, annotations=annotations)
    return NamespaceRequest(namespace=namespace, first_requested_at=NOW - HOUR)


CANARY = StatusRules(policy=Policy(installation_class="canary", registries=(EU,)), rotation=Rotation())


@pytest.mark.parametrize(
    ("rules", "named", "said"),
    [
        (KNOWN, "canary", "of the class canary, and this installation serves the default class: "),
        (CANARY, None, "of the default class, and this installation serves the class canary: "),
        (CANARY, "no class", "of a class that is invalid, and this installation serves the class canary: "),
    ],
)
def test_a_namespace_of_another_class_is_only_named(rules: StatusRules, named: str | None, said: str) -> None:
    """Whatever is wrong there is shown by the installation that serves it."""
    for secret in (managed(published(EU, issued=NOW - 13 * HOUR)), managed(None)):
        found = status(asking(named), secret, rules)
        assert (found.state, found.unhealthy, found.injection) == (State.OTHER_CLASS, False, None)
        assert [problem.startswith(said) for problem in found.problems] == [True]


def test_a_namespace_of_another_class_that_asks_for_nothing_is_not_shown() -> None:
    """To a canary, most of the cluster is of another class."""
    assert namespace_status(request(), None, CANARY, NOW) is None
    assert namespace_status(request(), FOREIGN, CANARY, NOW) is None
    assert status(request(), managed(FRESH), CANARY).state is State.OTHER_CLASS


@pytest.mark.parametrize("named", ["canary", "", "no class"])
@pytest.mark.parametrize("kept", ["canary", ""])
def test_without_the_settings_every_class_is_shown(named: str, kept: str) -> None:
    """Whose installation it is, nobody knows."""
    secret = managed(replace(FRESH, installation_class=kept))
    state = State.MISCONFIGURED if named == "no class" else State.READY
    assert status(asking(named), secret, UNKNOWN).state is state
    assert status(asking(named), None, UNKNOWN).state is not State.OTHER_CLASS
