"""Each setting, with valid and invalid values."""

import re
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest
import yaml

from pullkeeper.domain.config.policy import Policy
from pullkeeper.domain.config.settings import Settings, parse_settings
from pullkeeper.domain.ecr.registry_host import FORM
from pullkeeper.domain.ecr.rotation import Rotation
from pullkeeper.domain.errors.validation import InvalidInputError, Problem
from pullkeeper.domain.iam import roles_anywhere
from pullkeeper.domain.namespace.service_account_names import NO_SERVICE_ACCOUNTS, ServiceAccountNames
from testsupport.examples import EU, PUBLIC

DURATION = 'a duration such as "90s", "10m" or "1h30m"'
NAME = "lower case letters, digits, '-' and '.', at most 253"
FORMS = {
    "secretName": f"a Secret's name: {NAME}",
    "class": (
        "a class: at most 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends; "
        "or nothing for the default class"
    ),
    "registries": f"a list of registry hosts: {FORM}",
    "clusterName": "a name of at most 40 letters, digits, '.', '_' and '-'",
    "excludedNamespaces": "a list of Namespace names in lower case, where * matches any characters",
    "watchNamespaces": f"a list of Namespace names: {NAME}",
    "serviceAccountAttachment": "true or false",
    "attachToServiceAccounts": 'a list of at most 200 names of ServiceAccounts, or "*" alone for all of the namespace',
    "watchedServiceAccounts": 'a list of at most 200 names of ServiceAccounts, or "*" alone for all of the namespace',
    "refreshFraction": "a number from 0.1 to 0.9",
    "refreshJitter": f"{DURATION}, at most 2h",
    "maxTokenAge": f"{DURATION}, from 10s to 12h",
    "relistInterval": f"{DURATION}, from 1s to 24h",
    "optOutGrace": f"{DURATION}, at most 6h",
    "maxConcurrentReconciles": "a whole number from 2 to 256",
    "allowNodeInstanceRole": "true or false",
    "rolesAnywhere": "a mapping of trustAnchorArn, profileArn, roleArn, certificateFile, keyFile",
    "podInjection": "true or false",
    "admissionFence": "true or false",
    "leaderElection": "true or false",
    "leaseName": f"a Lease's name: {NAME}",
    "leaseNamespace": f"a Namespace's name: {NAME}",
    "leaseDuration": f"{DURATION}, from 3s to 5m",
    "verify": "one of off, new, continuous",
    "verifyInterval": f"{DURATION}, from 5s to 12h",
    "registryCaFile": "the path of a file",
    "perNamespaceMetrics": "true or false",
    "httpPort": "a port number from 0 to 65535",
    "httpHost": "an address to bind to",
    "logFormat": "one of json, text",
    "logLevel": "one of debug, info, warning, error",
}
POLICY_KEYS = ("additionalSecrets", "roles", "controllerIdentity", "serviceAccountIdentity", "optIn", "identities")
"""Their tables are in test_policy_parser.py and test_additional_secrets.py."""
NESTED = {
    "class": ("policy", "installation_class"),
    "registries": ("policy", "registries"),
    "clusterName": ("policy", "cluster_name"),
    "attachToServiceAccounts": ("policy", "attach_to"),
    "excludedNamespaces": ("policy", "excluded_namespaces"),
    "admissionFence": ("policy", "admission_fence"),
    "podInjection": ("policy", "pod_injection"),
    "refreshFraction": ("rotation", "fraction"),
    "refreshJitter": ("rotation", "jitter"),
    "maxTokenAge": ("rotation", "max_token_age"),
}
"""Where a setting is, if it is not a field of Settings itself."""
PARSED_FROM_POLICY_KEYS = {
    "roles",
    "identities",
    "controller_identity",
    "service_accounts",
    "audiences",
    "opt_in",
    "opt_in_exclude",
    "opt_in_stated",
}


def field_of(key: str) -> tuple[str, str]:
    """Return the group and the field of a setting; the group is empty for a field of Settings itself."""
    return NESTED.get(key) or ("", re.sub(r"([A-Z])", r"_\1", key).lower())


def settings_with(key: str, value: Any) -> Settings:
    """Return the default settings with one other value."""
    group, field = field_of(key)
    change = {field: value}
    return replace(Settings(), **({group: replace(getattr(Settings(), group), **change)} if group else change))


