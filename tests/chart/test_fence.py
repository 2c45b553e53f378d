"""The admission fence as the chart renders it: for whom, on what, and where."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from testsupport.helm import NAMESPACE, RELEASE, Helms, Object, Rendering, with_role

SERVED = ("admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy",)
USER = f"system:serviceaccount:{NAMESPACE}:{RELEASE}"
KINDS = ("events", "lease", "secrets", "service-accounts", "tokens")
EVERY_FEATURE: Mapping[str, Any] = {
    "settings": {
        "serviceAccountAttachment": True,
        "serviceAccountIdentity": {"namespaces": ["team-*"]},
        "additionalSecrets": [
            {"name": "argocd", "shape": "argocd-repo-creds", "registry": "public.ecr.aws", "namespaces": ["argocd"]}
        ],
    },
    "rbac": {"serviceAccountIdentity": {"names": ["puller"]}, "previousSecretNames": ["old"]},
}
WRITES = {"create", "update", "patch", "delete", "deletecollection"}


def _policies(rendering: Rendering) -> list[Object]:
    found = rendering.all("ValidatingAdmissionPolicy")
    return [each for each in found if each["metadata"]["name"].startswith(f"{RELEASE}-fence-")]


def _expressions(rendering: Rendering) -> str:
    specs = (each["spec"] for each in _policies(rendering))
    return "\n".join(
        each["expression"] for spec in specs for each in (*spec.get("variables", ()), *spec["validations"])
    )


@pytest.mark.parametrize(
    ("fence", "served", "rendered"),
    [("auto", SERVED, True), ("auto", (), False), (True, SERVED, True), (False, SERVED, False)],
)
def test_the_fence_is_rendered_where_it_is_served(
    helms: Helms, fence: object, served: tuple[str, ...], *, rendered: bool
) -> None:
    """Each policy with its binding, which denies; the settings say so, and no pod restarts for it."""
    rendering, without = (
        helms.render(with_role(admission={"fence": wanted}), served=served) for wanted in (fence, False)
    )
    names = {f"{RELEASE}-fence-{kind}" for kind in KINDS} if rendered else set()
    assert {each["metadata"]["name"] for each in _policies(rendering)} == names
    bindings = {
        each["metadata"]["name"]: each["spec"]
        for each in rendering.all("ValidatingAdmissionPolicyBinding")
        if each["metadata"]["name"].startswith(f"{RELEASE}-fence-")
    }
    assert bindings == {name: {"policyName": name, "validationActions": ["Deny"]} for name in names}
    assert rendering.settings["admissionFence"] is rendered
    assert rendering.one("Deployment")["spec"]["template"] == without.one("Deployment")["spec"]["template"]


def test_a_fence_that_nothing_serves_is_refused(helms: Helms) -> None:
    """Whoever asks for it must not be without it unknowingly."""
    line = (
        "admission.fence: found true, expected auto or false, because the API server serves no "
        "ValidatingAdmissionPolicy in v1 (Kubernetes 1.30); without a cluster, name it in --api-versions"
    )
    found = helms.template(with_role(admission={"fence": True}))
    assert {name: answer.lines for name, answer in found.items()} == {"helm3": [line], "helm4": [line]}


def test_the_fence_can_refuse_nobody_but_the_controller(helms: Helms) -> None:
    """Its one condition cannot fail for others, which `failurePolicy: Fail` would refuse."""
    values = with_role(namespaceOverride="platform", serviceAccount={"name": "keeper"})
    for policy in _policies(helms.render(values, served=SERVED)):
        spec = policy["spec"]
        assert spec["failurePolicy"] == "Fail"
        (condition,) = spec["matchConditions"]
        expected = 'request.userInfo.username in ["system:serviceaccount:platform:keeper"]'
        assert condition["expression"] == expected


def test_every_right_to_write_is_fenced(helms: Helms) -> None:
    """Whatever RBAC lets the controller create, change or delete meets a policy."""
    rendering = helms.render(with_role(**EVERY_FEATURE), served=SERVED)
    rules = [rule for kind in ("Role", "ClusterRole") for each in rendering.all(kind) for rule in each["rules"]]
    written = {
        (group, resource)
        for rule in rules
        if WRITES & set(rule["verbs"])
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    fenced = {
        (group, resource)
        for policy in _policies(rendering)
        for rule in policy["spec"]["matchConstraints"]["resourceRules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    assert len(written) == len(KINDS)
    assert written == fenced


def test_the_fence_knows_the_names_that_rbac_grants(helms: Helms) -> None:
    """Those of before too, and the ServiceAccounts whose tokens are requested."""
    text = _expressions(helms.render(with_role(**EVERY_FEATURE), served=SERVED))
    assert 'variables.name in ["ecr-pull-secret","old","argocd"]' in text
    assert 'variables.mark in ["","ecr-pull-secret","old"]' in text
    assert 'request.name in ["puller"]' in text
    assert 'namespaceObject.metadata.name.matches("^(?:team-.*)$")' in text
    assert 'object.spec.audiences[0] in ["sts.amazonaws.com"]' in text


def test_names_of_kept_roles_are_of_pull_secrets_unless_they_are_additional(helms: Helms, parent: Path) -> None:
    """An upgrade finds both in the Role of before; a template of a parent chart says here what it finds."""
    rule = {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["before", "argocd"], "verbs": ["patch"]}
    subject = {"kind": "ServiceAccount", "namespace": "default", "name": "x-pullkeeper"}
    kept = {"kind": "ClusterRole", "namespace": "", "name": "previous", "rules": [rule], "subjects": [subject]}
    template = parent / "templates" / "_kept.tpl"
    template.parent.mkdir()
    template.write_text(f'{{{{ define "pullkeeper.rolesToKeep" }}}}{json.dumps([kept])}{{{{ end }}}}')
    values = {"pullkeeper": with_role(enabled=True, **EVERY_FEATURE), "canary": {"enabled": False}}
    text = json.dumps(helms.render_folder(parent, values, served=SERVED)).replace('\\"', '"')
    assert 'variables.name in ["ecr-pull-secret","old","before","argocd"]' in text
    assert 'variables.mark in ["","ecr-pull-secret","old","before"]' in text


def test_every_service_account_is_every_one(helms: Helms) -> None:
    """In the namespaces that are selected, and for the audiences that are named."""
    settings = {"serviceAccountIdentity": {"namespaces": ["a"], "audiences": ["sts.amazonaws.com.cn"]}}
    rbac = {"serviceAccountIdentity": {"names": ["*"]}}
    text = _expressions(helms.render(with_role(settings=settings, rbac=rbac), served=SERVED))
    assert "request.name in" not in text
    assert 'object.spec.audiences[0] in ["sts.amazonaws.com.cn"]' in text


def test_no_token_is_requested_where_none_is_needed(helms: Helms) -> None:
    """Without `serviceAccountIdentity` the fence leaves no ServiceAccount."""
    text = _expressions(helms.render(with_role(), served=SERVED))
    assert "request.name in []" in text
    assert '!request.namespace.matches("^(?:kube-system)$") && false' in text


def test_what_webhooks_add_can_be_tolerated(helms: Helms) -> None:
    """Else the fence would refuse the controller what a webhook of the cluster made of its request."""
    values = with_role(admission={"toleratedMetadata": ["example.com/cost-center"]})
    text = _expressions(helms.render(values, served=SERVED))
    assert text.count('|| key in ["example.com/cost-center"]') >= 2 * len(KINDS) - 2
