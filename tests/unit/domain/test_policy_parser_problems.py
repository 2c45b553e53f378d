"""Every kind of problem in the policy's part of the settings."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullkeeper.domain.config.label_selector import LabelSelector, Operator, Requirement
from pullkeeper.domain.config.policy import Matcher, Policy
from pullkeeper.domain.config.policy_parser import PolicyParser
from pullkeeper.domain.config.settings import parse_settings
from pullkeeper.domain.errors.validation import InvalidInputError, Problem

ROLE = "arn:aws:iam::123456789012:role/blue"
TEAMS = {"role": ROLE, "namespaces": ["team-*"]}
ROLE_FORM = '"arn:PARTITION:iam::ACCOUNT:role/NAME", in which * stands for anything'
NAMES_FORM = "a list of names, in which * stands for anything"
MATCHER_FORM = "`namespaces` (name patterns), `namespaceSelector`, or both"
EXPRESSION_FORM = "{key, operator: In or NotIn, values: [...]} or {key, operator: Exists or DoesNotExist}"
ID_FORM = "2 to 1224 letters, digits and characters of +=,.@:/-_"


def role(**others: Any) -> dict[str, Any]:
    return {"roles": [{**TEAMS, **others}]}


def selecting(**selector: Any) -> dict[str, Any]:
    return {"roles": [{"role": ROLE, "namespaceSelector": selector}]}


def expression(**parts: Any) -> dict[str, Any]:
    return selecting(matchExpressions=[parts])


def each(values: list[Any]) -> list[Any]:
    """Values of several kinds, in one type."""
    return values


WRONG: list[tuple[dict[str, Any], str, str]] = [
    *(
        ({"roles": value}, "roles", "a list of {role, namespaces or namespaceSelector, externalId, ...}")
        for value in each(["x", {}, 7, True])
    ),
    *(({"roles": [value]}, "roles[0]", "a mapping with ") for value in each(["x", 7, None, [TEAMS]])),
    *(
        (role(role=value), "roles[0].role", ROLE_FORM)
        for value in each([None, "", "x", "*", 7, [ROLE], f"{ROLE}\n", "arn:aws:iam::123456789012:user/x", "arn:*"])
    ),
    *(
        (role(role=value), "roles[0].role", ROLE_FORM)
        for value in each(["arn:aws:iam::12345:role/x", "arn:aws:iam::*:*"])
    ),
    ({"roles": [{"role": ROLE}]}, "roles[0]", MATCHER_FORM),
    *(
        (role(namespaces=value), "roles[0].namespaces", NAMES_FORM)
        for value in each(["", "A", "a/b", "a\n", 7, True, [None], [["a"]], {"a": "b"}, ["team-?"]])
    ),
    *((role(registries=value), "roles[0].registries", NAMES_FORM) for value in each(["", "A", "https://x", 7, [7]])),
    *(
        (role(externalId=value), "roles[0].externalId", ID_FORM)
        for value in each(["", "a", "a" * 1225, "semi;colon", "a b", "ab\n", "äb", 123456, True, ["ab"]])
    ),
    *((role(sessionTags=value), "roles[0].sessionTags", "true or false") for value in each(["true", 1, []])),
    *((role(sourceIdentity=value), "roles[0].sourceIdentity", "true or false") for value in each(["yes", 0])),
    *(
        ({key: value}, key, "a mapping with ")
        for key in ("controllerIdentity", "optIn")
        for value in each(["x", 7, ["*"]])
    ),
    ({"serviceAccountIdentity": ["*"]}, "serviceAccountIdentity", "a mapping with "),
    ({"optIn": {"namespaces": ["*"], "exclude": ["A"]}}, "optIn.exclude", NAMES_FORM),
    ({"optIn": {"exclude": ["a"]}}, "optIn", MATCHER_FORM),
    *(
        ({"roles": [{"role": ROLE, "namespaceSelector": value}]}, "roles[0].namespaceSelector", "a mapping with ")
        for value in each(["x", 7, []])
    ),
    *(
        (selecting(matchLabels=value), "roles[0].namespaceSelector.matchLabels", "a mapping of label keys to texts")
        for value in each(["x", [], {"a": 1}, {"a": None}, {"a": True}, {1: "x"}])
    ),
    *(
        (
            selecting(matchExpressions=value),
            "roles[0].namespaceSelector.matchExpressions",
            "a list of {key, operator, values}",
        )
        for value in each(["x", {}, 7])
    ),
    *(
        (expression(**parts), "roles[0].namespaceSelector.matchExpressions[0]", EXPRESSION_FORM)
        for parts in (
            {"key": "a"},
            {"operator": "Exists"},
            {"key": 7, "operator": "Exists"},
            {"key": "a", "operator": "in", "values": ["x"]},
            {"key": "a", "operator": ["In"], "values": ["x"]},
            {"key": "a", "operator": {}, "values": ["x"]},
            {"key": "a", "operator": "In"},
            {"key": "a", "operator": "In", "values": []},
            {"key": "a", "operator": "In", "values": "x"},
            {"key": "a", "operator": "NotIn", "values": [1]},
            {"key": "a", "operator": "Exists", "values": ["x"]},
        )
    ),
]


@pytest.mark.parametrize(("document", "where", "expected"), WRONG)
def test_an_invalid_part_is_one_problem(document: dict[str, Any], where: str, expected: str) -> None:
    """With its path and the expected form."""
    with pytest.raises(InvalidInputError) as raised:
        parse_settings(document, {})
    first, *others = [problem.expected for problem in raised.value.problems if problem.where == where]
    assert first.startswith(expected)
    assert not any(words.startswith(expected) for words in others)


@pytest.mark.parametrize(
    ("document", "where", "found"),
    [
        ({"roles": "x"}, "roles", '"x"'),
        ({"roles": ["x"]}, "roles[0]", '"x"'),
        ({"roles": [{"namespaces": ["a"]}]}, "roles[0].role", "nothing"),
        (role(role="x"), "roles[0].role", '"x"'),
        (role(externalId="a"), "roles[0].externalId", '"a"'),
        (role(sessionTags=1), "roles[0].sessionTags", "1"),
        (role(namespaces=["ok", "A"]), "roles[0].namespaces", '"A"'),
        ({"roles": [{**TEAMS, "externalId": "ab"}, {**TEAMS, "externalId": "cd"}]}, "roles[1].externalId", '"cd"'),
        (selecting(matchLabels="x"), "roles[0].namespaceSelector.matchLabels", '"x"'),
        (selecting(matchExpressions="x"), "roles[0].namespaceSelector.matchExpressions", '"x"'),
        (expression(key="a"), "roles[0].namespaceSelector.matchExpressions[0]", "{'key': 'a'}"),
        (
            {"serviceAccountIdentity": {"namespaces": ["*"], "registries": ["A"]}},
            "serviceAccountIdentity.registries",
            '"A"',
        ),
        ({"controllerIdentity": {"registries": ["A"]}}, "controllerIdentity.registries", '"A"'),
        (
            {"serviceAccountIdentity": {"namespaces": ["*"], "audiences": "x"}},
            "serviceAccountIdentity.audiences",
            '"x"',
        ),
        (
            {"serviceAccountIdentity": {"namespaces": ["*"], "audiences": ["ok", "a b"]}},
            "serviceAccountIdentity.audiences",
            '"a b"',
        ),
    ],
)
def test_a_problem_shows_what_was_found(document: dict[str, Any], where: str, found: str) -> None:
    """The one that is wrong, of several."""
    with pytest.raises(InvalidInputError) as raised:
        parse_settings(document, {})
    first, *_ = [problem.found for problem in raised.value.problems if problem.where == where]
    assert first == found


SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "*", "In", "Exists", ROLE])
_PARTS = ["role", "namespaces", "namespaceSelector", "matchLabels", "matchExpressions", "key", "operator", "values"]
KEYS = st.sampled_from([*_PARTS, "registries", "externalId", "sessionTags", "sourceIdentity", "exclude", "x"])
DOCUMENTS = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4))
TOP_KEYS = st.sampled_from(["roles", "controllerIdentity", "serviceAccountIdentity", "optIn"])


@given(st.dictionaries(TOP_KEYS, DOCUMENTS))
def test_any_document_gives_settings_or_problems(document: dict[str, Any]) -> None:
    """Nothing else comes out of any YAML document, so a reload cannot crash."""
    try:
        outcome: object = parse_settings(document, {}).policy
    except InvalidInputError as error:
        outcome = error.problems[0]
    assert isinstance(outcome, Policy | Problem)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("role/team-blue", "role/team-blue"),
        ("role/team-blue", "role/team-*"),
        ("role/team-*", "role/team-blue"),
        ("role/team-*", "role/*-blue"),
        ("role/team-*", "role/*"),
    ],
)
@pytest.mark.parametrize("identifiers", [("one", "two"), ("one", None), (None, "two")])
def test_grants_that_cover_a_common_role_must_agree_on_the_external_id(
    one: str, other: str, identifiers: tuple[str | None, str | None]
) -> None:
    """Whatever namespaces they are for: which of the two is sent would depend on their order."""
    roles = [f"arn:aws:iam::123456789012:{each}" for each in (one, other)]
    grants = [
        {"role": role, "namespaces": [name], "externalId": identifier}
        for role, name, identifier in zip(roles, "ab", identifiers, strict=True)
    ]
    with pytest.raises(InvalidInputError) as raised:
        parse_settings({"roles": grants}, {})
    (problem,) = raised.value.problems
    expected = f"the same as in roles[0], whose {roles[0]} covers roles of {roles[1]}"
    assert (problem.where, problem.expected) == ("roles[1].externalId", expected)
    same = [{**grant, "externalId": "one"} for grant in grants]
    assert len(parse_settings({"roles": same}, {}).policy.roles) == 2


def test_grants_whose_roles_are_no_roles_have_no_role_in_common() -> None:
    """That they are none is what is wrong with them, whatever their ExternalIds are."""
    grants = [{"role": "x", "namespaces": ["*"], "externalId": identifier} for identifier in ("one", "two")]
    with pytest.raises(InvalidInputError) as raised:
        parse_settings({"roles": grants}, {})
    assert [(each.where, each.expected) for each in raised.value.problems] == [
        ("roles[0].role", ROLE_FORM),
        ("roles[1].role", ROLE_FORM),
    ]


def test_an_invalid_requirement_is_one_that_nothing_meets() -> None:
    """Left out, it would let the selector allow everybody."""
    parser = PolicyParser()
    found, _ = parser.opt_in({"namespaceSelector": {"matchExpressions": ["x"]}})
    assert len(parser.problems) == 2
    nothing = LabelSelector(requirements=(Requirement(key="", operator=Operator.EXISTS),))
    assert found == Matcher(selector=nothing)


def test_each_grant_that_disagrees_on_the_external_id_is_one_problem() -> None:
    """However many of those before it it disagrees with, and whatever is wrong before it."""
    grants = [{"role": ROLE, "namespaces": ["*"], "externalId": f"id-{index}"} for index in range(3)]
    with pytest.raises(InvalidInputError) as raised:
        parse_settings({"roles": grants}, {})
    assert [problem.where for problem in raised.value.problems] == ["roles[1].externalId", "roles[2].externalId"]


def test_grants_for_different_roles_may_have_different_external_ids() -> None:
    """Also of patterns."""
    grants = [
        {"role": f"arn:aws:iam::123456789012:role/{role}", "namespaces": ["*"], "externalId": f"id-{index}"}
        for index, role in enumerate(["team-a*", "team-b*", "team-c", "team-d"])
    ]
    assert len(parse_settings({"roles": grants}, {}).policy.roles) == 4


@pytest.mark.parametrize(
    "audiences",
    [
        [],
        "",
        "vault",
        {"a": "b"},
        [7],
        [None],
        ["a b"],
        ["a" * 256],
        ["https://x"],
        ["kubernetes.default.svc"],
        ["a\n"],
    ],
)
def test_an_audience_that_may_be_the_api_servers_is_a_problem(audiences: object) -> None:
    """Whoever gets a token for it is that ServiceAccount; and none at all would be of no use."""
    with pytest.raises(InvalidInputError) as raised:
        parse_settings({"serviceAccountIdentity": {"namespaces": ["*"], "audiences": audiences}}, {})
    (problem,) = raised.value.problems
    assert problem.where == "serviceAccountIdentity.audiences"
    assert problem.expected == "a list of client IDs of IAM OIDC providers, none of the API server"
