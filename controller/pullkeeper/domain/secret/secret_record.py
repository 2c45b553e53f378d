"""The annotations of a pull Secret, which record what it holds and what it is for."""

import json
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from pullkeeper.domain.ecr import registry_host
from pullkeeper.domain.ecr.credential import TokenValidity
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.ecr.rotation import is_plausible
from pullkeeper.domain.ecr.token_scope import scope_label
from pullkeeper.domain.iam import identity, principal
from pullkeeper.domain.kube.timestamps import format_timestamp, parse_timestamp
from pullkeeper.domain.namespace import opt_in
from pullkeeper.domain.namespace.installation_class import DEFAULT_CLASS, is_class
from pullkeeper.domain.namespace.namespace import PREFIX
from pullkeeper.domain.namespace.opt_in import OptIn

ISSUED_AT = f"{PREFIX}issued-at"
EXPIRES_AT = f"{PREFIX}expires-at"
REGISTRIES = f"{PREFIX}registries"
IDENTITY = f"{PREFIX}identity"
TOKENS = f"{PREFIX}tokens"
REFRESH = f"{PREFIX}refresh-requested-at"
OPTED_IN_BY = f"{PREFIX}opted-in-by"
PRINCIPAL = f"{PREFIX}principal"
CLASS = f"{PREFIX}class"
_KEYS = frozenset({ISSUED_AT, EXPIRES_AT, REGISTRIES, IDENTITY, TOKENS})
_READ = (REGISTRIES, IDENTITY, TOKENS, PRINCIPAL, REFRESH, OPTED_IN_BY, CLASS)
"""All that a record is read from: nothing else of the annotations reaches it."""
_SHARED_RECORDS = 512
"""So many records are remembered: a rotation goes through one after the other, each for all its namespaces."""
_SHARED_TEXTS = 64
"""So many texts of what is written are remembered: fewer than records, for they may be of many registries."""
_MAX_SHARED = 4096
"""Characters; a record of longer annotations, as a tenant may write, is not remembered."""

UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)
"""What parsing can raise for annotations and data that somebody else has edited."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SecretRecord:
    """What a pull Secret is said to hold by its annotations, without the passwords.

    The Secret is the tenant's object: a record is a hint about that Secret, and decides nothing for any other.
    """

    held: Mapping[RegistryHost, TokenValidity]
    """The validity of each registry's token."""
    identities: Mapping[RegistryHost, str]
    """The name of the identity that each registry's token was fetched as."""
    principals: Mapping[str, str] = field(default_factory=dict)
    """The principal of each identity's oldest token, where it is known and the name does not say it."""
    refresh_requested_at: str | None = None
    """The refresh request that this content has answered."""
    opted_in_by: OptIn | None = OptIn.ANNOTATION
    """What opted the namespace in when it was written; None if it does not say so."""
    installation_class: str = DEFAULT_CLASS
    """The class of the installation that wrote it."""

    @property
    def registries(self) -> tuple[RegistryHost, ...]:
        """Every registry in it."""
        return tuple(sorted(self.held))

    @property
    def tokens(self) -> Mapping[str, TokenValidity]:
        """The youngest token by the label of its scope, whatever the identity."""
        found: dict[str, TokenValidity] = {}
        for host, validity in self.held.items():
            label = scope_label(host)
            found[label] = _younger(validity, found.get(label))
        return found

    @property
    def per_registry(self) -> Mapping[RegistryHost, TokenValidity]:
        """Registries that hold another token than the youngest of that label."""
        tokens = self.tokens
        return {host: validity for host, validity in self.held.items() if validity != tokens[scope_label(host)]}

    @property
    def shared(self) -> Mapping[tuple[str, str], TokenValidity]:
        """The youngest token by identity and label: what a registry without an entry of its own may take."""
        found: dict[tuple[str, str], TokenValidity] = {}
        for host, validity in self.held.items():
            key = self.identities[host], scope_label(host)
            found[key] = _younger(validity, found.get(key))
        return found

    @property
    def validities(self) -> tuple[TokenValidity, ...]:
        """The validity of every token in it."""
        return self.validities_but(())

    def validities_but(self, left_out: Container[RegistryHost]) -> tuple[TokenValidity, ...]:
        """Return the validity of every token that a registry beside these has."""
        return tuple(dict.fromkeys(each for host, each in self.held.items() if host not in left_out))

    def is_of_another(self, identity: str, current: str) -> bool:
        """Whether the tokens of an identity are known to be of another principal than the current one."""
        return principal.differ(self.principals.get(identity, principal.UNKNOWN), current)

    @property
    def target(self) -> "Target":
        """What the Secret is for."""
        return Target(identities=self.identities)

    @property
    def expires_at(self) -> datetime:
        """When the first of its tokens expires."""
        return min(validity.expires_at for validity in self.held.values())

    @property
    def keys(self) -> frozenset[str]:
        """The keys of `annotations()`."""
        return _KEYS.union(self._own_annotations(), (PRINCIPAL,) if any(self.principals.values()) else ())

    def annotations(self) -> dict[str, str]:
        """Return the annotations from which `read_record` restores the record; only for what is written."""
        tokens = shared_annotations(*(tuple(each.items()) for each in (self.held, self.identities, self.principals)))
        return tokens | self._own_annotations()

    def _own_annotations(self) -> dict[str, str]:
        """Return those that may be of this namespace alone."""
        given = {
            REFRESH: self.refresh_requested_at,
            OPTED_IN_BY: self.opted_in_by,
            CLASS: self.installation_class or None,
        }
        return {key: str(value) for key, value in given.items() if value is not None}

    def token_annotations(self) -> dict[str, str]:
        """Return those that say what the tokens are."""
        earliest = min(self.validities, key=lambda validity: validity.expires_at)
        labelled = dict(sorted(self.tokens.items()))
        labelled |= {host.name: validity for host, validity in sorted(self.per_registry.items())}
        who = _principals_text(self.principals, set(self.identities.values()))
        return {
            ISSUED_AT: _format_time(earliest.issued_at),
            EXPIRES_AT: _format_time(earliest.expires_at),
            REGISTRIES: ",".join(host.name for host in self.registries),
            IDENTITY: _identities_text(self.identities),
            TOKENS: json.dumps({label: _validity_json(validity) for label, validity in labelled.items()}),
            **({} if who is None else {PRINCIPAL: who}),
        }


@lru_cache(maxsize=_SHARED_TEXTS)
def shared_annotations(
    held: tuple[tuple[RegistryHost, TokenValidity], ...],
    identities: tuple[tuple[RegistryHost, str], ...],
    principals: tuple[tuple[str, str], ...],
) -> dict[str, str]:
    """Word them once for all namespaces that a rotation brings the same tokens; nobody may change the result."""
    return SecretRecord(held=dict(held), identities=dict(identities), principals=dict(principals)).token_annotations()


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """The registries that a pull Secret is said to be for, each with the name of the identity of its token."""

    identities: Mapping[RegistryHost, str]

    @property
    def registries(self) -> tuple[RegistryHost, ...]:
        """Every registry."""
        return tuple(sorted(self.identities))


def hosts_by_identity(identities: Mapping[RegistryHost, str]) -> dict[str, list[RegistryHost]]:
    """Return the registries of each identity, all in order."""
    found: dict[str, list[RegistryHost]] = {name: [] for name in sorted(set(identities.values()))}
    for host, name in sorted(identities.items()):
        found[name].append(host)
    return found


def read_target(annotations: Mapping[str, str]) -> Target | None:
    """Parse what the Secret is for; None if its annotations were corrupted."""
    try:
        # Of more than there can be, the rest is one name, and invalid.
        names = annotations[REGISTRIES].split(",", registry_host.MAX_REGISTRIES - 1)
        registries = [registry_host.parse(name) for name in names]
        return Target(identities=_read_identities(annotations[IDENTITY], registries))
    except UNREADABLE:
        return None


