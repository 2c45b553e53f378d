"""What whoever steals the controller's token could do with what RBAC grants it, each as one request."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from testsupport.objects import MANAGED_BY, SECOND, encoded, pull_secret
from testsupport.rest import APPLY, JSON_PATCH, MERGE, Answer, RestClient

AUDIENCE = "sts.amazonaws.com"
MARK = "pullkeeper.dev/attached-secret"
DRY_RUN = {"dryRun": "All"}
_EVENT_TIME = "2026-01-01T00:00:00.000000Z"


@dataclass(frozen=True, kw_only=True)
class Thief:
    """Whoever has the controller's token, and what there is in the cluster; nothing that it tries is carried out."""

    user: RestClient
    secret: str
    """The pull Secret's name."""
    release: str
    """The namespace of the release, where its Lease is."""
    lease: str
    team: str
    """A namespace with a pull Secret of ours, ServiceAccounts `builder` (ours attached) and `puller`, and Events."""
    stranger: str
    """A namespace with a Secret of the pull Secret's name without our label."""
    empty: str
    """A namespace without a Secret, which has the label of those whose ServiceAccounts may be used."""
    unselected: str
    """A namespace with a ServiceAccount `puller` that `serviceAccountIdentity` does not select."""

    async def send(self, method: str, path: str, body: object, content_type: str = "application/json") -> Answer:
        """Try a request."""
        return await self.user.send(method, path, body=body, content_type=content_type, query=DRY_RUN)

    async def apply(self, path: str, body: object) -> Answer:
        """Try a forced apply."""
        query = {"fieldManager": "pullkeeper", "force": "true", **DRY_RUN}
        return await self.user.send("PATCH", path, body=body, content_type=APPLY, query=query)

    def secret_in(self, namespace: str) -> str:
        """Return the path of the pull Secret in a namespace."""
        return f"/api/v1/namespaces/{namespace}/secrets/{self.secret}"

    async def create(self, namespace: str = "", **changes: Any) -> Answer:
        """Try to create a pull Secret with something else about it; fields of its metadata are told from others."""
        body = pull_secret(self.secret)
        for key, value in changes.items():
            (body if key in {"type", "data", "immutable", "stringData"} else body["metadata"])[key] = value
        return await self.apply(self.secret_in(namespace or self.empty), body)

    async def change(self, body: Mapping[str, Any], namespace: str = "") -> Answer:
        """Try to change the pull Secret of the team."""
        return await self.send("PATCH", self.secret_in(namespace or self.team), body, MERGE)

    async def account(self, body: object, content_type: str = MERGE, name: str = "builder") -> Answer:
        """Try to change a ServiceAccount of the team."""
        path = f"/api/v1/namespaces/{self.team}/serviceaccounts/{name}"
        return await self.send("PATCH", path, body, content_type)

    async def token(self, namespace: str = "", name: str = "puller", **spec: Any) -> Answer:
        """Try to get a ServiceAccount's token."""
        path = f"/api/v1/namespaces/{namespace or self.team}/serviceaccounts/{name}/token"
        found = {"audiences": [AUDIENCE], "expirationSeconds": 600, **spec}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": found}
        return await self.send("POST", path, body)

    async def change_lease(self, body: Mapping[str, Any]) -> Answer:
        """Try to change the Lease."""
        path = f"/apis/coordination.k8s.io/v1/namespaces/{self.release}/leases/{self.lease}"
        return await self.send("PATCH", path, body, MERGE)

    async def change_event(self, name: str) -> Answer:
        """Try to go on with an Event of the team's namespace."""
        path = f"/apis/events.k8s.io/v1/namespaces/{self.team}/events/{name}"
        return await self.send("PATCH", path, {"metadata": {"annotations": {"pullkeeper.dev/x": "x"}}}, MERGE)

    async def event(self, **changes: Any) -> Answer:
        """Try to post an Event with something else about it."""
        regarding = {"apiVersion": "v1", "kind": "Secret", "name": self.secret, "namespace": self.team}
        metadata = {"name": f"{self.secret}.0", "namespace": self.team, **changes.pop("metadata", {})}
        body = {
            "metadata": metadata,
            "eventTime": _EVENT_TIME,
            "reportingController": "pullkeeper.dev/controller",
            "reportingInstance": "one",
            "action": "Keep",
            "reason": "AccessDenied",
            "note": "x",
            "type": "Warning",
            "regarding": {**regarding, **changes.pop("regarding", {})},
            **changes,
        }
        return await self.send("POST", f"/apis/events.k8s.io/v1/namespaces/{self.team}/events", body)


Attempt = Callable[[Thief], Awaitable[Answer]]

