"""The objects of the simulated cluster and the API server's rules for writing them."""

import base64
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pullkeeper.domain.secret.pull_secret import DATA_KEY, MANAGED_BY, MANAGER
from pullkeeper.domain.secret.shapes import SHAPE
from testsupport.simulation.record import (
    CONTROLLER,
    SERVER,
    USER,
    AccountVersion,
    NamespaceVersion,
    Record,
    SecretVersion,
    Status,
)
from testsupport.simulation.record import SECRET_NAME as SECRET_NAME  # noqa: PLC0414 -- given on to whoever uses a store
from testsupport.virtual_time import elapsed

LABEL = "label"


class RefusedError(Exception):
    """A refusal by the API server: its status, causes and message."""

    def __init__(self, status: int, *causes: Mapping[str, str], message: str = "") -> None:
        self.status = status
        self.causes = causes
        self.message = message
        super().__init__(str(status))


@dataclass(frozen=True, kw_only=True, slots=True)
class Backup:
    """What a snapshot of etcd holds."""

    version: int
    namespaces: Mapping[str, NamespaceVersion]
    secrets: Mapping[str, SecretVersion]
    additional: Mapping[str, Mapping[str, SecretVersion]]
    accounts: Mapping[tuple[str, str], AccountVersion]
    lease: Mapping[str, Any] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """A watch event: its type and the object after the change."""

    kind: str
    namespace: str
    version: int
    secret: SecretVersion | None = None
    namespace_version: NamespaceVersion | None = None
    account: AccountVersion | None = None

    @property
    def kind_of(self) -> str:
        """The resource."""
        if self.secret is not None:
            return "secrets"
        return "serviceaccounts" if self.account is not None else "namespaces"


