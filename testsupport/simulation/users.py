"""What users do to the objects of the cluster."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from pullkeeper.domain.iam.role_arn import ROLE_ANNOTATION
from pullkeeper.domain.namespace.namespace import PREFIX
from testsupport.simulation.record import USER, SecretVersion, Status
from testsupport.simulation.script import Action
from testsupport.simulation.store import SECRET_NAME, Store
from testsupport.virtual_time import elapsed

_ENDING_SECONDS = 20.0
_BY_SETTINGS = {Status.OPTED_IN, Status.OPTED_OUT}
_FOREIGN = {"docker.io": "c29tZTpib2R5"}


class Users:
    """Carry out the actions of a run that are about objects; what there is nothing to do about is left."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._anywhere: Mapping[str, Callable[[Action], None]] = {
            "annotate": self._annotate,
            "end": self._end,
            "delete": self._delete,
            "drop-account": lambda action: store.drop_account(action.name, action.account),
            "take-out": self._take_out,
        }
        self._in_namespaces: Mapping[str, Callable[[Action], None]] = {
            "account": lambda action: store.put_account(action.name, action.account, dict(action.annotations)),
            "ensure-account": self._ensure_account,
            "set-role": self._set_role,
            "squat": lambda action: store.squatted.add(action.name),
            "forge": lambda action: store.put_secret(action.name, **action.forged),
            "replace": self._replace,
        }

    def act(self, action: Action) -> None:
        """Carry out one action."""
        if act := self._anywhere.get(action.do):
            act(action)
        elif act := self._in_namespaces.get(action.do):
            if self._exists(action.name):
                act(action)
        else:
            for secret in self._store.secrets_in(action.name):
                self._edit(action, secret)

    def follow_settings(self, *, opts_in: bool) -> None:
        """Record what namespaces without annotations ask for now, which no event tells."""
        for name, current in self._store.namespaces.items():
            if not current.annotations and current.status in _BY_SETTINGS:
                status = Status.OPTED_IN if opts_in else Status.OPTED_OUT
                version = replace(current, at=elapsed(), status=status)
                self._store.namespaces[name] = version
                self._store.record.namespaces[name].append(version)

    def _annotate(self, action: Action) -> None:
        current = self._store.namespaces.get(action.name)
        if current is None or current.status is not Status.TERMINATING:
            annotations = {PREFIX + key: value for key, value in action.annotations}
            self._store.put_namespace(action.name, action.status, action.hosts, annotations)

    def _end(self, action: Action) -> None:
        current = self._store.namespaces.get(action.name)
        if current is None or current.status is Status.TERMINATING:
            return
        self._store.put_namespace(action.name, Status.TERMINATING, current.hosts, current.annotations)
        asyncio.get_running_loop().call_later(_ENDING_SECONDS, self._delete_namespace, action.name, current.uid)

    def _delete_namespace(self, name: str, uid: str) -> None:
        """Delete a Namespace, unless etcd was restored meanwhile to where it was not ending."""
        current = self._store.namespaces.get(name)
        if current is not None and current.uid == uid and current.status is Status.TERMINATING:
            self._store.put_namespace(name, Status.DELETED, (), {})

    def _ensure_account(self, action: Action) -> None:
        """Create a ServiceAccount that is not there, as whoever deploys the namespace's content does."""
        if (action.name, action.account) not in self._store.accounts:
            self._store.put_account(action.name, action.account, dict(action.annotations))

    def _set_role(self, action: Action) -> None:
        """Give a ServiceAccount another role, or take it away."""
        account = self._store.accounts.get((action.name, action.account))
        if account is not None:
            others = {key: value for key, value in account.annotations.items() if key != ROLE_ANNOTATION}
            role = {ROLE_ANNOTATION: action.text} if action.text else {}
            self._store.record.happened["role changed" if role else "role lost"] += 1
            self._store.store_account(replace(account, annotations={**others, **role}, writer=USER))

    def _take_out(self, action: Action) -> None:
        """Take the pull Secret out of a ServiceAccount, and put in something else."""
        account = self._store.accounts.get((action.name, action.account))
        if account is not None:
            left = tuple(name for name in account.pull_secrets if name != SECRET_NAME)
            self._store.store_account(replace(account, pull_secrets=(*left, "others"), writer=USER))

    def _delete(self, action: Action) -> None:
        for secret in self._store.secrets_in(action.name):
            self._store.drop_secret(action.name, USER, secret.name)

    def _replace(self, action: Action) -> None:
        names = [secret.name for secret in self._store.secrets_in(action.name)]
        self._delete(action)
        for name in dict.fromkeys([SECRET_NAME, *names]):
            self._store.put_secret_named(action.name, name, {"auths": dict(_FOREIGN)})

    def _edit(self, action: Action, secret: SecretVersion) -> None:
        notes, put = dict(secret.annotations), partial(self._put, secret)
        match action.do:
            case "edit" if not secret.immutable:
                put(auths=dict(_FOREIGN), owned=secret.owned - {"data"})
            case "edit-annotations":
                notes[f"{PREFIX}expires-at"] = "2099-01-01T00:00:00.000Z"
                put(annotations=notes, owned=secret.owned - {f"{PREFIX}expires-at"})
            case "garble-annotations":
                notes[f"{PREFIX}tokens"] = "{}"
                put(annotations=notes, owned=secret.owned - {f"{PREFIX}tokens"})
            case "strip":
                put(managed=False, owned=secret.owned - {"label"})
            case "freeze":
                put(immutable=True)
            case "free" if secret.immutable or not secret.managed:
                self._store.drop_secret(action.name, USER, secret.name)

    def _put(self, secret: SecretVersion, **fields: object) -> None:
        self._store.put_secret_named(secret.namespace, secret.name, fields)

    def _exists(self, name: str) -> bool:
        current = self._store.namespaces.get(name)
        return current is not None and current.status is not Status.TERMINATING
