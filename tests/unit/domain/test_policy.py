"""The policy: nothing is allowed that the settings do not allow."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullkeeper.domain.config.label_selector import LabelSelector, Operator, Requirement
from pullkeeper.domain.config.pattern import matches
from pullkeeper.domain.config.policy import EVERY_NAMESPACE, NOBODY, Grant, Matcher, Policy, RoleGrant
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.errors.failures import FailureError, Reason
from pullkeeper.domain.errors.validation import quoted
from pullkeeper.domain.iam.identity import CONTROLLER, Kind, Session, service_account
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from testsupport.examples import EU, HOSTS, US

ROLE = "arn:aws:iam::123456789012:role/blue"
OTHER = "arn:aws:iam::123456789012:role/green"
BLUE = LabelSelector(requirements=(Requirement(key="team", operator=Operator.IN, values=frozenset({"blue"})),))
SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)

names = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True)
clusters = st.from_regex(r"[A-Za-z0-9._-]{1,40}", fullmatch=True)


def view(name: str = "team-a", **labels: str) -> ObservedNamespace:
    return ObservedNamespace(name=name, resource_version=1, labels=labels)


def grant(role: str = ROLE, *, to: Matcher = EVERY_NAMESPACE, **others: object) -> Policy:
    return Policy(roles=(RoleGrant(role=role, namespaces=to, **others),))  # type: ignore[arg-type] # a test's shorthand


def refusal(policy: Policy, *hosts: RegistryHost, **asked: str) -> str:
    with pytest.raises(FailureError) as raised:
        policy.identity(view(), hosts or (EU,), **asked)
    assert raised.value.failure.reason is Reason.ROLE_NOT_ALLOWED
    return raised.value.failure.message


@given(names, st.sampled_from([ROLE, OTHER]), st.dictionaries(names, names, max_size=3))
def test_nothing_is_allowed_by_default(name: str, role: str, labels: dict[str, str]) -> None:
    """Without a grant no role and no ServiceAccount may be used, and no namespace is opted in."""
    who = view(name, **labels)
    for asked in ({"role": role}, {"account": "puller"}):
        with pytest.raises(FailureError):
            Policy().identity(who, (EU,), **asked)
    assert not Policy().opts_in(who)


@pytest.mark.parametrize("audience", ["", "vault", "https://kubernetes.default.svc", "x" * 4096])
def test_a_service_account_may_not_ask_for_tokens_for_others_than_sts(audience: str) -> None:
    """A token for the API server is that ServiceAccount, to whoever has it."""
    asked = replace(service_account("team-a", "puller"), audience=audience)
    with pytest.raises(FailureError) as raised:
        Policy().check_audience(asked)
    assert raised.value.failure.reason is Reason.ROLE_NOT_ALLOWED
    assert raised.value.failure.message == (
        f"{asked} asks for tokens for {quoted(audience)} in its annotation eks.amazonaws.com/audience, and the "
        "installation allows sts.amazonaws.com: change the annotation, or let whoever runs "
        "Pullkeeper allow it in the settings, under `serviceAccountIdentity.audiences`"
    )
    assert len(raised.value.failure.message) < 600
    Policy().check_audience(replace(asked, audience="sts.amazonaws.com"))
    if audience:
        Policy(audiences=(audience,)).check_audience(asked)


@pytest.mark.parametrize(
    ("patterns", "excluded"), [((), False), (("team-a",), True), (("kube-*", "team-*"), True), (("team-b",), False)]
)
def test_an_excluded_namespace_is_never_opted_in(patterns: tuple[str, ...], *, excluded: bool) -> None:
    """Neither by the settings nor by its annotations."""
    policy = Policy(opt_in=EVERY_NAMESPACE, excluded_namespaces=patterns)
    annotated = ObservedNamespace(name="team-a", resource_version=1, annotations={"enabled": "true"})
    assert policy.excludes(view()) is excluded
    assert policy.opts_in(view()) is policy.applies_to(annotated) is not excluded


def test_kube_system_is_excluded_unless_the_settings_say_otherwise() -> None:
    """Of what the cluster's own components run with nothing is touched."""
    assert Policy().excludes(view("kube-system"))
    assert not Policy().excludes(view("kube-systems"))


def test_every_namespace_may_use_the_controllers_identity_by_default() -> None:
    """Unless the settings restrict it."""
    assert Policy().identity(view(), HOSTS) is CONTROLLER
    assert "the controller's own identity" in refusal(Policy(controller_identity=NOBODY))


