"""Write the parts of the chart's schema that are known elsewhere: `make chart-docs`.

These are keys of other charts, which only get a hint, and the alerts with their figures.
"""

import json
import sys
from collections.abc import Mapping
from typing import Any

import yaml

from testsupport.helm import CHART

SCHEMA = CHART / "values.schema.json"
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


def updated(text: str) -> str:
    """Return the schema with its generated parts."""
    schema = json.loads(text)
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
    """Update the schema."""
    SCHEMA.write_text(updated(SCHEMA.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
