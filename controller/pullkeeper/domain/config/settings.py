"""The installation's settings: from a document and the environment into one frozen value, or every problem at once."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pullkeeper.domain.config import fields
from pullkeeper.domain.config.fields import Field
from pullkeeper.domain.config.policy import ANYBODY, NO_NAMESPACE, NOBODY, Grant, Matcher, Policy, RoleGrant
from pullkeeper.domain.config.policy_parser import PolicyParser
from pullkeeper.domain.ecr.registry_host import FORM, RegistryHost
from pullkeeper.domain.ecr.rotation import Rotation
from pullkeeper.domain.errors.validation import InvalidInputError, Problem, quoted
from pullkeeper.domain.namespace import service_account_names
from pullkeeper.domain.namespace.service_account_names import NO_SERVICE_ACCOUNTS, ServiceAccountNames

VARIABLE_PREFIX = "PULLKEEPER_"

_POLICY_KEYS = ("roles", "controllerIdentity", "serviceAccountIdentity", "optIn")


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Everything that an installation can set. `read` fills it; each field's comment is its documentation."""

    secret_name: str = "ecr-pull-secret"  # noqa: S105 -- a name
    """Name of the pull Secret, the same in every namespace."""
    registries: tuple[RegistryHost, ...] = ()
    """Registry hosts of a namespace that names none itself."""
    cluster_name: str = "kubernetes"
    """Names the cluster in the sessions of assumed roles, for CloudTrail."""
    roles: tuple[RoleGrant, ...] = ()
    """Which roles which namespaces may use; none by default."""
    controller_identity: Grant = ANYBODY
    """Which namespaces may use the controller's own identity; all by default."""
    service_accounts: Grant = NOBODY
    """Which namespaces may fetch as a ServiceAccount of theirs; none by default, for it needs rights of its own."""
    opt_in: Matcher = NO_NAMESPACE
    """Namespaces that the installation opts in."""
    opt_in_exclude: Matcher = NO_NAMESPACE
    """Namespaces that it does not, although `opt_in` fits."""
    service_account_attachment: bool = False
    """Whether ServiceAccounts are touched at all: it needs rights of its own."""
    attach_to_service_accounts: ServiceAccountNames = NO_SERVICE_ACCOUNTS
    """ServiceAccounts that are to name the pull Secret, in a namespace that names none itself."""
    refresh_fraction: float = 0.5
    """A token is due after this part of its life."""
    refresh_jitter: timedelta = timedelta(minutes=10)
    """Namespaces are moved within this window, so that a rotation does not write them all at once."""
    max_token_age: timedelta = timedelta(hours=6)
    """A token is due at this age, whatever its life."""
    relist_interval: timedelta = timedelta(minutes=10)
    """Everything is listed anew so often, which finds what a watch has missed."""
    max_concurrent_reconciles: int = 16
    """So many namespaces are worked on at the same time."""
    allow_node_instance_role: bool = False
    """Whether the node's own role will do as the controller's identity."""
    watch_namespaces: tuple[str, ...] = ()
    """The only namespaces that are looked at; none named means all of the cluster."""
    leader_election: bool = False
    """Whether several replicas agree by a Lease on the one that acts."""
    lease_name: str = "pullkeeper"
    lease_namespace: str = "pullkeeper-system"
    lease_duration: timedelta = timedelta(seconds=15)
    """A leader that is gone without a word is replaced within this time."""
    verify: str = "off"
    """`new`: a token is tried at each registry before it is published; `continuous`: and again while it is."""
    verify_interval: timedelta = timedelta(minutes=15)
    """A published token is tried again so often, and one that has died is replaced within this time."""
    registry_ca_file: str = ""
    """CA certificates (PEM) to trust at registries; empty is the system's."""
    per_namespace_metrics: bool = True
    """Whether there is a series for each namespace: when its Secret expires."""
    http_port: int = 8080
    """Port of /healthz, /readyz and /metrics; 0 takes a free one."""
    http_host: str = ""
    """Address to bind that port to; empty is every one of the pod's."""
    log_format: str = "json"
    """`json` for machines, `text` for people."""
    log_level: str = "info"
    """`debug`, `info`, `warning` or `error`."""

    @property
    def policy(self) -> Policy:
        """Give what may change without a restart."""
        return Policy(
            registries=self.registries,
            cluster_name=self.cluster_name,
            roles=self.roles,
            controller_identity=self.controller_identity,
            service_accounts=self.service_accounts,
            opt_in=self.opt_in,
            opt_in_exclude=self.opt_in_exclude,
            attach_to=self.attach_to_service_accounts,
        )

    @property
    def rotation(self) -> Rotation:
        """Give the refresh rule."""
        return Rotation(fraction=self.refresh_fraction, jitter=self.refresh_jitter, max_token_age=self.max_token_age)