def read_record(annotations: Mapping[str, str]) -> SecretRecord | None:
    """Parse the annotations of a record; None if they were corrupted.

    Secrets that say the same have the same record, which is one object in memory for all of them.
    """
    said = tuple((key, annotations[key]) for key in _READ if key in annotations)
    if all(isinstance(text, str) for _, text in said) and sum(len(text) for _, text in said) <= _MAX_SHARED:
        return read_shared(said)
    return _read(dict(said))


@lru_cache(maxsize=_SHARED_RECORDS)
def read_shared(said: tuple[tuple[str, str], ...]) -> SecretRecord | None:
    """Return the one record of these annotations; use `read_record`, which bounds their length."""
    return _read(dict(said))


def _read(annotations: Mapping[str, str]) -> SecretRecord | None:
    target = read_target(annotations)
    if target is None:
        return None
    try:
        tokens = {label: _parse_validity(validity) for label, validity in json.loads(annotations[TOKENS]).items()}
    except UNREADABLE:
        return None
    labels = {host: scope_label(host) for host in target.registries}
    own = {host.name for host in target.registries} & tokens.keys()
    if set(labels.values()) != tokens.keys() - own:
        return None
    return SecretRecord(
        held={host: tokens.get(host.name) or tokens[label] for host, label in labels.items()},
        identities=target.identities,
        principals=_read_principals(annotations, set(target.identities.values())),
        refresh_requested_at=annotations.get(REFRESH),
        opted_in_by=opt_in.parse(annotations.get(OPTED_IN_BY)),
        installation_class=read_class(annotations),
    )


def read_class(annotations: Mapping[str, str]) -> str:
    """Parse the class of the installation that wrote the Secret; what is invalid is read as the default."""
    found = annotations.get(CLASS, DEFAULT_CLASS)
    return found if is_class(found) else DEFAULT_CLASS


def _younger(one: TokenValidity, other: TokenValidity | None) -> TokenValidity:
    return max(one, other or one, key=lambda each: (each.expires_at, each.issued_at))


def _identities_text(identities: Mapping[RegistryHost, str]) -> str:
    """Return the name of the identity; of several, each with its registries."""
    found = hosts_by_identity(identities)
    if len(found) == 1:
        return next(iter(found))
    return json.dumps({name: [host.name for host in hosts] for name, hosts in found.items()})


def _read_identities(text: str, registries: list[RegistryHost]) -> Mapping[RegistryHost, str]:
    """Parse the identity of each registry; raises one of UNREADABLE."""
    if not text.startswith("{"):
        return dict.fromkeys(sorted(registries), identity.check_name(text))
    named = [(registry_host.parse(host), name) for name, hosts in json.loads(text).items() for host in hosts]
    found = {host: identity.check_name(name) for host, name in sorted(named)}
    if len(named) != len(found) or found.keys() != set(registries):
        raise ValueError(text)
    return found


def _principals_text(principals: Mapping[str, str], names: set[str]) -> str | None:
    """Return the principal of the only identity, or each known one by its identity; None where none is known."""
    known = {name: found for name, found in sorted(principals.items()) if found}
    if not known:
        return None
    return json.dumps(known) if len(names) > 1 else next(iter(known.values()))


def _read_principals(annotations: Mapping[str, str], names: set[str]) -> Mapping[str, str]:
    """Parse the principals of these identities, without those that have no known form."""
    try:
        text = annotations[PRINCIPAL]
        given = json.loads(text) if text.startswith("{") else dict.fromkeys(names, text)
        found = {name: principal.parse(given.get(name, principal.UNKNOWN)) for name in sorted(names)}
    except UNREADABLE:
        return {}
    return {name: known for name, known in found.items() if known != principal.UNKNOWN}


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
