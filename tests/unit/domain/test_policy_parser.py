"""The policy's keys in the settings file, with valid and invalid values."""

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from pullkeeper.domain.config.label_selector import LabelSelector, Operator, Requirement
from pullkeeper.domain.config.policy import (
    ANYBODY,
    EVERY_NAMESPACE,
    NO_NAMESPACE,
    NOBODY,
    Grant,
    Matcher,
    Policy,
    RoleGrant,
)
from pullkeeper.domain.config.settings import Settings, parse_settings
from pullkeeper.domain.errors.validation import InvalidInputError, Problem

ROLE = "arn:aws:iam::123456789012:role/blue"
TEAMS = {"role": ROLE, "namespaces": ["team-*"]}
MATCHER_FORM = "`namespaces` (name patterns), `namespaceSelector`, or both"


def problems(document: object) -> tuple[Problem, ...]:
    with pytest.raises(InvalidInputError) as raised:
        parse_settings(document, {})
    return raised.value.problems


def role(**others: Any) -> dict[str, Any]:
    return {"roles": [{**TEAMS, **others}]}


def selecting(**selector: Any) -> dict[str, Any]:
    return {"roles": [{"role": ROLE, "namespaceSelector": selector}]}


def expression(**parts: Any) -> dict[str, Any]:
    return selecting(matchExpressions=[parts])


def selector_of(document: object) -> LabelSelector | None:
    return parse_settings(document, {}).policy.roles[0].namespaces.selector


def test_an_empty_file_gives_the_default_policy() -> None:
    """No roles, no ServiceAccounts, no opt-ins, and the controller's identity for all."""
    assert parse_settings({}, {}).policy == Policy()
    assert Policy() == Policy(
        roles=(), controller_identity=ANYBODY, service_accounts=NOBODY, opt_in=NO_NAMESPACE, opt_in_exclude=NO_NAMESPACE
    )


def test_a_complete_policy_is_parsed() -> None:
    """Every key of the policy."""
    text = """
    clusterName: prod
    roles:
      - role: arn:aws:iam::123456789012:role/blue
        namespaces: [blue, blue-*]
        registries: ["123456789012.dkr.ecr.*.amazonaws.com"]
        externalId: id/of:blue
        sessionTags: true
        sourceIdentity: true
      - role: arn:aws-cn:iam::*:role/team-*
        namespaceSelector: {matchLabels: {team: green}}
    controllerIdentity: {namespaces: infra}
    serviceAccountIdentity: {namespaces: ["*"], registries: [public.ecr.aws], audiences: [sts.amazonaws.com.cn]}
    optIn: {namespaces: ["*"], exclude: [kube-*]}
    """
    green = Requirement(key="team", operator=Operator.IN, values=frozenset({"green"}))
    assert parse_settings(yaml.safe_load(text), {}).policy == Policy(
        cluster_name="prod",
        roles=(
            RoleGrant(
                role=ROLE,
                namespaces=Matcher(names=("blue", "blue-*")),
                registries=("123456789012.dkr.ecr.*.amazonaws.com",),
                external_id="id/of:blue",
                session_tags=True,
                source_identity=True,
            ),
            RoleGrant(
                role="arn:aws-cn:iam::*:role/team-*",
                namespaces=Matcher(selector=LabelSelector(requirements=(green,))),
            ),
        ),
        controller_identity=Grant(namespaces=Matcher(names=("infra",))),
        service_accounts=Grant(namespaces=Matcher(names=("*",)), registries=("public.ecr.aws",)),
        audiences=("sts.amazonaws.com.cn",),
        opt_in=Matcher(names=("*",)),
        opt_in_exclude=Matcher(names=("kube-*",)),
    )


@pytest.mark.parametrize(
    ("key", "field", "value"),
    [("roles", "roles", [TEAMS]), ("optIn", "opt_in", {"namespaces": ["x"]})],
)
def test_the_policy_is_part_of_the_settings(key: str, field: str, value: object) -> None:
    """A key of the policy changes one field and nothing else."""
    settings = parse_settings({key: value}, {})
    parsed = getattr(settings.policy, field)
    assert parsed != getattr(Policy(), field)
    assert settings == Settings(policy=Policy(**{field: parsed}))


@pytest.mark.parametrize(
    ("parts", "requirement"),
    [
        (
            {"key": "a", "operator": "In", "values": ["x", "y", "x"]},
            Requirement(key="a", operator=Operator.IN, values=frozenset({"x", "y"})),
        ),
        (
            {"key": "a", "operator": "NotIn", "values": [""]},
            Requirement(key="a", operator=Operator.NOT_IN, values=frozenset({""})),
        ),
        ({"key": "a", "operator": "Exists"}, Requirement(key="a", operator=Operator.EXISTS)),
        ({"key": "a", "operator": "Exists", "values": []}, Requirement(key="a", operator=Operator.EXISTS)),
        ({"key": "a", "operator": "DoesNotExist"}, Requirement(key="a", operator=Operator.DOES_NOT_EXIST)),
    ],
)
def test_a_match_expression_is_parsed(parts: dict[str, Any], requirement: Requirement) -> None:
    """Operators take values or take none, as in Kubernetes."""
    assert selector_of(expression(**parts)) == LabelSelector(requirements=(requirement,))