@pytest.mark.parametrize(
    ("matcher", "who", "fits_"),
    [
        (Matcher(), view(), False),
        (Matcher(names=()), view(team="blue"), False),
        (Matcher(names=(), selector=BLUE), view(team="blue"), False),
        (EVERY_NAMESPACE, view("x"), True),
        (Matcher(names=("team-a",)), view(), True),
        (Matcher(names=("team-a",)), view("team-ab"), False),
        (Matcher(names=("team-a",)), view("x-team-a"), False),
        (Matcher(names=("team-*",)), view(), True),
        (Matcher(names=("team-*",)), view("team-"), True),
        (Matcher(names=("team-*",)), view("team"), False),
        (Matcher(names=("*-a", "x")), view(), True),
        (Matcher(names=("t*m-*a",)), view(), True),
        (Matcher(selector=BLUE), view(team="blue"), True),
        (Matcher(selector=BLUE), view(), False),
        (Matcher(selector=LabelSelector()), view(), True),
        (Matcher(names=("team-*",), selector=BLUE), view(team="blue"), True),
        (Matcher(names=("team-*",), selector=BLUE), view(), False),
        (Matcher(names=("x",), selector=BLUE), view(team="blue"), False),
    ],
)
def test_a_matcher_selects_by_name_and_labels(matcher: Matcher, who: ObservedNamespace, *, fits_: bool) -> None:
    """If both are given both must match; an empty matcher selects none."""
    assert matcher.matches(who) is fits_


@given(st.text("ab*", max_size=6), st.text("ab", max_size=8))
def test_a_pattern_matches_the_whole_text(pattern: str, text: str) -> None:
    """Only `*` is special, as in a minimal reference implementation."""

    def oracle(pattern: str, text: str) -> bool:
        if not pattern:
            return not text
        if pattern[0] == "*":
            return any(oracle(pattern[1:], text[start:]) for start in range(len(text) + 1))
        return text[:1] == pattern[0] and oracle(pattern[1:], text[1:])

    assert matches(pattern, text) is oracle(pattern, text)


@pytest.mark.parametrize("pattern", [".*", "team.a", "team-?", "[t]eam-a", "team-a|x", "^team-a$", "(team-a)"])
def test_a_pattern_is_not_a_regular_expression(pattern: str) -> None:
    """Special characters of regular expressions match themselves."""
    assert not matches(pattern, "team-a")
    assert matches(pattern, pattern)


@pytest.mark.parametrize(
    ("opt_in", "exclude", "opted"),
    [
        (EVERY_NAMESPACE, Matcher(), True),
        (EVERY_NAMESPACE, Matcher(names=("team-*",)), False),
        (EVERY_NAMESPACE, Matcher(names=("kube-*",)), True),
        (Matcher(names=("x",)), Matcher(), False),
    ],
)
def test_an_exclusion_overrides_the_opt_in(opt_in: Matcher, exclude: Matcher, *, opted: bool) -> None:
    """Namespaces that match both are not opted in."""
    assert Policy(opt_in=opt_in, opt_in_exclude=exclude).opts_in(view()) is opted


@pytest.mark.parametrize("pattern", [ROLE, "arn:aws:iam::123456789012:role/*", "arn:aws:iam::*:role/blue"])
def test_a_granted_role_may_be_used(pattern: str) -> None:
    """A grant names a role or a pattern of roles."""
    found = grant(pattern).identity(view(), (EU,), role=ROLE)
    assert (found.name, found.role_arn, found.kind) == (ROLE, ROLE, Kind.ROLE)
    assert f"the role {OTHER}x" in refusal(grant(f"{OTHER}"), role=f"{OTHER}x")


def test_a_role_without_a_grant_is_rejected() -> None:
    """The message names the namespace, the role and the setting to change."""
    assert refusal(grant(to=Matcher(names=("x",))), role=ROLE) == (
        f"namespace/team-a: the installation does not let this namespace use the role {ROLE}: "
        "whoever runs Pullkeeper can allow it in the settings, under `roles`"
    )


def test_registries_outside_of_a_grant_are_named() -> None:
    """A grant for some registries does not cover others, and the message names those."""
    ireland = grant(registries=("*.eu-west-1.amazonaws.com",))
    assert ireland.identity(view(), (EU,), role=ROLE).role_arn == ROLE
    assert f"use the role {ROLE} for {US}: " in refusal(ireland, EU, US, role=ROLE)
    own = Policy(controller_identity=Grant(registries=(str(EU),)), service_accounts=Grant(registries=(str(EU),)))
    assert f"use the controller's own identity for {US}: " in refusal(own, US)
    assert f"use its ServiceAccount puller for {US}: " in refusal(own, US, account="puller")


