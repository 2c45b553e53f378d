"""The admission fence around Secrets of other shapes, on a real API server: what the settings say, and nothing else."""

import base64
import secrets
from collections.abc import Mapping
from typing import Any

from testsupport.access import token_of
from testsupport.control_plane.release import NAME, Release
from testsupport.objects import pull_secret, secrets_in
from testsupport.rest import Answer, RestClient
from testsupport.waiting import until

HOST = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
ARGOCD, BASIC, LEAVING = "argocd-ecr", "basic-ecr", "leaving-ecr"
LABEL = "argocd.argoproj.io/secret-type"
SELECTED = {"matchLabels": {"argocd": "yes"}}
REPOSITORY = {"shape": "argocd-repository", "path": "charts"}
SETTINGS = {
    "additionalSecrets": [
        {
            "name": ARGOCD,
            "shape": "argocd-repository",
            "registry": HOST,
            "path": "charts",
            "namespaceSelector": SELECTED,
        },
        {"name": BASIC, "shape": "basic-auth", "registry": HOST, "namespaces": ["*"]},
        {"name": LEAVING, "shape": "basic-auth", "registry": HOST, "namespaces": [], "namespaceSelector": SELECTED},
    ]
}
SAYS = "the fence of Pullkeeper: "
LAYOUT = f"{SAYS}the Secret {ARGOCD} is laid out as settings.additionalSecrets say"
PLACE = f"{SAYS}the Secret {ARGOCD} is in the namespaces that settings.additionalSecrets select"
KEYS = f"{SAYS}no key is added or changed but .dockerconfigjson, or those of the shape"
LABELS = f"{SAYS}no label is added or changed but app.kubernetes.io/managed-by"


def _encoded(**data: str) -> dict[str, str]:
    return {key: base64.b64encode(text.encode()).decode() for key, text in data.items()}


def _argocd(labels: Mapping[str, str] | None = None, kind: str = "Opaque", **data: str) -> dict[str, Any]:
    fixed = {"type": "helm", "enableOCI": "true", "name": ARGOCD, "url": f"{HOST}/charts", "username": "AWS"}
    ours = {"app.kubernetes.io/managed-by": "pullkeeper", LABEL: "repository", **(labels or {})}
    metadata = {"name": ARGOCD, "labels": ours}
    return {"metadata": metadata, "type": kind, "data": _encoded(**fixed, password="x") | _encoded(**data)}


def _with_pull_secrets_key() -> dict[str, Any]:
    body = _argocd()
    return {**body, "data": {**body["data"], ".dockerconfigjson": "e30="}}


def _basic(kind: str = "kubernetes.io/basic-auth", name: str = BASIC, **data: str) -> dict[str, Any]:
    metadata = {"name": name, "labels": {"app.kubernetes.io/managed-by": "pullkeeper"}}
    return {"metadata": metadata, "type": kind, "data": _encoded(username="AWS", password="x") | _encoded(**data)}


async def _apply(user: RestClient, namespace: str, body: Mapping[str, Any]) -> Answer:
    path = f"{secrets_in(namespace)}/{body['metadata']['name']}"
    whole = {"apiVersion": "v1", "kind": "Secret", **body}
    query = {"fieldManager": "pullkeeper", "dryRun": "All"}
    return await user.send("PATCH", path, body=whole, query=query, content_type="application/apply-patch+yaml")


async def test_an_additional_secret_is_what_the_settings_say_and_nothing_else(release: Release) -> None:
    """Its type, labels, keys, and all of the data but the password are pinned, and where it may be."""
    await release.apply("install", admission={"fence": True}, settings=SETTINGS)
    user = release.api.using(await token_of(release.api, release.namespace, NAME))
    selected, other = (f"{kind}-{secrets.token_hex(4)}" for kind in ("argocd", "other"))
    (await release.api.post("/api/v1/namespaces", {"metadata": {"name": selected}})).ok()
    labels = {"metadata": {"labels": {"argocd": "yes"}}}
    (await release.api.merge(f"/api/v1/namespaces/{selected}", labels)).ok()
    (await release.api.post("/api/v1/namespaces", {"metadata": {"name": other}})).ok()

    async def in_force() -> bool:
        return (await _apply(user, selected, _argocd(url="evil"))).status == 422

    await until(in_force, "the fence to be in force")
    for namespace, body in ((selected, _argocd()), (selected, _basic()), (other, _basic())):
        assert (await _apply(user, namespace, body)).status == 201
    name = release.installation.secret_name
    theirs = {**_basic()["metadata"], "annotations": {"kubernetes.io/service-account.name": "admin"}}
    readable = {**pull_secret(name)["metadata"], "labels": _argocd()["metadata"]["labels"]}
    token = {**_basic(kind="kubernetes.io/service-account-token"), "metadata": theirs}
    labelled = {**pull_secret(name), "metadata": readable}
    refused = {
        "another URL": (selected, _argocd(url="https://evil.example"), LAYOUT),
        "a longer URL": (selected, _argocd(url=f"{HOST}/charts-of-others"), LAYOUT),
        "another user": (selected, _argocd(username="root"), LAYOUT),
        "another kind of Secret for Argo CD": (selected, _argocd({LABEL: "cluster"}), LAYOUT),
        "another type": (selected, _argocd(kind="example.com/x"), LAYOUT),
        "a key of its own": (selected, _argocd(sshPrivateKey="x"), KEYS),
        "the pull Secret's key": (selected, _with_pull_secrets_key(), KEYS),
        "another label": (selected, _argocd({"example.com/x": "y"}), LABELS),
        "a namespace that is not selected": (other, _argocd(), PLACE),
        "a namespace of an entry that is leaving": (selected, _basic(name=LEAVING), PLACE.replace(ARGOCD, LEAVING)),
        "a token of a ServiceAccount": (other, token, LAYOUT.replace(ARGOCD, BASIC)),
        "the pull Secret with Argo CD's label": (selected, labelled, LABELS),
    }
    found = {what: await _apply(user, namespace, body) for what, (namespace, body, _) in refused.items()}
    assert {what: answer.body for what, answer in found.items() if answer.status != 422} == {}
    said = {what: [cause["message"] for cause in answer.body["details"]["causes"]] for what, answer in found.items()}
    assert [what for what, (*_, words) in refused.items() if not any(words in each for each in said[what])] == []
