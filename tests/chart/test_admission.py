"""Which admission policies the chart renders, and what they may not contain."""

import re
from collections.abc import Mapping
from typing import Any

import pytest

from testsupport.helm import CI_VALUES, RELEASE, Helms, ci_values, with_role

GROUP = "admissionregistration.k8s.io"
V1 = f"{GROUP}/v1/MutatingAdmissionPolicy"
BETA = f"{GROUP}/v1beta1/MutatingAdmissionPolicy"
EVERYTHING = (V1, BETA, f"{GROUP}/v1/ValidatingAdmissionPolicy")
REFUSAL = (
    "admission.injection: found true, expected auto or false, because the API server serves no "
    "MutatingAdmissionPolicy (Kubernetes 1.36, or 1.34 with the beta turned on)"
)
IN_TWO: dict[str, Any] = {"watchNamespaces": ["a", "b"]}


def _with(injection: object, **settings: object) -> dict[str, Any]:
    return with_role(admission={"injection": injection}, settings=settings)


@pytest.mark.parametrize(
    ("injection", "served", "expected"),
    [
        pytest.param("auto", (V1, BETA), "v1", id="served"),
        pytest.param("auto", (BETA,), "", id="only the beta"),
        pytest.param(True, (V1, BETA), "v1", id="wanted"),
        pytest.param(True, (BETA,), "v1beta1", id="wanted where only the beta is served"),
        pytest.param(False, (V1, BETA), "", id="not wanted"),
    ],
)
def test_the_injection_is_rendered_where_it_is_served(
    helms: Helms, injection: object, served: tuple[str, ...], expected: str
) -> None:
    """In the newest version, with a binding of the same name; and the settings say so, without a restart."""
    rendering, without = (helms.render(_with(wanted), served=served) for wanted in (injection, False))
    kinds = ("MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding")
    found = [(each["apiVersion"], each["metadata"]["name"]) for kind in kinds for each in rendering.all(kind)]
    assert found == ([(f"{GROUP}/{expected}", f"{RELEASE}-injection")] * 2 if expected else [])
    assert rendering.settings["podInjection"] == bool(expected)
    assert rendering.one("Deployment")["spec"]["template"] == without.one("Deployment")["spec"]["template"]


def test_an_injection_that_nothing_serves_is_refused(helms: Helms) -> None:
    """By Helm 3, which knows no MutatingAdmissionPolicy unless the cluster serves it or it is told so."""
    assert helms.template(with_role(admission={"injection": True}))["helm3"].lines == [REFUSAL]


def test_no_policy_is_rendered_for_single_namespaces(helms: Helms) -> None:
    """They are cluster-scoped, as the ClusterRole is that the namespaced mode does without."""
    rendering = helms.render(_with("auto", **IN_TWO), served=EVERYTHING)
    assert not [each["kind"] for each in rendering.objects if "AdmissionPolicy" in each["kind"]]
    assert rendering.settings["podInjection"] is False


VALUES: Mapping[str, Mapping[str, Any]] = {
    **{path.stem: ci_values(path) for path in CI_VALUES},
    "all": with_role(
        admission={"injection": True, "validation": "Deny", "fence": True},
        settings={
            "optIn": {
                "namespaces": ["a", "b-*"],
                "namespaceSelector": {
                    "matchLabels": {"x": "y"},
                    "matchExpressions": [{"key": "z", "operator": "NotIn", "values": ["1", "2"]}],
                },
                "exclude": ["*-c"],
            },
            "registries": ["public.ecr.aws"],
            "excludedNamespaces": ["kube-*", "admin"],
        },
    ),
}


@pytest.mark.parametrize("name", VALUES)
def test_no_policy_has_an_object_literal_within_a_list(helms: Helms, name: str) -> None:
    """It makes the API server panic at each request that it is evaluated for (kubernetes 142181); nor anywhere else."""
    rendering = helms.render(VALUES[name], served=EVERYTHING)
    policies = [each for each in rendering.objects if each["kind"].endswith("AdmissionPolicy")]
    assert bool(policies) != ("watchNamespaces" in str(VALUES[name]))
    assert not [text for each in policies for text in _texts(each) if re.search(r"\bObject\s*[.{]", text)]


@pytest.mark.parametrize("text", ["[Object{}]", "[Object.spec.imagePullSecrets{name: 'x'}]", "Object {a: 1}"])
def test_an_object_literal_would_be_found(text: str) -> None:
    """The pattern above is no weaker than the trap."""
    assert re.search(r"\bObject\s*[.{]", text)


def _texts(value: Any) -> list[str]:
    """Return every text in an object."""
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return [text for each in inner for text in _texts(each)]


def test_the_injection_can_refuse_nothing_and_touches_new_pods_only(helms: Helms) -> None:
    """Whatever goes wrong in it, the pod is created as it was asked for."""
    spec = helms.render(_with("auto"), served=(V1,)).one("MutatingAdmissionPolicy")["spec"]
    assert (spec["failurePolicy"], spec["reinvocationPolicy"]) == ("Ignore", "IfNeeded")
    assert spec["matchConstraints"]["resourceRules"] == [
        {
            "apiGroups": [""],
            "apiVersions": ["v1"],
            "operations": ["CREATE"],
            "resources": ["pods"],
            "scope": "Namespaced",
        }
    ]
    (mutation,) = spec["mutations"]
    assert re.findall(r'path: "([^"]+)"', mutation["jsonPatch"]["expression"]) == [
        "/spec/imagePullSecrets/-",
        "/spec/imagePullSecrets",
    ]


@pytest.mark.parametrize(
    ("excluded", "names"),
    [
        pytest.param(["kube-system", "a", "b-*"], ["kube-system", "a"], id="names and patterns"),
        pytest.param(None, ["kube-system"], id="the default of the controller"),
        pytest.param([], None, id="none"),
        pytest.param(["*"], None, id="patterns alone"),
    ],
)
def test_names_that_are_excluded_are_left_out_by_the_selector(
    helms: Helms, excluded: list[str] | None, names: list[str] | None
) -> None:
    """So that the policy is not even evaluated there; patterns are for CEL."""
    values = _with("auto", excludedNamespaces=excluded)
    constraints = helms.render(values, served=(V1,)).one("MutatingAdmissionPolicy")["spec"]["matchConstraints"]
    expressions = constraints.get("namespaceSelector", {}).get("matchExpressions", [])
    expected = {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": names}
    assert expressions == ([expected] if names else [])