_OWNER = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "00000000-0000-4000-8000-000000000000"}
_SERVICE_ACCOUNT_TOKEN: Mapping[str, Any] = {
    "type": "kubernetes.io/service-account-token",
    "annotations": {"kubernetes.io/service-account.name": "puller"},
    "data": {},
}
_TLS: Mapping[str, Any] = {"type": "kubernetes.io/tls", "data": {"tls.crt": "eA==", "tls.key": "eA=="}}
_OTHER_KEY = {".dockerconfigjson": encoded("{}"), "other": "eA=="}
_REPLICATED = {"replicator.v1.mittwald.de/replicate-from": "kube-system/x"}

MISUSES: Mapping[str, Attempt] = {
    "a ServiceAccount's token in kube-system": lambda thief: thief.create("kube-system", **_SERVICE_ACCOUNT_TOKEN),
    "a ServiceAccount's token elsewhere": lambda thief: thief.create(**_SERVICE_ACCOUNT_TOKEN),
    "a pull Secret in kube-system": lambda thief: thief.create("kube-system"),
    "an Opaque Secret": lambda thief: thief.create(type="Opaque"),
    "a bootstrap token": lambda thief: thief.create(type="bootstrap.kubernetes.io/token", data={}),
    "a TLS Secret": lambda thief: thief.create(**_TLS),
    "a pull Secret with another key": lambda thief: thief.create(data=_OTHER_KEY),
    "a pull Secret without our label": lambda thief: thief.create(labels={}),
    "a pull Secret with another label": lambda thief: thief.create(labels={MANAGED_BY: "pullkeeper", "other": "x"}),
    "a pull Secret that others shall fill": lambda thief: thief.create(annotations=_REPLICATED),
    "a pull Secret with an owner": lambda thief: thief.create(ownerReferences=[_OWNER]),
    "a pull Secret with a finalizer": lambda thief: thief.create(finalizers=["example.com/x"]),
    "an immutable pull Secret": lambda thief: thief.create(immutable=True),
    "the pull Secret made immutable": lambda thief: thief.change({"immutable": True}),
    "the pull Secret with another annotation": lambda thief: thief.change({"metadata": {"annotations": _REPLICATED}}),
    "the pull Secret with another label": lambda thief: thief.change({"metadata": {"labels": {"other": "x"}}}),
    "the pull Secret under another manager": lambda thief: thief.change({"metadata": {"labels": {MANAGED_BY: "Helm"}}}),
    "the pull Secret with an owner": lambda thief: thief.change({"metadata": {"ownerReferences": [_OWNER]}}),
    "the pull Secret with a finalizer": lambda thief: thief.change({"metadata": {"finalizers": ["example.com/x"]}}),
    "the pull Secret with another key": lambda thief: thief.change({"data": {"other": "eA=="}}),
    "the pull Secret with another text key": lambda thief: thief.change({"stringData": {"other": "x"}}),
    "a tenant's key in the pull Secret": lambda thief: thief.change({"data": {"theirs": "eQ=="}}),
    "a tenant's annotation on the pull Secret": lambda thief: thief.change(
        {"metadata": {"annotations": {"example.com/theirs": "x"}}}
    ),
    "a stranger's Secret": lambda thief: thief.change(
        {"metadata": {"annotations": {"pullkeeper.dev/x": "x"}}}, thief.stranger
    ),
    "a stranger's Secret taken over": lambda thief: thief.apply(
        thief.secret_in(thief.stranger), pull_secret(thief.secret)
    ),
    "the deletion of a stranger's Secret": lambda thief: thief.send("DELETE", thief.secret_in(thief.stranger), None),
    "a ServiceAccount's mountable Secrets": lambda thief: thief.account({"secrets": [{"name": thief.secret}]}),
    "a ServiceAccount's automount": lambda thief: thief.account({"automountServiceAccountToken": True}),
    "a ServiceAccount's role": lambda thief: thief.account(
        {"metadata": {"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/admin"}}}
    ),
    "an annotation taken off a ServiceAccount": lambda thief: thief.account(
        {"metadata": {"annotations": {"example.com/theirs": None}}}
    ),
    "a ServiceAccount's label": lambda thief: thief.account({"metadata": {"labels": {"other": "x"}}}),
    "a label taken off a ServiceAccount": lambda thief: thief.account({"metadata": {"labels": {"theirs": None}}}),
    "a ServiceAccount's owner": lambda thief: thief.account({"metadata": {"ownerReferences": [_OWNER]}}),
    "a ServiceAccount's finalizer": lambda thief: thief.account({"metadata": {"finalizers": ["example.com/x"]}}),
    "another entry in imagePullSecrets": lambda thief: thief.account(
        [{"op": "add", "path": "/imagePullSecrets/-", "value": {"name": "other"}}], JSON_PATCH
    ),
    "others' imagePullSecrets taken away": lambda thief: thief.account({"imagePullSecrets": [{"name": thief.secret}]}),
    "others' imagePullSecrets by the mark": lambda thief: thief.account(
        {"metadata": {"annotations": {MARK: "theirs"}}, "imagePullSecrets": [{"name": thief.secret}]}
    ),
    "a mark of another name": lambda thief: thief.account({"metadata": {"annotations": {MARK: "other"}}}),
    "many entries of our name": lambda thief: thief.account(
        {"imagePullSecrets": [{"name": "theirs"}, *({"name": thief.secret} for _ in range(3))]}
    ),
    "a token for the API server": lambda thief: thief.token(audiences=[]),
    "a token for the API server by name": lambda thief: thief.token(audiences=["https://kubernetes.default.svc"]),
    "a token for the API server as well": lambda thief: thief.token(
        audiences=[AUDIENCE, "https://kubernetes.default.svc"]
    ),
    "a token for another service": lambda thief: thief.token(audiences=["vault"]),
    "a token for an hour": lambda thief: thief.token(expirationSeconds=3600),
    "a token bound to an object": lambda thief: thief.token(
        boundObjectRef={"apiVersion": "v1", "kind": "Secret", "name": thief.secret}
    ),
    "a token without a lifetime": lambda thief: thief.token(expirationSeconds=None),
    "a token of a namespace that is not selected": lambda thief: thief.token(thief.unselected),
    "a Lease with an owner": lambda thief: thief.change_lease({"metadata": {"ownerReferences": [_OWNER]}}),
    "a Lease with a finalizer": lambda thief: thief.change_lease({"metadata": {"finalizers": ["example.com/x"]}}),
    "a Lease with another label": lambda thief: thief.change_lease({"metadata": {"labels": {"other": "x"}}}),
    "a Lease with an annotation": lambda thief: thief.change_lease({"metadata": {"annotations": {"other": "x"}}}),
    "an Event as the kubelet": lambda thief: thief.event(reportingController="kubelet"),
    "another's Event": lambda thief: thief.change_event("theirs"),
    "an Event regarding a Node": lambda thief: thief.event(regarding={"kind": "Node", "name": "x"}),
    "an Event regarding another Secret": lambda thief: thief.event(regarding={"name": "other"}),
    "an Event relating to something": lambda thief: thief.event(related=_OWNER),
    "an Event with an annotation": lambda thief: thief.event(metadata={"annotations": {"other": "x"}}),
    "an Event with a label": lambda thief: thief.event(metadata={"labels": {"other": "x"}}),
    "an Event with a finalizer": lambda thief: thief.event(metadata={"finalizers": ["example.com/x"]}),
    "an Event with an owner": lambda thief: thief.event(metadata={"ownerReferences": [_OWNER]}),
}
"""Each is granted by RBAC, and no business of the controller's."""

