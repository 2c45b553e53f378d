"""What a ServiceAccount is granted, by the API server's objects, and what it used of it, by the audit log."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from testsupport.control_plane.plane import ControlPlane
from testsupport.rest import RestClient

_RBAC = "/apis/rbac.authorization.k8s.io/v1"


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Right:
    """One verb on one resource, bound to a namespace and to an object's name where they are given."""

    namespace: str
    verb: str
    resource: str
    name: str


async def granted(api: RestClient, namespace: str, account: str) -> set[Right]:
    """Give all that is bound to a ServiceAccount, in the cluster and in namespaces."""
    found: set[Right] = set()
    for kind in ("clusterrolebindings", "rolebindings"):
        for binding in (await api.get(f"{_RBAC}/{kind}")).ok()["items"]:
            subjects = [(each.get("namespace"), each["name"]) for each in binding.get("subjects", ())]
            if (namespace, account) in subjects:
                found |= await _of_role(api, binding)
    return found


async def _of_role(api: RestClient, binding: Mapping[str, Any]) -> set[Right]:
    role, where = binding["roleRef"], binding["metadata"].get("namespace", "")
    folder = f"{_RBAC}/namespaces/{where}/roles" if role["kind"] == "Role" else f"{_RBAC}/clusterroles"
    rules = (await api.get(f"{folder}/{role['name']}")).ok()["rules"]
    return {
        Right(namespace=where, verb=verb, resource=resource, name=name)
        for rule in rules
        for verb in rule["verbs"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", [""])
    }


def used(plane: ControlPlane, namespace: str, account: str) -> set[Right]:
    """Give what a ServiceAccount has asked for; a right that was refused counts as well."""
    return {right for entry in _entries(plane, namespace, account) for right in _asked(entry)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Write:
    """A request to change something, and what came of it."""

    verb: str
    resource: str
    status: int
    message: str


def writes(plane: ControlPlane, namespace: str, account: str) -> list[Write]:
    """Give what a ServiceAccount has asked to be changed, by the audit log; reviews of itself change nothing."""
    return [
        Write(
            verb=entry["verb"],
            resource="/".join(filter(None, (target["resource"], target.get("subresource")))),
            status=entry["responseStatus"]["code"],
            message=entry["responseStatus"].get("message", ""),
        )
        for entry in _entries(plane, namespace, account)
        if (target := entry.get("objectRef")) and entry["verb"] not in {"get", "list", "watch"}
        if not target["resource"].startswith("self")
    ]


def _entries(plane: ControlPlane, namespace: str, account: str) -> Iterator[dict[str, Any]]:
    user = f"system:serviceaccount:{namespace}:{account}"
    entries = (json.loads(line) for line in plane.audit_log.read_text().splitlines() if user in line)
    return (entry for entry in entries if entry["user"]["username"] == user)


def _asked(entry: Mapping[str, Any]) -> Iterator[Right]:
    target = entry.get("objectRef")
    if target is None or target["resource"].startswith("self"):
        return  # reviews of oneself and bare paths such as /version are everybody's right
    resource = "/".join(filter(None, (target["resource"], target.get("subresource"))))
    right = Right(
        namespace=target.get("namespace", ""), verb=entry["verb"], resource=resource, name=target.get("name", "")
    )
    yield right
    # An apply that creates is one request, authorized as a patch and as a creation of that name.
    if entry["verb"] == "patch" and entry.get("responseStatus", {}).get("code") == 201:
        yield Right(namespace=right.namespace, verb="create", resource=resource, name=right.name)


def grant_of(right: Right, among: set[Right]) -> Right | None:
    """Find the grant that a request was allowed by."""
    for namespace in (right.namespace, ""):
        for name in (right.name, ""):
            wanted = Right(namespace=namespace, verb=right.verb, resource=right.resource, name=name)
            if wanted in among:
                return wanted
    return None
