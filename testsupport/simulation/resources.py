"""What the simulated API server does with a request for each kind of object."""

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import count
from typing import Any

from pullkeeper.domain.secret.pull_secret import DATA_KEY
from testsupport.fake_kube.patches import json_patch, merge_patch
from testsupport.fake_kube.status import ApiError
from testsupport.simulation import manifests
from testsupport.simulation.faults import Faults, during
from testsupport.simulation.record import CONTROLLER, SECRET_NAME, AccountVersion, Record
from testsupport.simulation.sent import Sent, named
from testsupport.simulation.store import RefusedError, Store
from testsupport.virtual_time import elapsed

_REFUSALS = {
    "quota": (403, 'secrets "{0}" is forbidden: exceeded quota: small, requested: secrets=1, used: secrets=9'),
    "policy": (
        403,
        "secrets \"{0}\" is forbidden: ValidatingAdmissionPolicy 'rules' with binding 'all' denied request: not today",
    ),
    "webhook": (400, 'admission webhook "rules.example.com" denied the request: not today'),
    "webhook away": (500, 'Internal error occurred: failed calling webhook "rules.example.com": deadline exceeded'),
    "no right": (403, 'secrets "{0}" is forbidden: User "system:serviceaccount:x:pullkeeper" cannot patch resource'),
}
"""Status and words with which a write of a pull Secret is refused, by the reason of the period."""
REFUSALS = tuple(_REFUSALS)


