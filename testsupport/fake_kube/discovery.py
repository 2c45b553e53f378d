"""What there is: discovery documents, version, and as much OpenAPI as kubectl checks."""

from testsupport.fake_kube.objects import Object
from testsupport.fake_kube.resources import GROUPS, RESOURCES, REVIEWS, Resource

VERSION: Object = {
    "major": "1",
    "minor": "36",
    "emulationMajor": "1",
    "emulationMinor": "36",
    "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "35",
    "gitVersion": "v1.36.0+fake",
    "gitCommit": "fake",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "none",
    "compiler": "none",
    "platform": "any",
}
TOKEN: Object = {
    "name": "serviceaccounts/token",
    "singularName": "",
    "namespaced": True,
    "group": "authentication.k8s.io",
    "version": "v1",
    "kind": "TokenRequest",
    "verbs": ["create"],
}


def api_versions(address: str) -> Object:
    """Describe the core group."""
    addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses}


def group_list() -> Object:
    """List the groups."""
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(name) for name in GROUPS]}


def group(name: str) -> Object | None:
    """Describe a group, if there is such a one."""
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name)} if name in GROUPS else None


def _group(name: str) -> Object:
    version = {"groupVersion": f"{name}/v1", "version": "v1"}
    return {"name": name, "versions": [version], "preferredVersion": version}


def resource_list(group_name: str, version: str) -> Object | None:
    """List the resources of a group and version, if there is such a one."""
    if version != "v1" or (group_name and group_name not in GROUPS):
        return None
    resources = [entry for r in RESOURCES if r.group == group_name for entry in _entries(r)]
    resources += [_review(plural, kind) for (owner, plural), kind in REVIEWS.items() if owner == group_name]
    head: Object = {"kind": "APIResourceList"} | ({"apiVersion": "v1"} if group_name else {})
    head["groupVersion"] = f"{group_name}/{version}" if group_name else version
    return {**head, "resources": sorted(resources, key=lambda entry: str(entry["name"]))}


def _entries(resource: Resource) -> list[Object]:
    entry: Object = {
        "name": resource.plural,
        "singularName": resource.kind.lower(),
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    return [entry, *(_subresource(resource, name) for name in resource.subresources)]


def _subresource(resource: Resource, name: str) -> Object:
    if name == "token":
        return TOKEN
    verbs = ["update"] if name == "finalize" else ["get", "patch", "update"]
    full = {"name": f"{resource.plural}/{name}", "singularName": "", "namespaced": resource.namespaced}
    return {**full, "kind": resource.kind, "verbs": verbs}


def _review(plural: str, kind: str) -> Object:
    return {"name": plural, "singularName": kind.lower(), "namespaced": False, "kind": kind, "verbs": ["create"]}


def openapi_index() -> Object:
    """List the OpenAPI v3 documents."""
    paths = ["api/v1", *(f"apis/{name}/v1" for name in GROUPS)]
    return {"paths": {path: {"serverRelativeURL": f"/openapi/v3/{path}"} for path in paths}}


def openapi(path: str) -> Object | None:
    """Describe a group's writes: kubectl looks here whether the server validates fields itself."""
    group_name = path.split("/")[1] if path.startswith("apis/") else ""
    if path not in ("api/v1", f"apis/{group_name}/v1"):
        return None
    operations = {_object_path(r): {"patch": _patch(r)} for r in RESOURCES if r.group == group_name}
    info = {"title": "Kubernetes", "version": VERSION["gitVersion"]}
    return {"openapi": "3.0.0", "info": info, "paths": operations, "components": {"schemas": {}}}


def _object_path(resource: Resource) -> str:
    base = f"/apis/{resource.group}/v1" if resource.group else "/api/v1"
    return f"{base}{'/namespaces/{namespace}' if resource.namespaced else ''}/{resource.plural}/{{name}}"


def _patch(resource: Resource) -> Object:
    names = ("dryRun", "fieldManager", "fieldValidation", "force")
    return {
        "operationId": f"patch{resource.kind}",
        "parameters": [{"name": name, "in": "query", "schema": {"type": "string"}} for name in names],
        "responses": {"200": {"description": "OK"}},
        "x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": {
            "group": resource.group,
            "version": resource.version,
            "kind": resource.kind,
        },
    }
