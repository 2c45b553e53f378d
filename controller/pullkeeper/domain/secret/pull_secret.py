"""The pull Secret: what is written into it, and what its metadata tells of it afterwards."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pullkeeper.domain.ecr import registry_host
from pullkeeper.domain.ecr.credential import Password, TokenValidity, is_authorization
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.ecr.registry_probe import RegistryCredential
from pullkeeper.domain.ecr.token_scope import TokenScope
from pullkeeper.domain.iam import identity
from pullkeeper.domain.iam.identity import Identity
from pullkeeper.domain.kube.timestamps import format_timestamp, parse_timestamp
from pullkeeper.domain.namespace.namespace import PREFIX

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
_KEYS = frozenset({ISSUED_AT, EXPIRES_AT, REGISTRIES, IDENTITY, TOKENS})

_UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)
"""What reading can raise when somebody else has had a hand in the text: it may hold anything at all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SecretRecord:
    """What a pull Secret holds, by its own annotations; the passwords are not among them."""

    registries: tuple[RegistryHost, ...]
    identity: Identity
    tokens: Mapping[TokenScope, TokenValidity]
    refresh_requested_at: str | None = None
    """The `refresh` request that this content has answered."""
    per_registry: Mapping[RegistryHost, TokenValidity] = field(default_factory=dict)
    """Registries that hold another token than the youngest of their scope: one that refuses that keeps an older."""

    @classmethod
    def of(
        cls, held: Mapping[RegistryHost, TokenValidity], identity: Identity, refresh: str | None = None
    ) -> "SecretRecord":
        """Describe what each registry holds."""
        tokens: dict[TokenScope, TokenValidity] = {}
        for host, times in held.items():
            scope = TokenScope.of(host, identity)
            tokens[scope] = max(times, tokens.get(scope, times), key=lambda each: (each.expires_at, each.issued_at))
        apart = {host: times for host, times in held.items() if times != tokens[TokenScope.of(host, identity)]}
        return cls(
            registries=tuple(sorted(held)),
            identity=identity,
            tokens=tokens,
            refresh_requested_at=refresh,
            per_registry=apart,
        )

    def validity_of(self, host: RegistryHost) -> TokenValidity:
        """Tell the times of the token that a registry of it holds."""
        return self.per_registry.get(host) or self.tokens[TokenScope.of(host, self.identity)]

    @property
    def credentials(self) -> tuple[RegistryCredential, ...]:
        """List which token it holds for which registry."""
        return tuple(
            RegistryCredential(identity=self.identity, host=host, validity=self.validity_of(host))
            for host in self.registries
        )

    @property
    def validities(self) -> tuple[TokenValidity, ...]:
        """Tell the times of every token in it."""
        return (*self.tokens.values(), *self.per_registry.values())

    @property
    def target(self) -> "Target":
        """Tell what the Secret is for."""
        return Target(registries=self.registries, identity=self.identity)

    @property
    def expires_at(self) -> datetime:
        """Tell when the first of its tokens dies."""
        return min(times.expires_at for times in self.validities)

    @property
    def keys(self) -> frozenset[str]:
        """Tell the keys of the annotations, without writing them."""
        return _KEYS if self.refresh_requested_at is None else _KEYS | {REFRESH}

    def annotations(self) -> dict[str, str]:
        """Write it down as annotations: all that a restart must know."""
        earliest = min(self.validities, key=lambda times: times.expires_at)
        labelled = {scope.label: times for scope, times in sorted(self.tokens.items())}
        labelled |= {host.name: times for host, times in sorted(self.per_registry.items())}
        found = {
            ISSUED_AT: _text(earliest.issued_at),
            EXPIRES_AT: _text(earliest.expires_at),
            REGISTRIES: ",".join(host.name for host in self.registries),
            IDENTITY: self.identity.name,
            TOKENS: json.dumps({label: _times(times) for label, times in labelled.items()}),
        }
        return found if self.refresh_requested_at is None else found | {REFRESH: self.refresh_requested_at}


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """Which registries a pull Secret is for, as whom."""

    registries: tuple[RegistryHost, ...]
    identity: Identity


@dataclass(frozen=True, kw_only=True, slots=True)
class PullSecret:
    """A pull Secret's whole content, ready to be written."""

    record: SecretRecord
    auths: Mapping[RegistryHost, Password]

    def data(self) -> dict[str, str]:
        """Encode the Secret's data; the kubelet's file holds `auth` alone, which overrides user and password anyway.

        Raises ValueError for an entry that the kubelet could not read: one such fails every pull of a pod.
        """
        for host, auth in self.auths.items():
            if not is_authorization(auth.reveal()):
                raise ValueError(f"the entry of {host} is not base64 of AWS:<password>")
        auths = {host.name: {"auth": auth.reveal()} for host, auth in sorted(self.auths.items())}
        return {DATA_KEY: base64.b64encode(json.dumps({"auths": auths}).encode()).decode()}


def manifest(name: str, namespace: str, published: SecretRecord, data: Mapping[str, str]) -> dict[str, Any]:
    """Give the Secret as it is applied."""
    metadata = {
        "name": name,
        "namespace": namespace,
        "labels": dict(LABELS),
        "annotations": published.annotations(),
    }
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": SECRET_TYPE, "data": dict(data)}


def read_auths(data: Mapping[str, str]) -> dict[RegistryHost, Password]:
    """Read the entries back from a Secret's data; what cannot be read is left out."""
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
        # Other tools, whose Secret may have been handed over, write the endpoint with its scheme.
        return registry_host.parse(host.removeprefix("https://")), Password(auth)
    except ValueError:
        return None


def read_target(annotations: Mapping[str, str]) -> Target | None:
    """Read back what the Secret is for; None where somebody has made it unreadable."""
    try:
        registries = tuple(
            registry_host.parse(name) for name in annotations[REGISTRIES].split(",", registry_host.MAX_REGISTRIES)
        )
        return Target(registries=registries, identity=identity.parse(annotations[IDENTITY]))
    except _UNREADABLE:
        return None


def read_record(annotations: Mapping[str, str]) -> SecretRecord | None:
    """Read back what `SecretRecord.annotations` wrote; None where somebody has made it unreadable."""
    purpose = read_target(annotations)
    if purpose is None:
        return None
    try:
        found = {label: _read_times(times) for label, times in json.loads(annotations[TOKENS]).items()}
        apart = {registry_host.parse(label): times for label, times in found.items() if _names_host(label)}
    except _UNREADABLE:
        return None
    labels = {label: times for label, times in found.items() if not _names_host(label)}
    tokens = {TokenScope.from_label(label, purpose.identity): times for label, times in labels.items()}
    if {TokenScope.of(host, purpose.identity) for host in purpose.registries} != set(tokens):
        return None
    if not apart.keys() <= set(purpose.registries):
        return None
    return SecretRecord(
        registries=purpose.registries,
        identity=purpose.identity,
        tokens=tokens,
        refresh_requested_at=annotations.get(REFRESH),
        per_registry=apart,
    )


def _names_host(label: str) -> bool:
    """Whether a label is that of a registry: no region's name has a dot."""
    return "." in label


def _text(moment: datetime) -> str:
    return format_timestamp(moment, "milliseconds")


def _times(times: TokenValidity) -> dict[str, str]:
    return {"issued-at": _text(times.issued_at), "expires-at": _text(times.expires_at)}


def _read_times(times: Mapping[str, str]) -> TokenValidity:
    return TokenValidity(issued_at=parse_timestamp(times["issued-at"]), expires_at=parse_timestamp(times["expires-at"]))
