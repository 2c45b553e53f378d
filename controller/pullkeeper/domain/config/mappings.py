"""The mappings within settings: the keys of each, and what is given for them, as JSON Schema.

The parsers know the keys by these tables, and the schema of the chart's values is made of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pullkeeper.domain.config.label_selector import Operator

Schema = Mapping[str, Any]
Keys = Mapping[str, Schema]
"""The keys of a mapping, and what is given for each."""


def mapping(keys: Keys, required: Sequence[str] = ()) -> Schema:
    """Return the schema of a mapping with these keys, and no others."""
    needed = {"required": list(required)} if required else {}
    return {"type": "object", "additionalProperties": False, **needed, "properties": dict(keys)}


def each(schema: Schema) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": schema}


TEXT: Schema = {"type": "string"}
_FLAG: Schema = {"type": "boolean"}
_TEXTS = each(TEXT)
PATTERNS: Schema = {"type": ["array", "string"], "items": TEXT}
"""Names, or one of them, in which * stands for anything."""

REQUIREMENT: Keys = {
    "key": TEXT,
    "operator": {"type": "string", "enum": [operator.value for operator in Operator]},
    "values": _TEXTS,
}
SELECTOR: Keys = {
    "matchLabels": {"type": "object", "additionalProperties": TEXT},
    "matchExpressions": each(mapping(REQUIREMENT, ["key", "operator"])),
}
LABEL_SELECTOR = mapping(SELECTOR)
MATCHER: Keys = {"namespaces": PATTERNS, "namespaceSelector": LABEL_SELECTOR}
GRANT: Keys = {**MATCHER, "registries": PATTERNS}
SERVICE_ACCOUNT_IDENTITY: Keys = {**GRANT, "audiences": _TEXTS}
OPT_IN: Keys = {**MATCHER, "exclude": PATTERNS}
ROLE: Keys = {"role": TEXT, **GRANT, "externalId": TEXT, "sessionTags": _FLAG, "sourceIdentity": _FLAG}
