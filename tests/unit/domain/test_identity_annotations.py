"""The identity that a namespace requests, and the fallback if it is not allowed."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from pullkeeper.domain.config.policy import ANYBODY, NOBODY, Matcher, Policy, RoleGrant
from pullkeeper.domain.ecr.registry_host import RegistryHost, parse
from pullkeeper.domain.errors.failures import FailureError, Reason
from pullkeeper.domain.errors.validation import InvalidInputError, Problem
from pullkeeper.domain.iam.identity import CONTROLLER, Identity, Session, role, service_account
from pullkeeper.domain.iam.role_arn import FORM
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.namespace.opt_in import OptIn
from pullkeeper.domain.secret.desired_state import DesiredState, desired_state
from testsupport.examples import EU, PUBLIC, US, wanted

ROLE = "arn:aws:iam::123456789012:role/blue"
CHINA = parse("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn")
ALL = Policy(registries=(EU,), roles=(RoleGrant(role=ROLE),), service_accounts=ANYBODY)
PATTERN = Policy(registries=(EU,), roles=(RoleGrant(role="arn:*"),))
ON = {"enabled": "true"}
ACCOUNT_FORM = "the name of a ServiceAccount of this namespace"


def namespace(annotations: Mapping[str, str], name: str = "team-a", **labels: str) -> ObservedNamespace:
    return ObservedNamespace(name=name, resource_version=1, annotations=annotations, labels=labels)


def problem(key: str, found: str, expected: str) -> Problem:
    return Problem(where=f"pullkeeper.dev/{key}", found=found, expected=expected)


def problems(annotations: Mapping[str, str], policy: Policy = ALL) -> tuple[Problem, ...]:
    with pytest.raises(InvalidInputError) as raised:
        desired_state(namespace({**ON, **annotations}), policy)
    return raised.value.problems


@pytest.mark.parametrize(
    ("annotations", "identity"),
    [
        ({}, CONTROLLER),
        ({"role-arn": ROLE}, role(ROLE, Session(name="pullkeeper-kubernetes"))),
        ({"service-account-name": "puller"}, service_account("team-a", "puller")),
        ({"service-account-name": "my.puller-1"}, service_account("team-a", "my.puller-1")),
    ],
)
def test_identity_of_a_namespace(annotations: Mapping[str, str], identity: Identity) -> None:
    """The controller's without an annotation, else the named role or ServiceAccount of its own."""
    assert desired_state(namespace({**ON, **annotations}), ALL) == wanted(EU, identity=identity)


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({"role-arn": ""}, problem("role-arn", '""', FORM)),
        ({"role-arn": "blue"}, problem("role-arn", '"blue"', FORM)),
        ({"role-arn": " \n"}, problem("role-arn", '" \\n"', FORM)),
        ({"role-arn": f"{ROLE} x"}, problem("role-arn", f'"{ROLE} x"', FORM)),
        ({"role-arn": "\n".join([ROLE] * 21)}, problem("role-arn", "21 roles", "at most 20")),
        ({"service-account-name": ""}, problem("service-account-name", '""', ACCOUNT_FORM)),
        ({"service-account-name": "A"}, problem("service-account-name", '"A"', ACCOUNT_FORM)),
        ({"service-account-name": "a/b"}, problem("service-account-name", '"a/b"', ACCOUNT_FORM)),
        ({"service-account-name": ".."}, problem("service-account-name", '".."', ACCOUNT_FORM)),
        ({"service-account-name": "a\n"}, problem("service-account-name", '"a\\n"', ACCOUNT_FORM)),
        (
            {"role-arn": ROLE, "service-account-name": "puller"},
            problem("role-arn", "pullkeeper.dev/service-account-name beside it", "one of the two"),
        ),
    ],
)
def test_invalid_identity_is_a_problem(annotations: Mapping[str, str], expected: Problem) -> None:
    """It is reported with the expected form; so are two identities at once."""
    assert problems(annotations) == (expected,)


