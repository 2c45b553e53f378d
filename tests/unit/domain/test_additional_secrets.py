"""The setting `additionalSecrets`, with valid and invalid values."""

from typing import Any

import pytest

from pullkeeper.domain.config.additional_secrets import (
    MAX_ADDITIONAL_SECRETS,
    NAME_FORM,
    PATH_FORM,
    SHAPE_FORM,
    AdditionalSecret,
    AdditionalSecretsParser,
    ShapeName,
)
from pullkeeper.domain.config.policy import NO_NAMESPACE, Matcher, Policy
from pullkeeper.domain.config.rbac import required_rules
from pullkeeper.domain.config.settings import Settings, parse_settings
from pullkeeper.domain.ecr.registry_host import FORM
from pullkeeper.domain.errors.validation import InvalidInputError
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.secret.desired_state import desired_state
from testsupport.examples import EU, PUBLIC, US

GOOD: dict[str, Any] = {
    "name": "argocd-ecr",
    "shape": "argocd-repo-creds",
    "registry": str(EU),
    "namespaces": ["argocd"],
}
SECRET_NAME = "pull"
MATCHER_FORM = "`namespaces` (name patterns), `namespaceSelector`, or both"


def parsed(value: object) -> tuple[tuple[AdditionalSecret, ...], list[tuple[str, str]]]:
    parser = AdditionalSecretsParser()
    found = parser.additional_secrets(value, SECRET_NAME)
    return found, [(each.where.removeprefix("additionalSecrets"), each.expected) for each in parser.problems]


def test_an_entry_has_a_name_a_shape_a_registry_and_namespaces() -> None:
    """As many as there are."""
    other = {"name": "charts", "shape": "argocd-repository", "registry": "public.ecr.aws", "path": "a/b-c"}
    found, problems = parsed([GOOD, {**other, "namespaceSelector": {"matchLabels": {"a": "b"}}}])
    assert not problems
    first, second = found
    namespaces = Matcher(names=("argocd",))
    assert first == AdditionalSecret(
        name="argocd-ecr", shape=ShapeName.ARGOCD_REPO_CREDS, registry=EU, namespaces=namespaces
    )
    assert (second.name, second.path, second.registry.public) == ("charts", "a/b-c", True)
    assert second.namespaces.selector is not None


@pytest.mark.parametrize("shape", ShapeName)
def test_every_shape_can_be_asked_for(shape: ShapeName) -> None:
    """By its name."""
    (found,), problems = parsed([{**GOOD, "shape": str(shape)}])
    assert (found.shape, problems) == (shape, [])


def test_none_is_none() -> None:
    """An empty list asks for nothing."""
    assert parsed([]) == ((), [])


@pytest.mark.parametrize("value", [None, {}, "x", [GOOD] * (MAX_ADDITIONAL_SECRETS + 1)])
def test_what_is_no_list_or_too_long_is_one_problem(value: object) -> None:
    """Each entry costs a watch."""
    found, problems = parsed(value)
    assert found == ()
    assert problems == [("", "a list of at most 20 {name, shape, registry, namespaces, ...}")]


@pytest.mark.parametrize(
    ("change", "where", "expected"),
    [
        ({"name": None}, ".name", NAME_FORM),
        ({"name": "Upper"}, ".name", NAME_FORM),
        ({"name": 1}, ".name", NAME_FORM),
        ({"name": SECRET_NAME}, ".name", NAME_FORM),
        ({"shape": None}, ".shape", SHAPE_FORM),
        ({"shape": "argocd"}, ".shape", SHAPE_FORM),
        ({"shape": ["cdi"]}, ".shape", SHAPE_FORM),
        ({"registry": None}, ".registry", FORM),
        ({"registry": 1}, ".registry", FORM),
        ({"registry": f"https://{EU}"}, ".registry", f'only the host, in lower case: "{EU}"'),
        ({"path": "charts"}, ".path", PATH_FORM),
        ({"path": "/charts", "shape": "argocd-repository"}, ".path", PATH_FORM),
        ({"path": "a" * 257, "shape": "argocd-repository"}, ".path", PATH_FORM),
        ({"path": 7, "shape": "argocd-repository"}, ".path", PATH_FORM),
        ({"namespaces": "Team"}, ".namespaces", "a list of names, in which * stands for anything"),
        ({"extra": 1}, ".extra", "one of name, namespaceSelector, namespaces, path, registry, shape"),
    ],
)
def test_each_problem_names_the_key_and_what_is_expected(change: dict[str, Any], where: str, expected: str) -> None:
    """Nothing else is reported of a good entry with one bad key."""
    _, problems = parsed([{**GOOD, **change}])
    assert problems == [(f"[0]{where}", expected)]