_CHINA = "arn:aws-cn:rolesanywhere:cn-north-1:123456789012"
GIVEN = {
    "trustAnchorArn": f"{_CHINA}:trust-anchor/11111111-1111-1111-1111-111111111111",
    "profileArn": f"{_CHINA}:profile/22222222-2222-2222-2222-222222222222",
    "roleArn": "arn:aws-cn:iam::123456789012:role/pullkeeper",
    "certificateFile": "/tls.crt",
    "keyFile": "/tls.key",
}
RIGHT: list[tuple[str, Any, Any]] = [
    ("secretName", "a", "a"),
    ("secretName", "ecr.pull-secret.1", "ecr.pull-secret.1"),
    ("secretName", "a" * 253, "a" * 253),
    ("class", "", ""),
    ("class", "Canary_1.x-y", "Canary_1.x-y"),
    ("class", "a" * 63, "a" * 63),
    ("registries", [], ()),
    ("clusterName", "prod-1.eu_west", "prod-1.eu_west"),
    ("registries", [str(PUBLIC), str(EU), str(EU)], tuple(sorted((EU, PUBLIC)))),
    ("registries", f"{EU},{PUBLIC}", tuple(sorted((EU, PUBLIC)))),
    ("serviceAccountAttachment", True, True),
    ("attachToServiceAccounts", [], NO_SERVICE_ACCOUNTS),
    ("attachToServiceAccounts", " , ", NO_SERVICE_ACCOUNTS),
    ("watchedServiceAccounts", [], NO_SERVICE_ACCOUNTS),
    ("watchedServiceAccounts", ["*"], ServiceAccountNames(every=True)),
    ("watchedServiceAccounts", "b, a", ServiceAccountNames(names=frozenset("ab"))),
    ("refreshFraction", 0.1, 0.1),
    ("refreshFraction", "0.9", 0.9),
    ("refreshJitter", "0s", timedelta()),
    ("refreshJitter", "2h", timedelta(hours=2)),
    ("maxTokenAge", "10s", timedelta(seconds=10)),
    ("maxTokenAge", "11h59m60s", timedelta(hours=12)),
    ("relistInterval", "1s", timedelta(seconds=1)),
    ("relistInterval", "24h", timedelta(days=1)),
    ("optOutGrace", "0s", timedelta()),
    ("optOutGrace", "6h", timedelta(hours=6)),
    ("maxConcurrentReconciles", 2, 2),
    ("maxConcurrentReconciles", "256", 256),
    ("maxConcurrentReconciles", 16.0, 16),
    ("allowNodeInstanceRole", True, True),
    ("allowNodeInstanceRole", "false", False),
    ("rolesAnywhere", GIVEN, roles_anywhere.parse(GIVEN)),
    ("podInjection", True, True),
    ("excludedNamespaces", [], ()),
    ("excludedNamespaces", ["kube-*", "a", "a"], ("a", "kube-*")),
    ("excludedNamespaces", "*, kube-system", ("*", "kube-system")),
    ("watchNamespaces", [], ()),
    ("watchNamespaces", ["b", "a", "b"], ("a", "b")),
    ("watchNamespaces", "b, a", ("a", "b")),
    ("watchNamespaces", "", ()),
    ("admissionFence", True, True),
    ("admissionFence", "false", False),
    ("leaderElection", True, True),
    ("leaseName", "a", "a"),
    ("leaseNamespace", "a", "a"),
    ("leaseDuration", "3s", timedelta(seconds=3)),
    ("leaseDuration", "5m", timedelta(minutes=5)),
    ("verify", "off", "off"),
    ("verify", False, "off"),
    ("verify", "new", "new"),
    ("verify", "continuous", "continuous"),
    ("verifyInterval", "5s", timedelta(seconds=5)),
    ("verifyInterval", "12h", timedelta(hours=12)),
    ("registryCaFile", "", ""),
    ("registryCaFile", "/etc/ssl/registries.pem", "/etc/ssl/registries.pem"),
    ("perNamespaceMetrics", False, False),
    ("httpPort", 0, 0),
    ("httpPort", 65535, 65535),
    ("httpHost", "", ""),
    ("httpHost", "127.0.0.1", "127.0.0.1"),
    ("logFormat", "text", "text"),
    ("logLevel", "debug", "debug"),
]
WRONG: dict[str, list[Any]] = {
    "secretName": ["", "A", "-a", "a-", ".a", "a.", "a_b", "a\n", "a" * 254, 7, True, ["a"], "a..b", "a.-b", "a-.b"],
    "class": ["-", "a-", ".a", "a b", "a/b", "a\n", "ä", "a" * 64, 7, True, ["a"]],
    "registries": [7, True, {"a": "b"}, [7], [None], [["a"]]],
    "clusterName": ["", "a b", "a/b", "a" * 41, "a\n", 7, True],
    "serviceAccountAttachment": [1, "yes", "", []],
    "attachToServiceAccounts": [7, True, {"a": "b"}, [7], ["A"], ["a", None], "a b", "a,*", ["*", "a"], ["a" * 254]],
    "watchedServiceAccounts": [7, True, {"a": "b"}, ["A"], "a b", ["*", "a"], [str(number) for number in range(201)]],
    "refreshFraction": [0, 0.0999, 0.91, 1, True, "", "half", "nan", "inf", [0.5]],
    "refreshJitter": ["", "2h1s", "-1s", "10", 10, "10 m", "1m1h", "1.5h", "10M", "1h\n", True, "٣s", "9" * 40 + "h"],
    "maxTokenAge": ["9s", "12h1s", "0s", 3600, ["1h"], "9" * 400 + "s"],
    "optOutGrace": ["6h1s", "-1s", 600, False],
    "relistInterval": ["0s", "24h1s", 600, False],
    "maxConcurrentReconciles": [1, 257, 16.5, "many", "", True, [16], "16 17"],
    "rolesAnywhere": [7, True, [], "", {}, {"roleArn": "a"}, {**GIVEN, "more": "a"}],
    "podInjection": ["auto", 1, ""],
    "allowNodeInstanceRole": [1, 0, "yes", "True", "", [], "on"],
    "excludedNamespaces": [7, True, {"a": "b"}, [7], ["A"], ["a", None], "a b", "a\nb", ["a.b"]],
    "watchNamespaces": [7, True, {"a": "b"}, [7], ["A"], ["a", None], "a b", "a\nb"],
    "admissionFence": [1, "yes", "", []],
    "leaderElection": [1, "yes", "", []],
    "leaseName": ["", "A", "a\n", 7],
    "leaseNamespace": ["", "A", "a\n", 7],
    "leaseDuration": ["2s", "5m1s", 15, ""],
    "verify": [True, "on", "", "New", 0, ["new"]],
    "verifyInterval": ["4s", "12h1s", 900, ""],
    "registryCaFile": [7, True, []],
    "perNamespaceMetrics": [1, "on", "", []],
    "httpPort": [-1, 65536, 80.5, "http", "", True, False, 10**400, float("inf")],
    "httpHost": [7, True, []],
    "logFormat": ["JSON", "", 7, True, ["json"]],
    "logLevel": ["INFO", "trace", False, 10],
}