@pytest.mark.parametrize(
    ("role", "hosts", "wrong"),
    [
        ("aws", (EU, US, PUBLIC), None),
        ("aws-cn", (CHINA,), None),
        ("aws", (EU, CHINA), CHINA),
        ("aws-cn", (CHINA, PUBLIC, EU), PUBLIC),
        ("aws-us-gov", (EU,), EU),
    ],
)
def test_role_of_another_partition_is_a_problem_that_names_the_first_host(
    role: str, hosts: tuple[RegistryHost, ...], wrong: RegistryHost | None
) -> None:
    """Credentials are not valid across partitions, so STS is not even called. The first in the order written."""
    asked = {"role-arn": f"arn:{role}:iam::123456789012:role/x", "registries": ",".join(map(str, hosts))}
    if wrong:
        expected = f"one of {wrong.partition}, the partition of {wrong}: credentials are not valid across partitions"
        assert problems(asked, PATTERN) == (problem("role-arn", f"a role of the partition {role}", expected),)
    else:
        assert desired_state(namespace({**ON, **asked}), PATTERN) is not None


def test_problems_of_identity_and_registries_are_reported_together() -> None:
    """Several mistakes can be fixed at once."""
    found = problems({"role-arn": "x", "registries": "docker.io", "zone": "y"})
    assert [each.where.partition("/")[2] for each in found] == ["zone", "registries", "role-arn"]


OPT_IN = Policy(registries=(EU,), opt_in=Matcher(names=("team-*",)), opt_in_exclude=Matcher(names=("team-x",)))
BY_SETTINGS = wanted(EU, opted_in_by=OptIn.SETTINGS)


@pytest.mark.parametrize(
    ("name", "annotations", "expected"),
    [
        ("team-a", {}, BY_SETTINGS),
        ("team-a", {"registries": str(US)}, wanted(US, opted_in_by=OptIn.SETTINGS)),
        ("team-a", {"refresh-requested-at": "1"}, replace(BY_SETTINGS, refresh_requested_at="1")),
        ("team-a", {"enabled": "true"}, wanted(EU)),
        ("team-a", {"enabled": "false"}, None),
        ("team-a", {"enabled": "false", "role-arn": "nonsense"}, None),
        ("team-x", {}, None),
        ("team-x", {"registries": str(US)}, None),
        ("team-x", {"enabled": "true"}, wanted(EU)),
        ("other", {}, None),
    ],
)
def test_settings_opt_namespaces_in(name: str, annotations: Mapping[str, str], expected: DesiredState | None) -> None:
    """A namespace's own annotations add to that, and its own `enabled` takes precedence."""
    assert desired_state(namespace(annotations, name), OPT_IN) == expected


def test_mistakes_of_an_opted_in_namespace_are_reported() -> None:
    """Also if the settings opted it in."""
    with pytest.raises(InvalidInputError, match="docker"):
        desired_state(namespace({"registries": "docker.io"}), OPT_IN)


@pytest.mark.parametrize(
    ("annotations", "policy", "words"),
    [
        ({"role-arn": ROLE}, Policy(registries=(EU,)), f"use the role {ROLE}: "),
        ({"service-account-name": "a"}, Policy(registries=(EU,)), "use its ServiceAccount a: "),
        ({}, Policy(registries=(EU,), controller_identity=NOBODY), "use the controller's own identity: "),
    ],
)
def test_identity_that_is_not_allowed_is_refused(annotations: Mapping[str, str], policy: Policy, words: str) -> None:
    """A valid annotation that the policy does not allow is RoleNotAllowed, not an invalid one."""
    with pytest.raises(FailureError, match=words) as raised:
        desired_state(namespace({**ON, **annotations}), policy)
    assert raised.value.failure.reason is Reason.ROLE_NOT_ALLOWED


def test_content_of_a_namespace() -> None:
    """Another version with the same annotations, labels and deletion state is no change."""
    observed = ObservedNamespace(name="team-a", resource_version=1, annotations={"enabled": "true"}, labels={"a": "b"})
    assert observed.content == replace(observed, resource_version=2).content
    changes: list[dict[str, Any]] = [{"annotations": {}}, {"labels": {}}, {"terminating": True}]
    assert all(replace(observed, **change).content != observed.content for change in changes)


@pytest.mark.parametrize(
    ("annotations", "opted_out"), [({"enabled": "false"}, True), ({"enabled": "no"}, False), ({}, False)]
)
def test_only_the_value_false_opts_a_namespace_out(annotations: Mapping[str, str], *, opted_out: bool) -> None:
    """Any other value is invalid, and a namespace without the annotation may be opted in by the settings."""
    observed = ObservedNamespace(name="team-a", resource_version=1, annotations=annotations)
    assert observed.opted_out == opted_out