def test_the_first_sufficient_grant_applies() -> None:
    """Of several grants for a role, insufficient ones are skipped."""
    first = RoleGrant(role=ROLE, registries=(str(EU),), external_id="first")
    second = RoleGrant(role="arn:*", namespaces=Matcher(names=("team-*",)), external_id="second")
    policy = Policy(roles=(first, second))
    for hosts, external_id in (((EU,), "first"), ((EU, US), "second"), ((US,), "second")):
        session = policy.identity(view(), hosts, role=ROLE).session
        assert session is not None
        assert session.external_id == external_id


def test_a_granted_service_account_may_be_used() -> None:
    """Only a ServiceAccount of the namespace itself."""
    policy = Policy(service_accounts=Grant(namespaces=Matcher(names=("team-*",))))
    assert policy.identity(view(), (EU,), account="puller") == service_account("team-a", "puller")
    with pytest.raises(FailureError, match="under `serviceAccountIdentity`"):
        policy.identity(view("x"), (EU,), account="puller")


def test_a_session_identifies_cluster_and_namespace() -> None:
    """By name; ExternalId, tags and SourceIdentity are sent if the grant says so."""
    policy = Policy(cluster_name="prod", roles=(RoleGrant(role=ROLE),))
    plain = policy.identity(view(), (EU,), role=ROLE)
    assert plain.session == Session(name="pullkeeper-prod")
    full = RoleGrant(role=ROLE, external_id="id", session_tags=True, source_identity=True)
    found = Policy(cluster_name="prod", roles=(full,)).identity(view(), (EU,), role=ROLE)
    assert found.session == Session(
        name="pullkeeper-prod-team-a",
        external_id="id",
        source_identity="pullkeeper-prod",
        tags=(("pullkeeper-cluster", "prod"), ("pullkeeper-namespace", "team-a")),
    )


def test_session_tags_make_an_identity_for_each_namespace() -> None:
    """Tags can change what a role may do, so such tokens are not shared."""
    tagged, plain = grant(session_tags=True), grant()
    one, two = (tagged.identity(view(name), (EU,), role=ROLE) for name in ("team-a", "team-b"))
    assert one != two
    assert one.kind is two.kind is Kind.ROLE
    assert (one.name, two.name) == (f"{ROLE} for team-a", f"{ROLE} for team-b")
    assert plain.identity(view("team-a"), (EU,), role=ROLE).name == ROLE
    assert plain.identity(view("team-a"), (EU,), role=ROLE) == plain.identity(view("team-b"), (EU,), role=ROLE)


@given(clusters, names)
def test_session_names_are_within_sts_limits(cluster: str, name: str) -> None:
    """For any names of cluster and namespace."""
    policy = Policy(cluster_name=cluster, roles=(RoleGrant(role=ROLE, source_identity=True),))
    session = policy.identity(view(name), (EU,), role=ROLE).session
    assert session is not None
    assert SESSION_NAME.fullmatch(session.name)
    assert session.source_identity is not None
    assert SESSION_NAME.fullmatch(session.source_identity)


@given(clusters, st.lists(names, min_size=2, max_size=2, unique=True), st.sampled_from(["", "a" * 30, "team-" * 9]))
def test_session_names_of_different_namespaces_differ(cluster: str, pair: list[str], prefix: str) -> None:
    """So CloudTrail distinguishes them, however long their names are."""
    policy = Policy(cluster_name=cluster, roles=(RoleGrant(role=ROLE, session_tags=True),))
    sessions = [policy.identity(view((prefix + name)[:63]), (EU,), role=ROLE).session for name in pair]
    same = (prefix + pair[0])[:63] == (prefix + pair[1])[:63]
    assert (sessions[0] == sessions[1]) is same
    assert len({session.name for session in sessions if session}) == (1 if same else 2)


def test_the_policy_applies_to_annotated_and_opted_in_namespaces() -> None:
    """And to no others."""
    policy = Policy(opt_in=Matcher(names=("app-*",)))
    silent, meant = (ObservedNamespace(name=name, resource_version=1) for name in ("team", "app-1"))
    asking = ObservedNamespace(name="team", resource_version=1, annotations={"enabled": "true"})
    assert [policy.applies_to(view) for view in (silent, meant, asking)] == [False, True, True]
