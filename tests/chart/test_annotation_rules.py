"""The policy that judges annotations: its rules are the controller's, and it is rendered where it is served."""

from typing import Any

import pytest

from testsupport.helm import Helms, with_role
from tools import admission_policies

V1 = "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy"
NAME = "pullkeeper-validation"


def test_the_chart_has_the_current_rules() -> None:
    """`make chart-docs` updates them."""
    assert admission_policies.RULES.read_text() == admission_policies.rules()
    assert admission_policies.PATTERNS.read_text() == admission_policies.patterns()
    assert admission_policies.SHAPES.read_text() == admission_policies.shapes()


@pytest.mark.parametrize(
    ("validation", "served", "actions"),
    [
        ("Warn", (V1,), [["Warn"]]),
        ("Deny", (V1,), [["Deny"]]),
        ("off", (V1,), []),
        (False, (V1,), []),
    ],
)
def test_it_is_rendered_as_asked_for(helms: Helms, validation: object, served: tuple[str, ...], actions: Any) -> None:
    """And never in the way of a request by failing."""
    rendering = helms.render(with_role(admission={"validation": validation}), served=served)
    named = [each for each in rendering.objects if each["metadata"]["name"] == NAME]
    bindings = [each for each in named if each["kind"] == "ValidatingAdmissionPolicyBinding"]
    policies = [each for each in named if each["kind"] == "ValidatingAdmissionPolicy"]
    assert [each["spec"]["validationActions"] for each in bindings] == actions
    assert [each["spec"]["failurePolicy"] for each in policies] == ["Ignore"] * len(actions)


def test_single_namespaces_have_no_such_policy(helms: Helms) -> None:
    """It is cluster-scoped: `Warn` is not rendered, `Deny` is refused."""
    settings = {"watchNamespaces": ["a"]}
    rendering = helms.render(with_role(settings=settings), served=(V1,))
    assert NAME not in [each["metadata"]["name"] for each in rendering.objects]
    answers = helms.template(with_role(settings=settings, admission={"validation": "Deny"}), served=(V1,))
    (line,) = answers["helm3"].lines
    assert line.startswith('admission.validation: found "Deny", expected Warn or "off", because a policy is cluster-')
