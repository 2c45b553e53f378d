"""The schema and the checks agree with values.yaml and with the controller's parsers."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import yaml

from pullkeeper.domain.config.settings import FIELDS, parse_settings
from pullkeeper.domain.ecr import registry_host
from pullkeeper.domain.errors.validation import InvalidInputError
from pullkeeper.domain.iam import role_arn
from tests.chart.test_settings import DERIVED
from testsupport.helm import CHART, ROLE, Helms, with_role
from tools import chart_schema

VALUES: Mapping[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA: Mapping[str, Any] = json.loads((CHART / "values.schema.json").read_text())

HOST = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
HOSTS = [
    HOST,
    "123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com",
    "123456789012.dkr-ecr.eu-west-1.on.aws",
    "123456789012.dkr-ecr-fips.us-east-1.on.aws",
    "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn",
    "123456789012.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn",
    "123456789012.dkr.ecr.us-iso-east-1.c2s.ic.gov",
    "123456789012.dkr.ecr.us-isob-east-1.sc2s.sgov.gov",
    "123456789012.dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk",
    "123456789012.dkr.ecr.us-isof-south-1.csp.hci.ic.gov",
    "123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu",
    "public.ecr.aws",
    "ecr-public.aws.com",
    "",
    f"{HOST}\n",
    f" {HOST}",
    f"{HOST}.",
    f"{HOST}.evil.example.com",
    f"evil.example.com/{HOST}",
    f"https://{HOST}",
    f"{HOST}/app",
    f"{HOST}:443",
    HOST.upper(),
    "123456789012.dkr.ecr.cn-north-1.amazonaws.com",
    "123456789012.dkr.ecr.eu-west-1.amazonaws.eu",
    "123456789012.dkr.ecr.us-iso-east-1.amazonaws.com",
    "123456789012.dkr.ecr.us-isob-east-1.c2s.ic.gov",
    "123456789012.dkr-ecr.us-gov-west-1.on.amazonwebservices.com.cn",
    "123456789012.dkr-ecr.us-gov-west-1.on.aws",
    "123456789012.dkr.ecr.fips-us-east-1.amazonaws.com",
    "123456789012.dkr.ecr.us-east-1-fips.amazonaws.com",
    "123456789012.dkr.ecr.aws-global.amazonaws.com",
    "123456789012.dkr.ecr.some-where-1.amazonaws.com",
    "123456789012.dkr.ecr.us-east-123.amazonaws.com",
    "123456789012.dkr.ecr.mx-central-1.amazonaws.com",
    f"123456789012.dkr.ecr.us-{'a' * 21}-1.amazonaws.com",
    "12345678901.dkr.ecr.eu-west-1.amazonaws.com",
    "1234567890123.dkr.ecr.eu-west-1.amazonaws.com",
    "123456789012.dkr.ecr.eu-west-1.amazonawsXcom",
    "123456789012.dkrXecr.eu-west-1.amazonaws.com",
    "123456789012.dkr.ecr..amazonaws.com",
    "public.ecr.aws.evil.example.com",
    "publicXecr.aws",
    "public.ecrXaws",
    "ecr-publicXaws.com",
    "docker.io",
]
ROLES = [
    ROLE,
    "arn:aws-cn:iam::123456789012:role/x",
    "arn:aws-us-gov:iam::123456789012:role/a/b/x",
    "arn:aws-iso-b:iam::123456789012:role/x",
    f"arn:aws:iam::123456789012:role/{'a' * 64}",
    f"arn:aws:iam::123456789012:role/{'a' * 65}",
    f"arn:aws:iam::123456789012:role/{'p' * 510}/x",
    f"arn:aws:iam::123456789012:role/{'p' * 511}/x",
    f"{ROLE}\n",
    f" {ROLE}",
    "arn:aws:iam::123456789012:role/",
    "arn:aws:iam::123456789012:role/a b",
    "arn:aws:iam::123456789012:user/x",
    "arn:aws:iam::12345678901:role/x",
    "arn:aws:sts::123456789012:assumed-role/x/y",
    "arn:gcp:iam::123456789012:role/x",
    "pullkeeper",
]
GRANTED = [
    *ROLES,
    "arn:aws:iam::*:role/x",
    "arn:aws:iam::123456789012:role/pull-*",
    "arn:aws:iam::1*2:role/*",
    "*",
    "arn:*",
]
BOUNDS = ["0s", "2s", "3s", "4s", "5s", "9s", "10s", "5m", "5m1s", "2h", "2h1s", "12h", "12h1s", "24h", "24h1s"]
FREE = (
    "podSecurityContext",
    "securityContext",
    "resources.requests",
    "resources.limits",
    "nodeSelector",
    "dashboard.labels",
)
"""Maps whose keys the user chooses."""
DURATIONS = [*BOUNDS, "6h", "6h1s", "90s", "1h30m", "121m", "1m30s", "", "10", "1d", "10 m", "1.5h", "-5m", "9999999h"]


def _keys(values: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Yield the path of every key in values.yaml."""
    for key, value in values.items():
        yield f"{path}{key}"
        if isinstance(value, dict):
            yield from _keys(value, f"{path}{key}.")