def test_an_entry_selects_namespaces_explicitly() -> None:
    """Without a matcher it would be for nobody, or for everybody: it is not guessed."""
    (found,), problems = parsed([{key: value for key, value in GOOD.items() if key != "namespaces"}])
    assert problems == [("[0]", MATCHER_FORM)]
    assert found.namespaces == Matcher()


def test_an_empty_list_of_namespaces_is_how_an_entry_leaves() -> None:
    """What it has written is deleted before it is taken out."""
    (found,), problems = parsed([{**GOOD, "namespaces": []}])
    assert (found.namespaces, problems) == (NO_NAMESPACE, [])


@pytest.mark.parametrize(
    ("value", "first"),
    [("x", [("[0]", "a mapping with name, namespaceSelector, namespaces, path, registry, shape")]), ({}, [])],
)
def test_all_that_an_empty_entry_lacks_is_said(value: object, first: list[tuple[str, str]]) -> None:
    """After what it should be, if it is no mapping."""
    found, problems = parsed([value])
    assert found == ()
    lacks = [(".name", NAME_FORM), (".shape", SHAPE_FORM), (".registry", FORM), ("", MATCHER_FORM)]
    assert problems == [*first, *((f"[0]{where}", expected) for where, expected in lacks)]


def test_names_are_different() -> None:
    """Two shapes cannot be in one Secret."""
    found, problems = parsed([GOOD, {**GOOD, "shape": "cdi"}])
    assert problems == [("[1].name", NAME_FORM)]
    assert len(found) == 2


def test_it_is_a_setting() -> None:
    """With the pull Secret's name as it is set, or by default."""
    assert parse_settings({"additionalSecrets": [GOOD]}, {}).additional_secrets == parsed([GOOD])[0]
    for document in ({"secretName": "argocd-ecr"}, {}):
        name = document.get("secretName", "ecr-pull-secret")
        with pytest.raises(InvalidInputError) as raised:
            parse_settings({**document, "additionalSecrets": [{**GOOD, "name": name}]}, {})
        assert [each.where for each in raised.value.problems] == ["additionalSecrets[0].name"]


def test_each_name_needs_the_rights_of_the_pull_secrets_name() -> None:
    """And no other rights."""
    settings = Settings(additional_secrets=parsed([GOOD])[0])
    more = set(required_rules(settings)) - set(required_rules(Settings()))
    assert {(rule.resource, rule.name, rule.namespace) for rule in more} == {("secrets", "argocd-ecr", "")}
    assert {rule.verb for rule in more} == {"get", "list", "watch", "create", "patch", "delete"}


def test_it_is_for_one_of_the_registries_of_the_pull_secret() -> None:
    """As the same identity, and never for another registry."""
    namespace = ObservedNamespace(
        name="a", resource_version=1, annotations={"enabled": "true", "registries": f"{EU},{US}"}
    )
    desired = desired_state(namespace, Policy())
    assert desired is not None
    limited = desired.limited_to(EU)
    assert limited is not None
    assert limited.identities == {EU: desired.identities[EU]}
    assert desired.limited_to(PUBLIC) is None


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ("x", '"x"'),
        ([{**GOOD, "name": "Upper"}], '"Upper"'),
        ([{**GOOD, "name": 1}], "1"),
        ([{**GOOD, "shape": "argocd"}], '"argocd"'),
        ([{**GOOD, "registry": "x"}], '"x"'),
        ([{**GOOD, "registry": 1}], "1"),
        ([{**GOOD, "path": "charts"}], '"charts"'),
        ([{**GOOD, "namespaces": "Team"}], '"Team"'),
    ],
)
def test_a_problem_shows_what_was_found(document: object, found: str) -> None:
    """As it was written."""
    parser = AdditionalSecretsParser()
    parser.additional_secrets(document, SECRET_NAME)
    assert [problem.found for problem in parser.problems] == [found]


def test_as_many_as_are_allowed_are_taken() -> None:
    """And a path of as many characters."""
    many = [{**GOOD, "name": f"x{number}"} for number in range(MAX_ADDITIONAL_SECRETS)]
    found, problems = parsed(many)
    assert (len(found), problems) == (MAX_ADDITIONAL_SECRETS, [])
    (one,), problems = parsed([{**GOOD, "path": "a" * 256, "shape": "argocd-repository"}])
    assert (one.path, problems) == ("a" * 256, [])


@pytest.mark.parametrize("key", ["name", "shape", "registry"])
def test_an_entry_without_one_of_its_parts_is_left_out(key: str) -> None:
    """Nothing can be made of the others; one whose path is wrong has none."""
    assert parsed([{**GOOD, key: None}])[0] == ()
    (one,), _ = parsed([{**GOOD, "path": "charts"}])
    assert one.path == ""
