"""The settings of an installation: from the settings file and the environment to one frozen value."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from pullkeeper.domain.config import fields, mappings
from pullkeeper.domain.config.additional_secrets import ADDITIONAL_SECRET, AdditionalSecret, AdditionalSecretsParser
from pullkeeper.domain.config.fields import Field, FieldError
from pullkeeper.domain.config.policy import Policy
from pullkeeper.domain.ecr.registry_host import FORM
from pullkeeper.domain.ecr.rotation import Rotation
from pullkeeper.domain.errors.validation import InvalidInputError, Problem, quoted
from pullkeeper.domain.iam import roles_anywhere
from pullkeeper.domain.iam.roles_anywhere import RolesAnywhere
from pullkeeper.domain.namespace import service_account_names
from pullkeeper.domain.namespace.installation_class import CLASS_FORM
from pullkeeper.domain.namespace.service_account_names import NO_SERVICE_ACCOUNTS, ServiceAccountNames

VARIABLE_PREFIX = "PULLKEEPER_"
_SECRET_NAME = "ecr-pull-secret"  # noqa: S105 -- a name


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Everything that an installation can set; `parse_settings` returns it."""

    policy: Policy = field(default_factory=Policy)
    """What the installation allows. The only part that is reloaded without a restart, but for `identities`."""
    rotation: Rotation = field(default_factory=Rotation)
    """When tokens are replaced."""
    secret_name: str = _SECRET_NAME
    """Name of the pull Secret, the same in every namespace."""
    additional_secrets: tuple[AdditionalSecret, ...] = ()
    """Secrets of other shapes, for readers that do not read the pull Secret."""
    service_account_attachment: bool = False
    """Whether ServiceAccounts are watched and patched at all; this needs additional RBAC rules."""
    watched_service_accounts: ServiceAccountNames = NO_SERVICE_ACCOUNTS
    """Those among the ServiceAccounts that tokens are fetched as whose changes RBAC allows to watch."""
    relist_interval: timedelta = timedelta(minutes=10)
    """How often everything is listed again, to find what a watch has missed."""
    max_concurrent_reconciles: int = 16
    """How many namespaces are reconciled at the same time."""
    allow_node_instance_role: bool = False
    """Whether to allow falling back to the EC2 instance role."""
    roles_anywhere: RolesAnywhere | None = None
    """The controller's identity, if it is one of IAM Roles Anywhere."""
    opt_out_grace: timedelta = timedelta(minutes=15)
    """How long a pull Secret outlives an opt-in that has vanished from the settings."""
    watch_namespaces: tuple[str, ...] = ()
    """The only namespaces to watch; empty means the whole cluster."""
    leader_election: bool = False
    """Whether replicas elect a leader by a Lease."""
    lease_name: str = "pullkeeper"
    lease_namespace: str = "pullkeeper-system"
    lease_duration: timedelta = timedelta(seconds=15)
    """A leader that disappears is replaced within this time."""
    verify: str = "off"
    """`new`: try each new token at its registries before publishing it; `continuous`: retry published ones as well."""
    verify_interval: timedelta = timedelta(minutes=15)
    """How often published tokens are tried again; a revoked one is replaced within this time."""
    registry_ca_file: str = ""
    """File of CA certificates (PEM) to trust at registries; empty means the system's."""
    per_namespace_metrics: bool = True
    """Whether the expiry of pull Secrets has one series per namespace."""
    http_port: int = 8080
    """Port of /healthz, /readyz and /metrics; 0 picks a free one."""
    http_host: str = ""
    """Address to bind that port to; empty means all addresses."""
    log_format: str = "json"
    """`json` or `text`."""
    log_level: str = "info"
    """`debug`, `info`, `warning` or `error`."""

    @property
    def watched_names(self) -> tuple[str, ...]:
        """Names of the ServiceAccounts to watch for their roles, "*" for all; none if attaching watches all already."""
        if self.service_account_attachment:
            return ()
        accounts = self.watched_service_accounts
        return (service_account_names.ALL,) if accounts.every else tuple(sorted(accounts.names))

    @property
    def installation(self) -> str:
        """What names the installation in the cluster: the Lease that it has, or would have."""
        return f"{self.lease_namespace}/{self.lease_name}"