def problems(document: object, environment: dict[str, str] | None = None) -> tuple[Problem, ...]:
    with pytest.raises(InvalidInputError) as raised:
        parse_settings(document, environment or {})
    return raised.value.problems


@pytest.mark.parametrize(("key", "value", "expected"), RIGHT)
def test_a_valid_value_is_parsed(key: str, value: object, expected: Any) -> None:
    """Including the limits, and without affecting other settings."""
    assert parse_settings({key: value}, {}) == settings_with(key, expected)


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in WRONG.items() for value in values])
def test_an_invalid_value_is_one_problem(key: str, value: object) -> None:
    """With its key and the expected form."""
    (problem,) = problems({key: value})
    assert (problem.where, problem.expected) == (key, FORMS[key])


def test_each_invalid_registry_is_named() -> None:
    """With what is expected in its place."""
    (problem,) = problems({"registries": [str(EU), "docker.io", f"https://{EU}"]})
    assert problem.where == "registries"
    own = f'for "https://{EU}": only the host, in lower case: "{EU}"'
    assert problem.expected == f'for "docker.io": {FORM}; {own}'


@pytest.mark.parametrize("key", FORMS)
def test_a_key_without_a_value_is_the_default(key: str) -> None:
    """As if the key were missing."""
    assert parse_settings({key: None}, {}) == Settings()


