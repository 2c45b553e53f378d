"""The pull Secret: its data, and the annotations that record what it holds."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pullkeeper.domain.ecr import registry_host
from pullkeeper.domain.ecr.credential import Password, TokenValidity, is_authorization
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.ecr.rotation import is_plausible
from pullkeeper.domain.ecr.token_scope import scope_label
from pullkeeper.domain.iam import identity, principal
from pullkeeper.domain.kube.timestamps import format_timestamp, parse_timestamp
from pullkeeper.domain.namespace import opt_in
from pullkeeper.domain.namespace.namespace import PREFIX
from pullkeeper.domain.namespace.opt_in import OptIn

SECRET_TYPE = "kubernetes.io/dockerconfigjson"  # noqa: S105 -- the type's name
DATA_KEY = ".dockerconfigjson"
MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "pullkeeper"
LABELS = {MANAGED_BY: MANAGER}

ISSUED_AT = f"{PREFIX}issued-at"
EXPIRES_AT = f"{PREFIX}expires-at"
REGISTRIES = f"{PREFIX}registries"
IDENTITY = f"{PREFIX}identity"
TOKENS = f"{PREFIX}tokens"
REFRESH = f"{PREFIX}refresh-requested-at"
OPTED_IN_BY = f"{PREFIX}opted-in-by"
PRINCIPAL = f"{PREFIX}principal"
WRITTEN_BY = f"{PREFIX}written-by"
"""Names the installation, for people and commands; no part of the record, since it says nothing of the content."""
_KEYS = frozenset({ISSUED_AT, EXPIRES_AT, REGISTRIES, IDENTITY, TOKENS})

_UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)
"""What parsing can raise for annotations and data that somebody else has edited."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SecretRecord:
    """What a pull Secret is said to hold by its annotations, without the passwords.

    The Secret is the tenant's object: a record is a hint about that Secret, and decides nothing for any other.
    """

    registries: tuple[RegistryHost, ...]
    identity: str
    """The name of the identity that the tokens were fetched as."""
    tokens: Mapping[str, TokenValidity]
    """By the label of the token's scope."""
    refresh_requested_at: str | None = None
    """The refresh request that this content has answered."""
    per_registry: Mapping[RegistryHost, TokenValidity] = field(default_factory=dict)
    """Registries that hold another token than their scope's youngest, because they refused it."""
    opted_in_by: OptIn | None = OptIn.ANNOTATION
    """What opted the namespace in when it was written; None if it does not say so."""
    principal: str = ""
    """The principal of its oldest token, where it is known and `identity` does not say it."""

    @classmethod
    def of(
        cls,
        held: Mapping[RegistryHost, TokenValidity],
        identity: str,
        refresh: str | None = None,
        opted_in_by: OptIn | None = OptIn.ANNOTATION,
        principal: str = "",
    ) -> "SecretRecord":
        """Return the record of a Secret that holds these tokens."""
        tokens: dict[str, TokenValidity] = {}
        for host, validity in held.items():
            label = scope_label(host)
            tokens[label] = max(
                validity, tokens.get(label, validity), key=lambda each: (each.expires_at, each.issued_at)
            )
        per_registry = {host: validity for host, validity in held.items() if validity != tokens[scope_label(host)]}
        return cls(
            registries=tuple(sorted(held)),
            identity=identity,
            tokens=tokens,
            refresh_requested_at=refresh,
            per_registry=per_registry,
            opted_in_by=opted_in_by,
            principal=principal,
        )

    def validity_of(self, host: RegistryHost) -> TokenValidity:
        """Return the validity of the token that a registry holds."""
        return self.per_registry.get(host) or self.tokens[scope_label(host)]

    @property
    def validities(self) -> tuple[TokenValidity, ...]:
        """The validity of every token in it."""
        return (*self.tokens.values(), *self.per_registry.values())

    @property
    def target(self) -> "Target":
        """What the Secret is for."""
        return Target(registries=self.registries, identity=self.identity)

    @property
    def expires_at(self) -> datetime:
        """When the first of its tokens expires."""
        return min(validity.expires_at for validity in self.validities)

    @property
    def keys(self) -> frozenset[str]:
        """The keys of `annotations()`."""
        return _KEYS | self._optional_annotations().keys()

    def annotations(self) -> dict[str, str]:
        """Return the annotations from which `read_record` restores the record."""
        earliest = min(self.validities, key=lambda validity: validity.expires_at)
        labelled = dict(sorted(self.tokens.items()))
        labelled |= {host.name: validity for host, validity in sorted(self.per_registry.items())}
        found = {
            ISSUED_AT: _format_time(earliest.issued_at),
            EXPIRES_AT: _format_time(earliest.expires_at),
            REGISTRIES: ",".join(host.name for host in self.registries),
            IDENTITY: self.identity,
            TOKENS: json.dumps({label: _validity_json(validity) for label, validity in labelled.items()}),
        }
        return found | self._optional_annotations()

    def _optional_annotations(self) -> dict[str, str]:
        given = {
            REFRESH: self.refresh_requested_at,
            OPTED_IN_BY: self.opted_in_by,
            PRINCIPAL: self.principal or None,
        }
        return {key: str(value) for key, value in given.items() if value is not None}


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """The registries that a pull Secret is said to be for, and the name of the identity of its tokens."""

    registries: tuple[RegistryHost, ...]
    identity: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PullSecret:
    """The whole content of a pull Secret, ready to be written."""

    record: SecretRecord
    auths: Mapping[RegistryHost, Password]

    def data(self) -> dict[str, str]:
        """Encode the data: entries with `auth` alone, which takes precedence over user name and password.

        Raise ValueError for an entry that the kubelet cannot read: it would fail every pull of a pod.
        """
        for host, auth in self.auths.items():
            if not is_authorization(auth.reveal()):
                raise ValueError(f"the entry of {host} is not base64 of AWS:<password>")
        auths = {host.name: {"auth": auth.reveal()} for host, auth in sorted(self.auths.items())}
        return {DATA_KEY: base64.b64encode(json.dumps({"auths": auths}).encode()).decode()}