def parse_settings(document: object, environment: Mapping[str, str]) -> Settings:
    """Parse the settings file's document (None for an empty file); variables `PULLKEEPER_…` take precedence.

    Raises InvalidInputError with every problem: the key, the value found and what is expected.
    """
    if not isinstance(document, Mapping | None):
        problem = Problem(where="the settings", found=quoted(document), expected="a mapping of keys to values")
        raise InvalidInputError([problem])
    given = dict(document or {})
    values, problems = _parse_fields(given, environment)
    parser = AdditionalSecretsParser()
    policy = _policy(values, given, parser)
    if "additionalSecrets" in given:
        name = values.get("secret_name", _SECRET_NAME)
        values["additional_secrets"] = parser.additional_secrets(given["additionalSecrets"], name)
    rotation = Rotation(**_take(values, _ROTATION_FIELDS))
    if policy.attach_to and not values.get("service_account_attachment"):
        problems.append(_NO_ATTACHMENT)
    problems = [*_unknown_keys(given), *problems, *parser.problems]
    if problems:
        raise InvalidInputError(problems)
    return Settings(policy=policy, rotation=rotation, **values)


def _parse_fields(given: Mapping[Any, Any], environment: Mapping[str, str]) -> tuple[dict[str, Any], list[Problem]]:
    """Parse every setting that is given, by its name in snake case; the second part is the problems."""
    values: dict[str, Any] = {}
    problems = []
    for key, spec in FIELDS.items():
        name = _snake_case(key)
        variable = VARIABLE_PREFIX + name.upper()
        where, found = (variable, environment[variable]) if variable in environment else (key, given.get(key))
        if found is None:
            continue
        try:
            values[name] = spec.parse(found)
        except (ValueError, TypeError, OverflowError) as error:
            expected = str(error) if isinstance(error, FieldError) else spec.expected
            problems.append(Problem(where=where, found=quoted(found), expected=expected))
    return values, problems


def _policy(values: dict[str, Any], given: Mapping[Any, Any], parser: AdditionalSecretsParser) -> Policy:
    policy = _take(values, _POLICY_FIELDS)
    # A key without a value is a slip: to read it as the default would withdraw what it is there for, or allow all.
    if "roles" in given:
        policy["roles"] = parser.roles(given["roles"])
    if "identities" in given:
        policy["identities"] = parser.identities(given["identities"])
    if "controllerIdentity" in given:
        policy["controller_identity"] = parser.controller_identity(given["controllerIdentity"])
    if "serviceAccountIdentity" in given:
        policy["service_accounts"], policy["audiences"] = parser.service_accounts(given["serviceAccountIdentity"])
    if policy.setdefault("opt_in_stated", "optIn" in given):
        policy["opt_in"], policy["opt_in_exclude"] = parser.opt_in(given["optIn"])
    return Policy(**policy)