class Resources:
    """Reads and writes the store."""

    def __init__(self, store: Store, faults: Faults, record: Record) -> None:
        self._store = store
        self._faults = faults
        self._record = record
        self._lease_uids = count(1)

    def do(self, sent: Sent) -> Mapping[str, Any]:
        """Return the body of the answer. Raises RefusedError."""
        parts = sent.path.split("/")[3:]
        if sent.verb in {"get", "list"}:
            return self._read(sent, parts)
        match parts:
            case ["namespaces", name, "secrets", secret]:
                return self._write_secret(sent, name, secret)
        return self._write_other(sent, parts)

    def is_created_by(self, sent: Sent) -> bool:
        """Return whether a server-side apply would create its object, which needs the right to create as well."""
        if sent.verb != "patch" or sent.content_type != "application/apply-patch+yaml":
            return False
        match sent.path.split("/")[3:]:
            case ["namespaces", name, "secrets", _]:
                return name not in self._store.secrets
        return self._store.lease is None

    def _write_secret(self, sent: Sent, namespace: str, secret: str) -> Mapping[str, Any]:
        match sent.verb:
            case "patch":
                self._admit(namespace, secret)
                written = self._store.apply(namespace, sent.body, force=sent.query.get("force") == "true")
                return {"metadata": manifests.secret_metadata(written)}
            case "delete":
                self._store.delete(namespace, sent.body.get("preconditions") or {}, secret)
                return {}
        raise RefusedError(403)

    def _write_other(self, sent: Sent, parts: list[str]) -> Mapping[str, Any]:
        match sent.verb, parts:
            case "create" | "patch", [_, "namespaces", name, "events", *_]:
                return self._event(sent.verb, name, sent.body)
            case "create", ["namespaces", name, "serviceaccounts", account, "token"]:
                return {"status": {"token": self._token(name, account, sent.body["spec"]["audiences"])}}
            case "patch", ["namespaces", name, "serviceaccounts", account]:
                return self._patch_account(name, account, sent.body)
            case "patch", [_, "namespaces", _, "leases", _]:
                return self._write_lease(sent)
        raise RefusedError(403)

    def _read(self, sent: Sent, parts: list[str]) -> Mapping[str, Any]:
        store = self._store
        match sent.verb, parts:
            case "list", ["secrets"]:
                found = store.named(named(sent.query)).values()
                return self._listing({"metadata": manifests.secret_metadata(each)} for each in found)
            case "list", ["namespaces"]:
                wanted = named(sent.query)
                namespaces = (each for name, each in store.namespaces.items() if wanted in {"", name})
                return self._listing({"metadata": manifests.namespace_metadata(each)} for each in namespaces)
            case "list", ["serviceaccounts"]:
                wanted = named(sent.query)
                accounts = (each for (_, name), each in store.accounts.items() if wanted in {"", name})
                return self._listing(map(manifests.service_account, accounts))
            case "get", ["namespaces", name, "secrets", secret]:
                return self._content(name, secret)
            case "get", ["namespaces", name, "serviceaccounts", account]:
                return manifests.service_account(self._account(name, account))
            case "get", [_, "namespaces", _, "leases", _]:
                if store.lease is None:
                    raise RefusedError(404)
                return store.lease
        raise RefusedError(403)

    def _admit(self, namespace: str, secret: str) -> None:
        """Refuse a write that quota, webhook, policy or RBAC does not let through today."""
        refused = during(self._faults.refusing, elapsed(), namespace)
        if refused and self._faults.refused_name in {"", secret}:
            self._record.happened[f"refused: {refused.reason}"] += 1
            status, words = _REFUSALS[refused.reason]
            raise RefusedError(status, message=words.format(secret))

    def _event(self, verb: str, namespace: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        self._record.texts.append(json.dumps(body))
        if namespace in self._store.squatted:
            raise RefusedError(409 if verb == "create" else 422)
        return {}

    def _account(self, namespace: str, name: str) -> AccountVersion:
        account = self._store.accounts.get((namespace, name))
        if account is None:
            raise RefusedError(404)
        return account

    def _patch_account(self, namespace: str, name: str, operations: Any) -> Mapping[str, Any]:
        account = self._account(namespace, name)
        try:
            patched = json_patch(manifests.service_account(account), operations)
        except ApiError as error:
            raise RefusedError(error.code) from None
        changed = replace(
            account,
            annotations=patched["metadata"].get("annotations") or {},
            pull_secrets=tuple(each["name"] for each in patched.get("imagePullSecrets") or ()),
            writer=CONTROLLER,
        )
        written = account if changed == replace(account, writer=CONTROLLER) else self._store.store_account(changed)
        return manifests.service_account(written)

    def _content(self, name: str, named: str) -> Mapping[str, Any]:
        secret = self._store.named(named).get(name)
        if secret is None:
            raise RefusedError(404)
        if named != SECRET_NAME:
            (auth,) = secret.auths.values() or ("",)
            user, _, password = base64.b64decode(auth).decode().partition(":")
            login = {"username": user, "password": password}
            return {"data": {key: base64.b64encode(text.encode()).decode() for key, text in login.items()}}
        content = {"auths": {host: {"auth": auth} for host, auth in secret.auths.items()}}
        return {"data": {DATA_KEY: base64.b64encode(json.dumps(content).encode()).decode()}}

    def _token(self, namespace: str, name: str, audiences: list[str]) -> str:
        """Return a token with the claims of a ServiceAccount, and no signature."""
        account = {"name": name, "uid": self._account(namespace, name).uid}
        claims = {"sub": f"{namespace}/{name}", "aud": audiences, "kubernetes.io": {"serviceaccount": account}}
        return f"header.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.signature"

    def _write_lease(self, sent: Sent) -> Mapping[str, Any]:
        """Apply what creates the Lease, or merge what changes exactly the one that was read."""
        current, wanted = self._store.lease, sent.body["metadata"]
        if current is None:
            if sent.content_type != "application/apply-patch+yaml":
                raise RefusedError(404)
            lease = {"metadata": {"uid": f"lease-{next(self._lease_uids)}"}, "spec": dict(sent.body["spec"])}
        else:
            found = current["metadata"]
            if any(wanted.get(key, found[key]) != found[key] for key in ("uid", "resourceVersion")):
                raise RefusedError(409)
            lease = merge_patch(current, {"spec": sent.body["spec"]})
        self._store.version += 1
        lease["metadata"] = {**lease["metadata"], "resourceVersion": str(self._store.version)}
        self._store.lease = lease
        return lease

    def _listing(self, found: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
        """Return everything in one page: the contract tests cover paging."""
        return {"items": list(found), "metadata": {"resourceVersion": str(self._store.version)}}