def read(document: object, environment: Mapping[str, str]) -> Settings:
    """Read the settings file's document (None: an empty file); variables `PULLKEEPER_…` go before it.

    Raises InvalidInputError with every problem: key, value found, form expected.
    """
    if not isinstance(document, Mapping | None):
        problem = Problem(where="the settings", found=quoted(document), expected="a mapping of keys to values")
        raise InvalidInputError([problem])
    given = dict(document or {})
    problems = [_unknown(key) for key in given if key not in {*_KINDS, *_POLICY_KEYS}]
    values: dict[str, Any] = {}
    for key, kind in _KINDS.items():
        variable = VARIABLE_PREFIX + _snake(key).upper()
        where, found = (variable, environment[variable]) if variable in environment else (key, given.get(key))
        if found is None:
            continue
        try:
            values[_snake(key)] = kind.parse(found)
        except (ValueError, TypeError, OverflowError) as error:
            expected = str(error) if isinstance(error, fields.FieldError) else kind.text
            problems.append(Problem(where=where, found=quoted(found), expected=expected))
    reader = PolicyParser()
    values |= _policy(given, reader)
    if values.get("attach_to_service_accounts") and not values.get("service_account_attachment"):
        problems.append(_NO_ATTACHMENT)
    if problems or reader.problems:
        raise InvalidInputError([*problems, *reader.problems])
    return Settings(**values)


def _policy(given: Mapping[Any, Any], reader: PolicyParser) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if given.get("roles") is not None:
        found["roles"] = reader.roles(given["roles"])
    if given.get("controllerIdentity") is not None:
        found["controller_identity"] = reader.grant(given["controllerIdentity"], "controllerIdentity", to_all=True)
    if given.get("serviceAccountIdentity") is not None:
        found["service_accounts"] = reader.grant(
            given["serviceAccountIdentity"], "serviceAccountIdentity", to_all=False
        )
    if given.get("optIn") is not None:
        found["opt_in"], found["opt_in_exclude"] = reader.opt_in(given["optIn"])
    return found


def _unknown(key: object) -> Problem:
    return Problem(where=str(key), found="an unknown key", expected=f"one of {', '.join((*_KINDS, *_POLICY_KEYS))}")


def _snake(key: str) -> str:
    return re.sub(r"([A-Z])", r"_\1", key).lower()


_NO_ATTACHMENT = Problem(
    where="attachToServiceAccounts",
    found="names of ServiceAccounts, none of which may be touched",
    expected="serviceAccountAttachment: true beside it (and the rights that it needs), or no names",
)

_SECOND, _DAY = timedelta(seconds=1), timedelta(days=1)

_NAME_FORM = "lower case letters, digits, '-' and '.', at most 253"

_KINDS: Mapping[str, Field] = {
    "secretName": Field(f"a Secret's name: {_NAME_FORM}", fields.name),
    "registries": Field(f"a list of registry hosts: {FORM}", fields.registries),
    "clusterName": Field("a name of letters, digits and ._-, at most 40", fields.cluster_name),
    "watchNamespaces": Field(f"a list of Namespaces' names: {_NAME_FORM}", fields.names),
    "serviceAccountAttachment": Field("true or false", fields.flag),
    "attachToServiceAccounts": Field(f"a list of {service_account_names.FORM}", fields.accounts),
    "refreshFraction": Field("a number from 0.1 to 0.9", fields.number(0.1, 0.9)),
    "refreshJitter": fields.lasting(timedelta(), timedelta(hours=2), "at most 2h"),
    "maxTokenAge": fields.lasting(10 * _SECOND, timedelta(hours=12), "from 10s to 12h"),
    "relistInterval": fields.lasting(_SECOND, _DAY, "from 1s to 24h"),
    "maxConcurrentReconciles": Field("a whole number from 2 to 256", fields.whole(2, 256)),
    "allowNodeInstanceRole": Field("true or false", fields.flag),
    "leaderElection": Field("true or false", fields.flag),
    "leaseName": Field(f"a Lease's name: {_NAME_FORM}", fields.name),
    "leaseNamespace": Field(f"a Namespace's name: {_NAME_FORM}", fields.name),
    "leaseDuration": fields.lasting(3 * _SECOND, 300 * _SECOND, "from 3s to 5m"),
    "verify": Field("one of off, new, continuous", fields.verify),
    "verifyInterval": fields.lasting(5 * _SECOND, timedelta(hours=12), "from 5s to 12h"),
    "registryCaFile": Field("the path of a file", fields.text),
    "perNamespaceMetrics": Field("true or false", fields.flag),
    "httpPort": Field("a port number from 0 to 65535", fields.whole(0, 65535)),
    "httpHost": Field("an address to bind to", fields.text),
    "logFormat": fields.one_of("json", "text"),
    "logLevel": fields.one_of("debug", "info", "warning", "error"),
}