class Store:
    """Namespaces and their pull Secrets, with resource versions, field owners and preconditions."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.version = 1
        self.namespaces: dict[str, NamespaceVersion] = {}
        self.secrets: dict[str, SecretVersion] = {}
        self.additional: dict[str, dict[str, SecretVersion]] = {}
        """The additional Secrets, by their name and by namespace."""
        self.accounts: dict[tuple[str, str], AccountVersion] = {}
        self.lease: Mapping[str, Any] | None = None
        self.made: Counter[tuple[str, str]] = Counter()
        """How often each ServiceAccount was made, which is in its uid."""
        self.squatted: set[str] = set()
        """Namespaces in which somebody has made Events of every name that the controller may choose."""
        self.listeners: list[Callable[[Change], None]] = []
        self._uids = 0

    def put_namespace(self, name: str, status: Status, hosts: tuple[str, ...], annotations: Mapping[str, str]) -> None:
        """Write a Namespace; Status.DELETED deletes it and its Secret."""
        kind = "MODIFIED" if name in self.namespaces else "ADDED"
        if status is Status.DELETED:
            kind = "DELETED"
            self._drop_content(name)
        self.version += 1
        current = self.namespaces.get(name)
        version = NamespaceVersion(
            at=elapsed(),
            name=name,
            uid=current.uid if current else self._uid(),
            resource_version=self.version,
            status=status,
            hosts=hosts,
            annotations=dict(annotations),
        )
        self.record.namespaces[name].append(version)
        if status is Status.DELETED:
            del self.namespaces[name]
        else:
            self.namespaces[name] = version
        self._notify(Change(kind=kind, namespace=name, version=self.version, namespace_version=version))

    def named(self, secret: str) -> dict[str, SecretVersion]:
        """Return the Secrets of a name, by namespace."""
        return self.secrets if secret == SECRET_NAME else self.additional.setdefault(secret, {})

    def apply(self, namespace: str, body: Mapping[str, Any], *, force: bool) -> SecretVersion:
        """Server-side apply as the controller's field manager. Raises RefusedError."""
        metadata = body["metadata"]
        current = self._current(namespace, metadata["name"])
        if current is None:
            return self._create(namespace, body)
        if metadata.get("uid", current.uid) != current.uid:
            raise RefusedError(422, {"field": "metadata.uid"})
        if metadata.get("resourceVersion", str(current.resource_version)) != str(current.resource_version):
            raise RefusedError(409)
        applied = _applied(current, body)
        self._check(current, applied, force=force)
        unchanged = replace(applied, at=current.at, writer=current.writer) == current
        return current if unchanged else self._store(applied)

    def delete(self, namespace: str, preconditions: Mapping[str, str], secret: str = SECRET_NAME) -> None:
        """Delete a Secret for the controller. Raises RefusedError."""
        current = self._current(namespace, secret)
        if current is None:
            raise RefusedError(404)
        found = {"uid": current.uid, "resourceVersion": str(current.resource_version)}
        if any(found[key] != value for key, value in preconditions.items()):
            raise RefusedError(409)
        self.drop_secret(namespace, CONTROLLER, secret)

    def secrets_in(self, namespace: str) -> list[SecretVersion]:
        """Return the pull Secret and the additional Secrets of a namespace."""
        found = (each.get(namespace) for each in (self.secrets, *self.additional.values()))
        return [each for each in found if each]

    def put_secret(self, namespace: str, **fields: Any) -> None:
        """Change fields of a pull Secret as a user; without one, create a foreign Secret."""
        self.put_secret_named(namespace, SECRET_NAME, fields)

    def put_secret_named(self, namespace: str, secret: str, fields: Mapping[str, Any]) -> None:
        """Change fields of a Secret as a user; without one, create a foreign Secret."""
        current = self.named(secret).get(namespace) or self._empty(namespace, secret, USER)
        self._store(replace(current, writer=USER, **fields))

    def drop_secret(self, namespace: str, writer: str, secret: str = SECRET_NAME) -> None:
        """Delete a Secret, if there is one."""
        current = self.named(secret).pop(namespace, None)
        if current is None:
            return
        self.version += 1
        last = replace(current, at=elapsed(), writer=writer, resource_version=self.version, gone=True)
        self.record.of_secrets_named(secret).secrets[namespace].append(last)
        self._notify(Change(kind="DELETED", namespace=namespace, version=self.version, secret=last))

    def put_account(self, namespace: str, name: str, annotations: Mapping[str, str], writer: str = USER) -> None:
        """Create a ServiceAccount, or replace it by another object of its name."""
        self.made[namespace, name] += 1
        uid = f"uid-of-{namespace}/{name}-{self.made[namespace, name]}"
        self.store_account(
            AccountVersion(
                at=elapsed(),
                namespace=namespace,
                name=name,
                uid=uid,
                resource_version=0,
                writer=writer,
                annotations=dict(annotations),
            )
        )

    def store_account(self, account: AccountVersion) -> AccountVersion:
        """Write a ServiceAccount as it is given, in a new version."""
        self.version += 1
        key = (account.namespace, account.name)
        kind = "MODIFIED" if key in self.accounts else "ADDED"
        account = replace(account, at=elapsed(), resource_version=self.version)
        self.accounts[key] = account
        self.record.accounts[key].append(account)
        self._notify(Change(kind=kind, namespace=account.namespace, version=self.version, account=account))
        return account

    def drop_account(self, namespace: str, name: str) -> None:
        """Delete a ServiceAccount, if there is one."""
        account = self.accounts.pop((namespace, name), None)
        if account is not None:
            self.version += 1
            last = replace(account, at=elapsed(), resource_version=self.version, gone=True)
            self.record.accounts[namespace, name].append(last)
            self._notify(Change(kind="DELETED", namespace=namespace, version=self.version, account=last))

    def back_up(self) -> Backup:
        """Take a snapshot."""
        return Backup(
            version=self.version,
            namespaces=dict(self.namespaces),
            secrets=dict(self.secrets),
            additional={name: dict(secrets) for name, secrets in self.additional.items()},
            accounts=dict(self.accounts),
            lease=self.lease,
        )

    def restore(self, backup: Backup) -> None:
        """Put everything back, resourceVersions included; nobody is told."""
        now = elapsed()
        for name in sorted({*self.namespaces, *backup.namespaces}):
            if (found := backup.namespaces.get(name)) is not self.namespaces.get(name):
                last = found or replace(self.namespaces[name], status=Status.DELETED)
                self.record.namespaces[name].append(replace(last, at=now))
        before = {SECRET_NAME: backup.secrets, **backup.additional}
        for named in (SECRET_NAME, *self.additional):
            self._put_back(named, before.get(named, {}))
        for key in sorted({*self.accounts, *backup.accounts}):
            if (account := backup.accounts.get(key)) is not self.accounts.get(key):
                was = account or replace(self.accounts[key], gone=True)
                self.record.accounts[key].append(replace(was, at=now, writer=SERVER))
        self.namespaces = dict(backup.namespaces)
        self.accounts, self.lease, self.version = dict(backup.accounts), backup.lease, backup.version

    def _put_back(self, named: str, earlier: Mapping[str, SecretVersion]) -> None:
        """Put the Secrets of a name back to what they were."""
        current, versions = self.named(named), self.record.of_secrets_named(named).secrets
        for name in sorted({*current, *earlier}):
            if (secret := earlier.get(name)) is not current.get(name):
                now_gone = secret or replace(current[name], gone=True)
                versions[name].append(replace(now_gone, at=elapsed(), writer=SERVER))
        current.clear()
        current.update(earlier)

    def _drop_content(self, namespace: str) -> None:
        for secret in (SECRET_NAME, *self.additional):
            self.drop_secret(namespace, SERVER, secret)
        self.squatted.discard(namespace)
        for key in [key for key in self.accounts if key[0] == namespace]:
            self.drop_account(*key)

    def _current(self, namespace: str, secret: str) -> SecretVersion | None:
        if namespace not in self.namespaces:
            raise RefusedError(404)
        return self.named(secret).get(namespace)

    def _empty(self, namespace: str, secret: str, writer: str) -> SecretVersion:
        at, uid = elapsed(), self._uid()
        return SecretVersion(at=at, namespace=namespace, name=secret, uid=uid, resource_version=0, writer=writer)

    def _create(self, namespace: str, body: Mapping[str, Any]) -> SecretVersion:
        if "uid" in body["metadata"]:
            raise RefusedError(409)
        if self.namespaces[namespace].status is Status.TERMINATING:
            raise RefusedError(403, {"reason": "NamespaceTerminating"})
        empty = replace(self._empty(namespace, body["metadata"]["name"], CONTROLLER), type=body["type"])
        return self._store(_applied(empty, body))

    def _check(self, current: SecretVersion, applied: SecretVersion, *, force: bool) -> None:
        if applied.type != current.type:
            raise RefusedError(422, {"field": "type"})
        if current.immutable and applied.auths != current.auths:
            raise RefusedError(422, {"field": "data"})
        if not force and "data" not in current.owned and applied.auths != current.auths:
            raise RefusedError(409, {"field": ".data..dockerconfigjson"})

    def _store(self, secret: SecretVersion) -> SecretVersion:
        self.version += 1
        current = self.named(secret.name)
        kind = "MODIFIED" if secret.namespace in current else "ADDED"
        secret = replace(secret, at=elapsed(), resource_version=self.version)
        current[secret.namespace] = secret
        self.record.of_secrets_named(secret.name).secrets[secret.namespace].append(secret)
        self._notify(Change(kind=kind, namespace=secret.namespace, version=self.version, secret=secret))
        return secret

    def _notify(self, change: Change) -> None:
        for listener in self.listeners:
            listener(change)

    def _uid(self) -> str:
        self._uids += 1
        return f"uid-{self._uids}"