def manifest(
    name: str, namespace: str, record: SecretRecord, data: Mapping[str, str], *, installation: str
) -> dict[str, Any]:
    """Return the Secret as this installation applies it."""
    metadata = {
        "name": name,
        "namespace": namespace,
        "labels": dict(LABELS),
        "annotations": {**record.annotations(), WRITTEN_BY: installation},
    }
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": SECRET_TYPE, "data": dict(data)}


def read_auths(data: Mapping[str, str]) -> dict[RegistryHost, Password]:
    """Parse the entries in a Secret's data, and skip what cannot be parsed."""
    try:
        entries = json.loads(base64.b64decode(data[DATA_KEY]))["auths"].items()
    except _UNREADABLE:
        return {}
    found = (_read_entry(host, entry) for host, entry in entries)
    return dict(filter(None, found))


def _read_entry(host: str, entry: object) -> tuple[RegistryHost, Password] | None:
    auth = entry.get("auth") if isinstance(entry, dict) else None
    if not isinstance(auth, str) or not is_authorization(auth):
        return None
    try:
        # Other tools, whose Secret may have been handed over, write the host with a scheme.
        return registry_host.parse(host.removeprefix("https://")), Password(auth)
    except ValueError:
        return None


def read_target(annotations: Mapping[str, str]) -> Target | None:
    """Parse what the Secret is for; None if its annotations were corrupted."""
    try:
        registries = tuple(
            registry_host.parse(name) for name in annotations[REGISTRIES].split(",", registry_host.MAX_REGISTRIES)
        )
        return Target(registries=registries, identity=identity.check_name(annotations[IDENTITY]))
    except _UNREADABLE:
        return None


def read_record(annotations: Mapping[str, str]) -> SecretRecord | None:
    """Parse the annotations of a record; None if they were corrupted."""
    target = read_target(annotations)
    if target is None:
        return None
    try:
        found = {label: _parse_validity(validity) for label, validity in json.loads(annotations[TOKENS]).items()}
        per_registry = {registry_host.parse(label): validity for label, validity in found.items() if _names_host(label)}
    except _UNREADABLE:
        return None
    tokens = {label: validity for label, validity in found.items() if not _names_host(label)}
    if {scope_label(host) for host in target.registries} != set(tokens):
        return None
    if not per_registry.keys() <= set(target.registries):
        return None
    return SecretRecord(
        registries=target.registries,
        identity=target.identity,
        tokens=tokens,
        refresh_requested_at=annotations.get(REFRESH),
        per_registry=per_registry,
        opted_in_by=opt_in.parse(annotations.get(OPTED_IN_BY)),
        principal=principal.parse(annotations.get(PRINCIPAL, principal.UNKNOWN)),
    )


def _names_host(label: str) -> bool:
    """Whether a label is a registry host: the name of a region has no dot."""
    return "." in label


def _format_time(moment: datetime) -> str:
    return format_timestamp(moment, "milliseconds")


def _validity_json(validity: TokenValidity) -> dict[str, str]:
    return {"issued-at": _format_time(validity.issued_at), "expires-at": _format_time(validity.expires_at)}


def _parse_validity(validity: Mapping[str, str]) -> TokenValidity:
    issued_at, expires_at = (parse_timestamp(validity[key]) for key in ("issued-at", "expires-at"))
    found = TokenValidity(issued_at=issued_at, expires_at=expires_at)
    if not is_plausible(found):
        raise ValueError(validity)
    return found
