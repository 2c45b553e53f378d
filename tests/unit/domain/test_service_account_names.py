"""ServiceAccounts to attach the pull Secret to, from annotations and settings."""

import pytest

from pullkeeper.domain.config.policy import Policy
from pullkeeper.domain.config.settings import Settings, parse_settings
from pullkeeper.domain.errors.failures import Reason
from pullkeeper.domain.errors.validation import InvalidInputError, Problem
from pullkeeper.domain.kube.annotation_lists import MAX_PARTS
from pullkeeper.domain.namespace import service_account_names
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.namespace.service_account_names import FORM, NO_SERVICE_ACCOUNTS, ServiceAccountNames
from pullkeeper.domain.secret.desired_state import desired_state, ignored_annotations
from testsupport.examples import EU

EVERY = ServiceAccountNames(every=True)
KEY = "attach-to-service-accounts"
PRESET = ServiceAccountNames(names=frozenset({"preset"}))


def named(*names: str) -> ServiceAccountNames:
    return ServiceAccountNames(names=frozenset(names))


def view(value: str | None, **others: str) -> ObservedNamespace:
    annotations = {"enabled": "true", **others} | ({} if value is None else {KEY: value})
    return ObservedNamespace(name="team-a", resource_version=1, annotations=annotations)


def wanted(value: str | None, *, preset: ServiceAccountNames = NO_SERVICE_ACCOUNTS) -> ServiceAccountNames:
    desired = desired_state(view(value), Policy(registries=(EU,), attach_to=preset))
    assert desired is not None
    return desired.service_accounts


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("default", named("default")),
        ("default,builder", named("default", "builder")),
        (" default ,\n my.builder-1\n", named("default", "my.builder-1")),
        ("a,a,,a", named("a")),
        ("*", EVERY),
        (" *\n", EVERY),
        ("*,*", EVERY),
        ("", NO_SERVICE_ACCOUNTS),
        (" ,\n", NO_SERVICE_ACCOUNTS),
        ("a" * 253, named("a" * 253)),
    ],
)
def test_the_annotation_names_service_accounts(value: str, expected: ServiceAccountNames) -> None:
    """Separated by commas or newlines, or `*` for all; an empty value overrides the default with none."""
    assert wanted(value, preset=PRESET) == expected


@pytest.mark.parametrize(
    ("names", "default", "builder", "any_at_all"),
    [(NO_SERVICE_ACCOUNTS, False, False, False), (named("builder"), False, True, True), (EVERY, True, True, True)],
)
def test_membership(names: ServiceAccountNames, default: bool, builder: bool, any_at_all: bool) -> None:  # noqa: FBT001 -- a table's columns
    """Named ServiceAccounts, or all."""
    assert ("default" in names, "builder" in names, bool(names)) == (default, builder, any_at_all)


def test_without_annotation_the_settings_apply() -> None:
    """The settings hold the default."""
    assert wanted(None, preset=PRESET) == PRESET
    assert wanted(None) == NO_SERVICE_ACCOUNTS


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        ("Default", ['"Default"']),
        ("a,B,c_d,ok", ['"B"', '"c_d"']),
        ("*,default", ['"*"']),
        ("team-*", ['"team-*"']),
        ("a b", ['"a b"']),
        ("../x", ['"../x"']),
        ("-a,a-", ['"-a"', '"a-"']),
        ("a" * 254, [f'"{"a" * 118}…']),
    ],
)
def test_each_invalid_name_is_a_problem(value: str, wrong: list[str]) -> None:
    """One by one, with the expected form."""
    with pytest.raises(InvalidInputError) as raised:
        wanted(value)
    expected = [Problem(where=f"pullkeeper.dev/{KEY}", found=found, expected=FORM) for found in wrong]
    assert list(raised.value.problems) == expected


@pytest.mark.parametrize(
    ("value", "told"),
    [("default", True), ("", True), (None, False)],
)
def test_an_ignored_annotation_is_a_failure_that_names_the_setting(value: str | None, told: bool) -> None:  # noqa: FBT001 -- a table's column
    """Where attachment is off."""
    found = ignored_annotations(view(value))
    assert [failure.reason for failure in found] == [Reason.INVALID_ANNOTATION] * told
    for failure in found:
        assert failure.message.startswith(f"namespace/team-a: pullkeeper.dev/{KEY} has no effect")
        assert failure.message.endswith("in the settings with `serviceAccountAttachment: true`")


@pytest.mark.parametrize("value", [["default", "builder"], "default, builder"])
def test_the_settings_name_service_accounts(value: object) -> None:
    """As a list or as comma-separated text."""
    settings = parse_settings({"serviceAccountAttachment": True, "attachToServiceAccounts": value}, {})
    policy = Policy(attach_to=named("default", "builder"))
    assert settings == Settings(service_account_attachment=True, policy=policy)


@pytest.mark.parametrize("value", ["*", ["*"]])
def test_the_settings_name_all_service_accounts(value: object) -> None:
    """By `*` alone."""
    settings = parse_settings({"attachToServiceAccounts": value}, {"PULLKEEPER_SERVICE_ACCOUNT_ATTACHMENT": "true"})
    assert settings.policy.attach_to == EVERY


def test_names_while_attachment_is_off_are_a_problem() -> None:
    """They would have no effect."""
    with pytest.raises(InvalidInputError) as raised:
        parse_settings({"attachToServiceAccounts": ["default"]}, {})
    (problem,) = raised.value.problems
    assert problem.where == "attachToServiceAccounts"
    assert problem.expected.startswith("serviceAccountAttachment: true (and the RBAC rules")


def test_as_many_parts_are_parsed_as_are_allowed() -> None:
    """Of one more the number is all that is found."""
    assert service_account_names.parse(["a", *[""] * (MAX_PARTS - 1)]) == (named("a"), [])
    assert service_account_names.parse(["a", *[""] * MAX_PARTS]) == (NO_SERVICE_ACCOUNTS, [f"{MAX_PARTS + 1} parts"])
