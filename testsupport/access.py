"""ServiceAccounts as users of the API: their tokens, and what RBAC lets them do."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from testsupport.rest import RestClient
from testsupport.waiting import until

_RBAC = "/apis/rbac.authorization.k8s.io/v1"


async def token_of(api: RestClient, namespace: str, account: str, **spec: Any) -> str:
    """Request a token for the ServiceAccount."""
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    return str((await api.post(path, body)).ok()["status"]["token"])


def rule(resource: str, *verbs: str, name: str = "", group: str = "") -> dict[str, Any]:
    """Return an RBAC rule for one resource, bound to one object's name if it is given."""
    names = {"resourceNames": [name]} if name else {}
    return {"apiGroups": [group], "resources": [resource], "verbs": list(verbs), **names}


async def create_role(
    api: RestClient,
    name: str,
    rules: Sequence[Mapping[str, Any]],
    *,
    account: str,
    account_namespace: str,
    namespace: str = "",
) -> None:
    """Create a Role in the namespace, or without one a ClusterRole, and bind it to a ServiceAccount."""
    path = f"{_RBAC}/namespaces/{namespace}/" if namespace else f"{_RBAC}/cluster"
    kind = "Role" if namespace else "ClusterRole"
    (await api.post(f"{path}roles", {"metadata": {"name": name}, "rules": list(rules)})).ok()
    binding = {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": account_namespace}],
    }
    (await api.post(f"{path}rolebindings", binding)).ok()


async def grant(
    api: RestClient,
    user: RestClient,
    namespace: str,
    account: str,
    *rules: Mapping[str, Any],
    within: str = "",
) -> None:
    """Grant the rules to a ServiceAccount, in one namespace or everywhere, and wait until the authorizer knows."""
    name = f"contract-{secrets.token_hex(4)}"
    await create_role(api, name, rules, account=account, account_namespace=namespace, namespace=within)
    attributes = _first_attributes(rules[-1]) | ({"namespace": within} if within else {})
    await until(lambda: may(user, **attributes), f"the authorizer to know {name}")


async def create_user(
    api: RestClient, namespace: str, *rules: Mapping[str, Any], within: str = "", account: str = ""
) -> RestClient:
    """Create a ServiceAccount that has these rights and no others, and return its client."""
    account = account or f"account-{secrets.token_hex(4)}"
    body = {"metadata": {"name": account}}
    (await api.post(f"/api/v1/namespaces/{namespace}/serviceaccounts", body)).ok()
    user = api.using(await token_of(api, namespace, account))
    for each in rules:
        await grant(api, user, namespace, account, each, within=within)
    return user


async def may(user: RestClient, **attributes: str) -> bool:
    """Ask the server whether the user may do this (resourceAttributes of a SelfSubjectAccessReview)."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    answer = await user.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
    return bool(answer.ok()["status"]["allowed"])


def _first_attributes(granted: Mapping[str, Any]) -> dict[str, str]:
    resource, _, subresource = granted["resources"][0].partition("/")
    attributes = {"verb": granted["verbs"][0], "group": granted["apiGroups"][0], "resource": resource}
    if subresource:
        attributes["subresource"] = subresource
    if names := granted.get("resourceNames"):
        attributes["name"] = names[0]
    return attributes