def test_every_setting_is_tested() -> None:
    """A new setting needs valid and invalid values here."""
    elsewhere = {"policy", "rotation", "additional_secrets"}
    known = {("", field.name) for field in fields(Settings) if field.name not in elsewhere}
    known |= {("policy", field.name) for field in fields(Policy) if field.name not in PARSED_FROM_POLICY_KEYS}
    known |= {("rotation", field.name) for field in fields(Rotation)}
    assert set(map(field_of, FORMS)) == known
    assert {key for key, *_ in RIGHT} == set(WRONG) == set(FORMS)


@pytest.mark.parametrize("document", [None, {}])
def test_an_empty_file_gives_the_defaults(document: object) -> None:
    """Every setting has a working default."""
    assert parse_settings(document, {}) == Settings()


@pytest.mark.parametrize(
    ("document", "found"),
    [([], "[]"), ("secretName: x", '"secretName: x"'), (7, "7"), (True, "True"), (["secretName"], "['secretName']")],
)
def test_a_document_that_is_not_a_mapping_is_one_problem(document: object, found: str) -> None:
    """With what is expected."""
    (problem,) = problems(document)
    assert problem == Problem(where="the settings", found=found, expected="a mapping of keys to values")


@pytest.mark.parametrize("key", ["secretname", "secret_name", "X", "", 7, None, True])
def test_an_unknown_key_is_a_problem(key: object) -> None:
    """It is likely misspelt, so the known keys are listed."""
    (problem,) = problems({key: "x"})
    assert (problem.where, problem.found) == (str(key), "an unknown key")
    assert problem.expected == f"one of {', '.join((*FORMS, *POLICY_KEYS))}"


def test_all_problems_are_reported_at_once() -> None:
    """Including those of environment variables."""
    found = problems({"nope": 1, "httpPort": -1, "maxTokenAge": "x"}, {"PULLKEEPER_LOG_LEVEL": "loud"})
    assert {each.where for each in found} == {"nope", "httpPort", "maxTokenAge", "PULLKEEPER_LOG_LEVEL"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("secretName: on", "True"),
        ("logLevel: off", "False"),
        ("verify: on", "True"),
        ("maxTokenAge: 1:30", "90"),
        ("refreshJitter: 600", "600"),
        ("httpPort: yes", "True"),
        ("maxConcurrentReconciles: 0o20", '"0o20"'),
        ("httpHost: 1.5", "1.5"),
        ("logFormat: [json]", "['json']"),
    ],
)
def test_a_value_is_shown_as_yaml_reads_it(text: str, shown: str) -> None:
    """So its author sees what became of a bare word."""
    (problem,) = problems(yaml.safe_load(text))
    assert problem.found == shown


def test_the_refresh_rule_comes_from_the_settings() -> None:
    """Fraction, jitter and maximum age."""
    settings = parse_settings({"refreshFraction": 0.3, "refreshJitter": "1m", "maxTokenAge": "1h"}, {})
    assert settings.rotation == Rotation(fraction=0.3, jitter=timedelta(minutes=1), max_token_age=timedelta(hours=1))


@pytest.mark.parametrize("text", ["verify: off", 'verify: "off"', "verify: no"])
def test_a_bare_off_is_off(text: str) -> None:
    """YAML reads it as false."""
    assert parse_settings(yaml.safe_load(text), {}).verify == "off"


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({}, ()),
        ({"watchedServiceAccounts": ["b", "a"]}, ("a", "b")),
        ({"watchedServiceAccounts": ["*"]}, ("*",)),
        ({"watchedServiceAccounts": ["a"], "serviceAccountAttachment": True}, ()),
    ],
)
def test_service_accounts_are_watched_once(given: dict[str, Any], names: tuple[str, ...]) -> None:
    """By their names, or all of them; not beside the watch that attaching takes."""
    assert parse_settings(given, {}).watched_names == names


def test_known_keys_are_listed_once_however_many_are_unknown() -> None:
    """A message of ten such lists would hide what is wrong."""
    found = problems({"a": 1, "b": 1, "secretName": "x", "c": 1})
    assert [problem.where for problem in found] == ["a", "b", "c"]
    first, *others = [problem.expected for problem in found]
    assert (first[:18], others) == ("one of secretName,", ["one of the same"] * 2)