def test_labels_and_expressions_are_required_together() -> None:
    """Both parts of a selector apply; an empty selector matches everything."""
    both = selecting(matchLabels={"a": "x"}, matchExpressions=[{"key": "b", "operator": "Exists"}])
    assert selector_of(both) == LabelSelector(
        requirements=(
            Requirement(key="a", operator=Operator.IN, values=frozenset({"x"})),
            Requirement(key="b", operator=Operator.EXISTS),
        )
    )
    assert selector_of(selecting()) == LabelSelector()


@pytest.mark.parametrize("value", ["ab", "a" * 1224, "aZ0_+=,.@:/-", "123456"])
def test_valid_external_ids(value: str) -> None:
    """As STS defines them: 2 to 1224 characters of a fixed set."""
    assert parse_settings(role(externalId=value), {}).policy.roles[0].external_id == value


@pytest.mark.parametrize(
    ("document", "where"),
    [
        (role(roleArn="x"), "roles[0].roleArn"),
        (role(externalID="x"), "roles[0].externalID"),
        (role(**{"7": "x"}), "roles[0].7"),
        ({"controllerIdentity": {"role": ROLE}}, "controllerIdentity.role"),
        ({"optIn": {"namespaces": ["*"], "registries": ["*"]}}, "optIn.registries"),
        (selecting(matchLabel={"a": "b"}), "roles[0].namespaceSelector.matchLabel"),
        (expression(key="a", operator="Exists", value="x"), "roles[0].namespaceSelector.matchExpressions[0].value"),
    ],
)
def test_an_unknown_key_is_a_problem(document: dict[str, Any], where: str) -> None:
    """A misspelt key could allow more or less than intended."""
    (problem,) = problems(document)
    assert (problem.where, problem.found) == (where, "an unknown key")
    assert problem.expected.startswith("one of ")


def test_unknown_keys_are_reported_in_file_order() -> None:
    """The same file always gives the same message."""
    keys = [f"key{number}" for number in (3, 1, 2, 9, 5)]
    assert [each.where for each in problems(role(**dict.fromkeys(keys, "x")))] == [f"roles[0].{key}" for key in keys]


def test_all_problems_are_reported_at_once() -> None:
    """Including those of other settings."""
    document = {"httpPort": -1, "roles": [{"role": "x"}, {**TEAMS, "externalId": ";"}], "optIn": {}}
    assert {each.where for each in problems(document)} == {
        "httpPort",
        "roles[0].role",
        "roles[0]",
        "roles[1].externalId",
        "optIn",
    }


@pytest.mark.parametrize("key", ["roles", "controllerIdentity", "serviceAccountIdentity", "optIn"])
def test_a_key_without_a_value_is_a_problem(key: str) -> None:
    """The default would withdraw what the key is there for, or allow everybody."""
    found = problems({key: None})
    assert {(each.where, each.found) for each in found} == {(key, "nothing")}


@pytest.mark.parametrize(
    ("key", "matcher"),
    [
        ("controllerIdentity", lambda policy: policy.controller_identity.namespaces),
        ("serviceAccountIdentity", lambda policy: policy.service_accounts.namespaces),
        ("optIn", lambda policy: policy.opt_in),
    ],
)
def test_an_empty_list_of_namespaces_allows_nobody(key: str, matcher: Callable[[Policy], Matcher]) -> None:
    """A list that a template left empty was written to restrict, also beside a selector."""
    assert matcher(parse_settings({key: {"namespaces": []}}, {}).policy) == NO_NAMESPACE
    beside = matcher(parse_settings({key: {"namespaces": [], "namespaceSelector": {}}}, {}).policy)
    assert beside == Matcher(names=(), selector=LabelSelector())


@pytest.mark.parametrize("key", ["controllerIdentity", "serviceAccountIdentity", "optIn"])
@pytest.mark.parametrize("matcher", ["namespaces", "namespaceSelector"])
def test_a_matcher_without_a_value_is_a_problem(key: str, matcher: str) -> None:
    """A key that a template left without a value does not mean everybody either."""
    empty, missing = problems({key: {matcher: None}})
    assert (empty.where, empty.found) == (f"{key}.{matcher}", "nothing")
    assert (missing.where, missing.expected) == (key, MATCHER_FORM)


@pytest.mark.parametrize("empty", ["namespaces", "namespaceSelector", "registries"])
def test_what_restricts_a_grant_has_a_value(empty: str) -> None:
    """Beside another matcher, the default of one without a value would be everybody, and of registries all."""
    grant = {"role": ROLE, "namespaces": ["a"], "namespaceSelector": {}, "registries": ["*.amazonaws.com"]}
    (problem,) = problems({"roles": [{**grant, empty: None}]})
    assert (problem.where, problem.expected) == (f"roles[0].{empty}", "a value, or no such key")


@pytest.mark.parametrize("registries", [{}, {"registries": ["public.ecr.aws"]}])
def test_a_grant_without_matcher_is_for_all_only_if_that_is_the_default(registries: dict[str, Any]) -> None:
    """For the controller's identity, but not for ServiceAccounts."""
    assert (
        parse_settings({"controllerIdentity": registries}, {}).policy.controller_identity.namespaces == EVERY_NAMESPACE
    )
    (problem,) = problems({"serviceAccountIdentity": registries})
    assert (problem.where, problem.expected) == ("serviceAccountIdentity", MATCHER_FORM)