BUSINESS: Mapping[str, Attempt] = {
    "a pull Secret": lambda thief: thief.create(),
    "the pull Secret anew": lambda thief: thief.apply(thief.secret_in(thief.team), pull_secret(thief.secret, SECOND)),
    "the pull Secret's annotations": lambda thief: thief.change(
        {"metadata": {"annotations": {"pullkeeper.dev/expires-at": "x", "pullkeeper.dev/issued-at": None}}}
    ),
    "the deletion of the pull Secret": lambda thief: thief.send("DELETE", thief.secret_in(thief.team), None),
    "its entry and its mark": lambda thief: thief.account(
        [
            {"op": "add", "path": "/imagePullSecrets", "value": [{"name": thief.secret}]},
            {"op": "add", "path": "/metadata/annotations", "value": {MARK: thief.secret}},
        ],
        JSON_PATCH,
        "puller",
    ),
    "its entry beside others'": lambda thief: thief.account(
        {
            "metadata": {"annotations": {MARK: thief.secret}},
            "imagePullSecrets": [{"name": "theirs"}, {"name": thief.secret}],
        }
    ),
    "its entry and its mark taken away": lambda thief: thief.account(
        {"metadata": {"annotations": {MARK: None}}, "imagePullSecrets": [{"name": "theirs"}]}
    ),
    "a token for AWS": lambda thief: thief.token(),
    "the Lease": lambda thief: thief.change_lease({"spec": {"holderIdentity": "y"}}),
    "an Event": lambda thief: thief.event(),
    "an Event regarding a ServiceAccount": lambda thief: thief.event(
        regarding={"kind": "ServiceAccount", "name": "builder"}
    ),
}
"""What the controller does, made in the same way."""
