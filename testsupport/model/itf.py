"""Reads traces in the Informal Trace Format: https://apalache-mc.org/docs/adr/015adr-trace.html."""

import json
from pathlib import Path
from typing import Any


def read_states(path: Path) -> list[dict[str, Any]]:
    """Return the states of a trace, each by the plain names of its variables."""
    states = json.loads(path.read_text())["states"]
    return [
        {name.rpartition("::")[2]: _plain(value) for name, value in state.items() if not name.startswith("#")}
        for state in states
    ]


def _plain(value: Any) -> Any:
    """Return sets as lists, maps and records as dictionaries, variants as records with `tag` and `value`."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if not isinstance(value, dict):
        return value
    if "#bigint" in value:
        return int(value["#bigint"])
    for kind in ("#set", "#tup"):
        if kind in value:
            return [_plain(each) for each in value[kind]]
    if "#map" in value:
        return {key: _plain(each) for key, each in value["#map"]}
    return {key: _plain(each) for key, each in value.items()}