def _schema_keys(schema: Mapping[str, Any], path: str = "") -> Iterator[str]:
    for key, value in schema.get("properties", {}).items():
        yield f"{path}{key}"
        resolved = SCHEMA["definitions"][value["$ref"].rpartition("/")[2]] if "$ref" in value else value
        yield from _schema_keys(resolved, f"{path}{key}.")


def test_the_generated_parts_of_the_schema_are_current() -> None:
    """`make chart-docs` updates them."""
    text = chart_schema.SCHEMA.read_text()
    assert text == chart_schema.updated(text)
    assert chart_schema.BOUNDS.read_text() == chart_schema.bounds()


def test_a_lost_part_of_the_schema_is_noticed() -> None:
    """An alert, a figure or a key of other charts that is not in the schema would differ above."""
    text = chart_schema.SCHEMA.read_text()
    for part in (
        '"optOutGrace": {"type": "string"}',
        '"minimum": 0.1',
        '"PullkeeperAbsent": {"$ref": "#/definitions/alert"},',
        '"window": {"type": "string"}',
        "replicaCount",
    ):
        assert part in text
        changed = text.replace(part, part.translate(str.maketrans("Aw1C", "Bv2D")).replace("string", "number"))
        assert chart_schema.updated(changed) != changed


def test_every_value_is_in_the_schema() -> None:
    """Except for keys within free-form maps."""
    free = tuple(f"{key}." for key in FREE)
    assert {key for key in _keys(VALUES) if not key.startswith(free)} <= set(_schema_keys(SCHEMA))


def test_every_key_of_the_schema_is_in_values_yaml() -> None:
    """Where it is documented, except for keys within a documented value."""
    written = set(_keys(VALUES))
    optional = {"resources.claims", "deploymentStrategy.type", "deploymentStrategy.rollingUpdate"}
    optional |= {f"{kind}Probe.initialDelaySeconds" for kind in ("startup", "liveness", "readiness")}
    within = (*(f"settings.{key}." for key in ("controllerIdentity", "serviceAccountIdentity", "optIn")), "dnsConfig.")
    derived = {f"settings.{key}" for key in DERIVED}
    missing = {key for key in _schema_keys(SCHEMA) if key not in written and not key.startswith(within)}
    assert missing == optional | derived | _alerts() | chart_schema.habits().keys()


def _alerts() -> set[str]:
    """Return the keys of `prometheusRule.alerts`, derived from the alerts' defaults."""
    alerts = yaml.safe_load((CHART / "alerts" / "alerts.yaml").read_text())
    figures = {figure for alert in alerts.values() for figure in alert["defaults"]}
    places = {f"prometheusRule.alerts.{name}" for name in alerts}
    return places | {f"{place}.{figure}" for place in places for figure in figures}


