"""Users of the contract: ServiceAccounts, their tokens and what RBAC lets them do."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from testsupport.rest import RestClient
from testsupport.waiting import until


async def token_of(api: RestClient, namespace: str, account: str, **spec: Any) -> str:
    """Request a token for the ServiceAccount."""
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    return str((await api.post(path, body)).ok()["status"]["token"])


async def grant(api: RestClient, user: RestClient, namespace: str, account: str, rule: Mapping[str, Any]) -> None:
    """Give the ServiceAccount a ClusterRole with the rule, and wait until the authorizer knows."""
    role = f"contract-{secrets.token_hex(4)}"
    group = "rbac.authorization.k8s.io"
    path = f"/apis/{group}/v1"
    kind = {"apiVersion": f"{group}/v1", "metadata": {"name": role}}
    (await api.post(f"{path}/clusterroles", {**kind, "kind": "ClusterRole", "rules": [rule]})).ok()
    binding = {
        **kind,
        "kind": "ClusterRoleBinding",
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
    }
    (await api.post(f"{path}/clusterrolebindings", binding)).ok()
    await until(lambda: may(user, **_first_attributes(rule)), f"the authorizer to know {role}")


async def grant_within(
    api: RestClient, user: RestClient, namespace: str, account: str, rules: Sequence[Mapping[str, Any]]
) -> None:
    """Give the ServiceAccount a Role in its namespace, and wait until the authorizer knows."""
    role = f"contract-{secrets.token_hex(4)}"
    group = "rbac.authorization.k8s.io"
    path = f"/apis/{group}/v1/namespaces/{namespace}"
    (await api.post(f"{path}/roles", {"metadata": {"name": role}, "rules": list(rules)})).ok()
    binding = {
        "metadata": {"name": role},
        "roleRef": {"apiGroup": group, "kind": "Role", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
    }
    (await api.post(f"{path}/rolebindings", binding)).ok()
    attributes = {**_first_attributes(rules[-1]), "namespace": namespace}
    await until(lambda: may(user, **attributes), f"the authorizer to know {role}")


async def may(user: RestClient, **attributes: str) -> bool:
    """Ask the server whether the user may do this (resourceAttributes of a SelfSubjectAccessReview)."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    answer = await user.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
    return bool(answer.ok()["status"]["allowed"])


def _first_attributes(rule: Mapping[str, Any]) -> dict[str, str]:
    resource, _, subresource = rule["resources"][0].partition("/")
    attributes = {"verb": rule["verbs"][0], "group": rule["apiGroups"][0], "resource": resource}
    if subresource:
        attributes["subresource"] = subresource
    if names := rule.get("resourceNames"):
        attributes["name"] = names[0]
    return attributes