def _take(values: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Move the settings of these names into a dictionary of their own, under their field names there."""
    return {target: values.pop(name) for name, target in names.items() if name in values}


def _unknown_keys(given: Mapping[Any, Any]) -> Iterator[Problem]:
    """Report every unknown key, and list the known ones once: they would fill a message that repeats them."""
    expected = f"one of {', '.join(_ALL_KEYS)}"
    for key in given:
        if key not in _ALL_KEYS:
            yield Problem(where=quoted(key).strip('"'), found="an unknown key", expected=expected)
            expected = "one of the same"


def _snake_case(key: str) -> str:
    return re.sub(r"([A-Z])", r"_\1", key).lower()


_NO_ATTACHMENT = Problem(
    where="attachToServiceAccounts",
    found="ServiceAccounts, although serviceAccountAttachment is off",
    expected="serviceAccountAttachment: true (and the RBAC rules that it needs), or no names",
)

_POLICY_FIELDS = {
    "class": "installation_class",
    "registries": "registries",
    "cluster_name": "cluster_name",
    "attach_to_service_accounts": "attach_to",
    "pod_injection": "pod_injection",
    "excluded_namespaces": "excluded_namespaces",
    "admission_fence": "admission_fence",
}
_ROTATION_FIELDS = {"refresh_fraction": "fraction", "refresh_jitter": "jitter", "max_token_age": "max_token_age"}

_SECOND, _DAY = timedelta(seconds=1), timedelta(days=1)

_NAME_FORM = "lower case letters, digits, '-' and '.', at most 253"

_SERVICE_ACCOUNTS = fields.texts(f"a list of {service_account_names.FORM}", fields.parse_service_accounts)
_ROLES_ANYWHERE = mappings.mapping(dict.fromkeys(roles_anywhere.KEYS, mappings.TEXT), roles_anywhere.KEYS)
FIELDS: Mapping[str, Field] = {
    "secretName": Field(f"a Secret's name: {_NAME_FORM}", fields.parse_name),
    "class": Field(CLASS_FORM, fields.parse_class),
    "registries": fields.texts(f"a list of registry hosts: {FORM}", fields.parse_registry_hosts),
    "clusterName": Field("a name of at most 40 letters, digits, '.', '_' and '-'", fields.parse_cluster_name),
    "excludedNamespaces": fields.texts(
        "a list of Namespace names in lower case, where * matches any characters", fields.parse_namespace_patterns
    ),
    "watchNamespaces": fields.texts(f"a list of Namespace names: {_NAME_FORM}", fields.parse_names),
    "serviceAccountAttachment": fields.flag(),
    "attachToServiceAccounts": _SERVICE_ACCOUNTS,
    "watchedServiceAccounts": _SERVICE_ACCOUNTS,
    "refreshFraction": fields.number(0.1, 0.9),
    "refreshJitter": fields.duration(timedelta(), timedelta(hours=2), "at most 2h"),
    "maxTokenAge": fields.duration(10 * _SECOND, timedelta(hours=12), "from 10s to 12h"),
    "relistInterval": fields.duration(_SECOND, _DAY, "from 1s to 24h"),
    "optOutGrace": fields.duration(timedelta(), timedelta(hours=6), "at most 6h"),
    "maxConcurrentReconciles": fields.integer(2, 256),
    "allowNodeInstanceRole": fields.flag(),
    "rolesAnywhere": Field(roles_anywhere.FORM, fields.parse_roles_anywhere, _ROLES_ANYWHERE),
    "podInjection": fields.flag(),
    "admissionFence": fields.flag(),
    "leaderElection": fields.flag(),
    "leaseName": Field(f"a Lease's name: {_NAME_FORM}", fields.parse_name),
    "leaseNamespace": Field(f"a Namespace's name: {_NAME_FORM}", fields.parse_name),
    "leaseDuration": fields.duration(3 * _SECOND, 300 * _SECOND, "from 3s to 5m"),
    "verify": Field("one of off, new, continuous", fields.parse_verify),
    "verifyInterval": fields.duration(5 * _SECOND, timedelta(hours=12), "from 5s to 12h"),
    "registryCaFile": Field("the path of a file", fields.parse_text),
    "perNamespaceMetrics": fields.flag(),
    "httpPort": fields.integer(0, 65535, "a port number"),
    "httpHost": Field("an address to bind to", fields.parse_text),
    "logFormat": fields.choice("json", "text"),
    "logLevel": fields.choice("debug", "info", "warning", "error"),
}
MAPPINGS: Mapping[str, mappings.Schema] = {
    "additionalSecrets": mappings.each(mappings.mapping(ADDITIONAL_SECRET, ["name", "shape", "registry"])),
    "roles": mappings.each(mappings.mapping(mappings.ROLE)),
    "controllerIdentity": mappings.mapping(mappings.GRANT),
    "serviceAccountIdentity": mappings.mapping(mappings.SERVICE_ACCOUNT_IDENTITY),
    "optIn": mappings.mapping(mappings.OPT_IN),
}
"""The settings that hold mappings, as JSON Schema; `identities` the chart has in a form of its own."""
_ALL_KEYS = (*FIELDS, *MAPPINGS, "identities")