def _objects(schema: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(schema, dict):
        if "properties" in schema and "type" in schema:
            yield schema
        for value in schema.values():
            yield from _objects(value)
    if isinstance(schema, list):
        for value in schema:
            yield from _objects(value)


def test_unknown_keys_are_rejected_at_every_level() -> None:
    """Except in objects that Kubernetes defines, which the API server validates, and in what all charts share."""
    open_ones = [
        each["properties"].keys() for each in _objects(SCHEMA) if each.get("additionalProperties") is not False
    ]
    # global; extraEnv, extraVolumes, extraVolumeMounts; extraInitContainers, extraContainers
    assert open_ones == [{"imageRegistry", "imagePullSecrets"}, *[{"name"}] * 3, *[{"name", "image"}] * 2]


def _may_be_null(schema: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in schema.get("properties", {}).items():
        resolved = SCHEMA["definitions"][value["$ref"].rpartition("/")[2]] if "$ref" in value else value
        if "null" in resolved.get("type", ()):
            yield (*path, key)
        elif resolved.get("type") == "object":
            yield from _may_be_null(resolved, (*path, key))


def test_nullable_values_render_without_a_value(helms: Helms) -> None:
    """Setting a list or map to null is how Helm users remove a default."""
    values: dict[str, Any] = {}
    for *path, key in _may_be_null(SCHEMA):
        inner = values
        for part in path:
            inner = inner.setdefault(part, {})
        inner[key] = None
    values["aws"] = {"roleArn": ROLE}
    for monitor in ("serviceMonitor", "networkPolicy"):
        values[monitor]["enabled"] = True
    assert helms.render(values).one("Deployment")


def _rejected(helms: Helms, values: Mapping[str, Any]) -> set[str]:
    """Return the names of the values that both Helm versions reject."""
    third, fourth = (answer.lines for answer in helms.template(values).values())
    assert third == fourth
    return {line.partition(": found")[0] for line in third}


def _invalid(parse: Callable[[str], object], texts: list[str]) -> set[int]:
    found = set()
    for index, text in enumerate(texts):
        try:
            parse(text)
        except ValueError:
            found.add(index)
    return found


def test_registry_hosts_are_validated_like_in_the_controller(helms: Helms) -> None:
    """The chart accepts the same hosts, and rejects the same lookalikes."""
    expected = {f"settings.registries[{index}]" for index in _invalid(registry_host.parse, HOSTS)}
    assert 10 < len(expected) < len(HOSTS) - 10
    assert _rejected(helms, {"aws": {"credentials": "podIdentity"}, "settings": {"registries": HOSTS}}) == expected


def test_role_patterns_are_validated_like_in_the_controller(helms: Helms) -> None:
    """The chart accepts the same ARNs and patterns in `roles`."""

    def grant(role: str) -> object:
        return parse_settings({"roles": [{"role": role, "namespaces": ["a"]}]}, {})

    expected = {f"settings.roles[{index}].role" for index in _invalid(grant, GRANTED)}
    roles = [{"role": role, "namespaces": ["a"]} for role in GRANTED]
    assert 5 < len(expected) < len(GRANTED) - 5
    assert _rejected(helms, with_role(settings={"roles": roles})) == expected


@pytest.mark.parametrize("role", ROLES)
def test_the_controllers_role_is_validated_like_other_roles(helms: Helms, role: str) -> None:
    """`aws.roleArn` accepts the ARNs that the controller accepts for namespaces."""
    rejected = _rejected(helms, {"aws": {"roleArn": role}})
    assert rejected == ({"aws.roleArn"} if _invalid(role_arn.parse, [role]) else set())


@pytest.mark.parametrize("duration", DURATIONS)
def test_durations_are_validated_like_in_the_controller(helms: Helms, duration: str) -> None:
    """With the same syntax and the same bounds."""
    keys = [key for key, field in FIELDS.items() if field.seconds]
    assert len(keys) == 6
    expected = set()
    for key in keys:
        try:
            parse_settings({key: duration}, {})
        except InvalidInputError:
            expected.add(f"settings.{key}")
    assert _rejected(helms, with_role(settings=dict.fromkeys(keys, duration))) == expected
