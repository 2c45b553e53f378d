"""Write what the chart's schema and checks have from elsewhere: `make chart-docs`.

These are the settings with their types, keys, bounds and patterns, which are the controller's own; keys of other
charts, which only get a hint; and the alerts with their figures.
"""

import json
import sys
from collections.abc import Mapping
from typing import Any

import yaml

from pullkeeper.domain.config import mappings
from pullkeeper.domain.config.additional_secrets import MAX_ADDITIONAL_SECRETS, MAX_PATH
from pullkeeper.domain.config.fields import CLUSTER_NAME
from pullkeeper.domain.config.own_sources import PROFILE
from pullkeeper.domain.config.pattern import NAMESPACE_PATTERN
from pullkeeper.domain.config.policy_parser import (
    API_SERVER,
    AUDIENCE,
    EXTERNAL_ID,
    HOST_PATTERN,
    MAX_EXTERNAL_ID,
    MAX_IDENTITIES,
)
from pullkeeper.domain.config.settings import FIELDS, MAPPINGS
from pullkeeper.domain.ecr.registry_host import MAX_REGISTRIES
from pullkeeper.domain.iam import web_identity
from pullkeeper.domain.iam.identity import OWN_NAME
from pullkeeper.domain.namespace.service_account_names import MAX_NAMES
from testsupport.helm import CHART

SCHEMA = CHART / "values.schema.json"
BOUNDS = CHART / "templates" / "_bounds.tpl"
BOUNDS_HEADER = """\
{{- /*
Bounds and patterns of settings. Written by `make chart-docs` from the controller's own (tools/chart_schema.py): do not
edit.
*/ -}}
"""
DERIVED = {"$comment": "rejected in templates/_checks.tpl, which names what to set instead"}
CHART_ONLY: Mapping[str, Mapping[str, Any]] = {
    # A port that the system chooses cannot be named in the Service.
    "httpPort": {"minimum": 1},
    # Null is the default class.
    "class": {"type": ["string", "null"]},
    "verify": {"$comment": "YAML 1.1 reads an unquoted off as false", "enum": ["off", False, "new", "continuous"]},
}
"""Where the values differ from the file of the settings."""
DEFINITIONS: Mapping[str, Any] = {"patterns": mappings.PATTERNS, "labelSelector": mappings.LABEL_SELECTOR}
"""What settings and `aws.identities` share."""
HABIT = {"$comment": "rejected in templates/_habits.tpl, which names what to set instead"}
_WIDTH = 150
_FIGURES: Mapping[str, Any] = {
    "enabled": {"type": "boolean"},
    "severity": {"type": "string"},
    "for": {"type": "string"},
    "seconds": {"type": "number"},
    "window": {"type": "string"},
    "count": {"type": "number"},
}


def habits() -> dict[str, str]:
    """Return the keys that other charts have, as paths, and what this one has in their place."""
    found: dict[str, str] = yaml.safe_load((CHART / "habits.yaml").read_text())
    return found


def alerts() -> dict[str, Any]:
    """Return the schema of `prometheusRule.alerts`: each alert by name."""
    found = yaml.safe_load((CHART / "alerts" / "alerts.yaml").read_text())
    return {name: {"$ref": "#/definitions/alert"} for name in found}


def figures() -> dict[str, Any]:
    """Return the schema of what may be set of an alert; templates/_monitoring_checks.tpl knows which has what."""
    found = yaml.safe_load((CHART / "alerts" / "alerts.yaml").read_text())
    known = {figure for alert in found.values() for figure in alert["defaults"]}
    return {name: schema for name, schema in _FIGURES.items() if name in known}


def derived() -> dict[str, str]:
    """Return the settings that the chart derives from other values, and what to set in their place."""
    found: dict[str, str] = yaml.safe_load((CHART / "derived.yaml").read_text())
    return found


def settings() -> dict[str, Any]:
    """Return the schemas of all settings."""
    return {key: DERIVED if key in derived() else _setting(key) for key in (*FIELDS, *MAPPINGS, *derived())}


def _setting(key: str) -> dict[str, Any]:
    if "enum" in CHART_ONLY.get(key, {}):
        return {**CHART_ONLY[key]}
    known = FIELDS[key].schema if key in FIELDS else _with_references(MAPPINGS[key])
    schema = {**known, **CHART_ONLY.get(key, {})}
    if schema["type"] in ("array", "object"):
        # Null takes a default away, and the chart leaves the setting out.
        schema["type"] = [schema["type"], "null"]
    return schema


