"""What each setting is as JSON Schema, of which the schema and the bounds of the chart's values are made."""

import json
from pathlib import Path

import yaml

from pullkeeper.domain.config.settings import FIELDS, MAPPINGS
from testsupport import golden

GOLDEN = Path(__file__).parent / "golden" / "settings-schema.yaml"


def test_schemas_and_bounds_match_the_golden_file() -> None:
    """Of durations also the seconds: JSON Schema has no bounds of texts."""
    fields = {
        key: {**each.schema, **({"seconds": each.seconds} if each.seconds else {})} for key, each in FIELDS.items()
    }
    # By way of JSON, since YAML would write what several settings share as references.
    document = json.loads(json.dumps({**fields, **MAPPINGS}))
    golden.check(GOLDEN, yaml.safe_dump(document, default_flow_style=None, sort_keys=False, width=120))