def _applied(current: SecretVersion, body: Mapping[str, Any]) -> SecretVersion:
    """Apply a body: owned fields that it no longer names are removed, fields of other managers stay."""
    ours = body["metadata"]["annotations"]
    kept = {key: value for key, value in current.annotations.items() if key not in current.owned}
    labels = {key: value for key, value in body["metadata"]["labels"].items() if key != MANAGED_BY}
    return replace(
        current,
        writer=CONTROLLER,
        managed=body["metadata"]["labels"].get(MANAGED_BY) == MANAGER or current.managed,
        type=body["type"],
        annotations=kept | ours,
        auths=_auths(body),
        labels={**current.labels, **labels},
        keys=tuple(body["data"]),
        owned=frozenset({"data", "type", LABEL, *ours}),
    )


def _auths(body: Mapping[str, Any]) -> dict[str, str]:
    """Return the `auth` of each host: of a pull Secret, or of a Secret with user name and password for one registry."""
    data = {key: base64.b64decode(text).decode() for key, text in body["data"].items()}
    if DATA_KEY in data:
        return {host: entry["auth"] for host, entry in json.loads(data[DATA_KEY])["auths"].items()}
    host = json.loads(body["metadata"]["annotations"][SHAPE])["registry"]
    return {host: base64.b64encode(f"{data['username']}:{data['password']}".encode()).decode()}