def _with_references(schema: Any) -> Any:
    """Put references in the place of what is defined once."""
    for name, definition in DEFINITIONS.items():
        if schema == definition:
            return {"$ref": f"#/definitions/{name}"}
    if isinstance(schema, Mapping):
        return {key: _with_references(value) for key, value in schema.items()}
    return schema


def bounds() -> str:
    """Return the template with the bounds and patterns of settings."""
    texts = {
        "clusterNamePattern": CLUSTER_NAME.pattern,
        "namespacePattern": NAMESPACE_PATTERN.pattern,
        "maxRegistries": MAX_REGISTRIES,
        "maxNames": MAX_NAMES,
        "maxAdditionalSecrets": MAX_ADDITIONAL_SECRETS,
        "maxPath": MAX_PATH,
        "maxExternalId": MAX_EXTERNAL_ID,
        "externalIdPattern": EXTERNAL_ID.pattern,
        "grantedHostPattern": HOST_PATTERN.pattern,
        "grantedAudiencePattern": AUDIENCE.pattern,
        "apiServerPrefix": API_SERVER,
        "identityNamePattern": OWN_NAME.pattern,
        "audiencePattern": web_identity.AUDIENCE.pattern,
        "profilePattern": PROFILE.pattern,
    }
    defined = (f'{{{{- define "pullkeeper.{name}" }}}}{text}{{{{ end }}}}\n' for name, text in texts.items())
    rows = (
        f"{key}: {{low: {field.seconds[0]}, high: {field.seconds[1]}, expected: {field.expected!r}}}\n"
        for key, field in FIELDS.items()
        if field.seconds
    )
    durations = f'{{{{- define "pullkeeper.durations" -}}}}\n{"".join(rows)}{{{{- end }}}}\n'
    return f"{BOUNDS_HEADER}{''.join(defined)}\n{durations}"


def updated(text: str) -> str:
    """Return the schema with its generated parts."""
    schema = json.loads(text)
    known, current = schema["properties"]["settings"]["properties"], settings()
    schema["properties"]["settings"]["properties"] = {
        **{key: current[key] for key in known if key in current},
        **{key: value for key, value in current.items() if key not in known},
    }
    schema["definitions"] |= DEFINITIONS
    schema["properties"]["aws"]["properties"]["identities"]["maxItems"] = MAX_IDENTITIES
    _forget_habits(schema)
    for path in habits():
        *folders, key = path.split(".")
        _properties(schema, folders).setdefault(key, HABIT)
    schema["properties"]["prometheusRule"]["properties"]["alerts"]["properties"] = alerts()
    schema["definitions"]["alert"]["properties"] = figures()
    return f"{formatted(schema)}\n"


def _forget_habits(schema: Any) -> None:
    for value in [*schema.values()] if isinstance(schema, dict) else schema if isinstance(schema, list) else []:
        _forget_habits(value)
    if isinstance(schema, dict):
        for key in [key for key, value in schema.items() if value == HABIT]:
            del schema[key]


def _properties(schema: Any, folders: list[str]) -> Any:
    """Return the properties of an object, of which several values may have the same definition."""
    place = schema
    for folder in folders:
        place = place["properties"][folder]
        if "$ref" in place:
            place = schema["definitions"][place["$ref"].rpartition("/")[2]]
    return place.setdefault("properties", {})


def formatted(value: Any, indent: int = 0, before: int = 0) -> str:
    """Return JSON with whatever fits on a line on one line; `before` characters of it are taken."""
    line = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or (indent > 0 and before + len(line) <= _WIDTH):
        return line
    pad = " " * (indent + 2)
    if isinstance(value, dict):
        names = {key: f"{pad}{json.dumps(key)}: " for key in value}
        rows = [f"{name}{formatted(value[key], indent + 2, len(name) + 1)}" for key, name in names.items()]
        return "{{\n{}\n{}}}".format(",\n".join(rows), " " * indent)
    rows = [f"{pad}{formatted(each, indent + 2, len(pad) + 1)}" for each in value]
    return "[\n{}\n{}]".format(",\n".join(rows), " " * indent)


def main() -> int:
    """Update the schema and the bounds."""
    SCHEMA.write_text(updated(SCHEMA.read_text()))
    BOUNDS.write_text(bounds())
    return 0


if __name__ == "__main__":
    sys.exit(main())
