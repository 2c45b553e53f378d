"""The mappings within settings: the chart's schema and checks take what the controller's parser takes, key by key."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from pullkeeper.domain.config.settings import MAPPINGS, parse_settings
from testsupport.helm import Helms, with_role
from testsupport.settings_agreement import assert_chart_agrees, controller_accepts

ROLE = "arn:aws:iam::222222222222:role/a"
MATCHER: Mapping[str, Any] = {
    "namespaces": ["a-*"],
    "namespaceSelector": {
        "matchLabels": {"team": "a"},
        "matchExpressions": [{"key": "tier", "operator": "In", "values": ["gold"]}],
    },
}
GRANT: Mapping[str, Any] = {**MATCHER, "registries": ["*.amazonaws.com"]}
SECRET = {"name": "other", "shape": "argocd-repository", "registry": "111111111111.dkr.ecr.eu-west-1.amazonaws.com"}
EXAMPLES: Mapping[str, Any] = {
    "additionalSecrets": [{**SECRET, "path": "charts/app", **MATCHER}],
    "roles": [{"role": ROLE, **GRANT, "externalId": "some-id", "sessionTags": True, "sourceIdentity": False}],
    "controllerIdentity": GRANT,
    "serviceAccountIdentity": {**GRANT, "audiences": ["sts.amazonaws.com"]},
    "optIn": {**MATCHER, "exclude": ["a-b"]},
}
ODD: Mapping[str, Any] = {
    "a text": "a",
    "a number": 7,
    "a flag": True,
    "a list": ["a"],
    "a list of numbers": [7],
    "an empty list": [],
    "a list of mappings": [{}],
    "a mapping": {"a": "b"},
    "a mapping of numbers": {"a": 7},
}
"""One of each type that YAML has, but for null, which Helm takes for a default that is taken away."""


def _places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of every key in an example, however deep."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield (*path, key)
            yield from _places(inner, (*path, key))
    if isinstance(value, list):
        for index, inner in enumerate(value):
            if isinstance(inner, Mapping):
                yield from _places(inner, (*path, index))


def _with(path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    """Return the setting of an example, with another value in one place."""
    changed = copy.deepcopy({str(path[0]): EXAMPLES[str(path[0])]})
    inner: Any = changed
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = value
    return changed


CASES: Mapping[str, dict[str, Any]] = {
    f"{'.'.join(map(str, path))}: {what}": _with(path, value)
    for path in _places(EXAMPLES)
    # A selector has one definition, so one place is enough for what is within it.
    if "namespaceSelector" not in path[:-1] or path[0] == "optIn"
    for what, value in ODD.items()
}


def _values(settings: Mapping[str, Any]) -> dict[str, Any]:
    return with_role(settings=settings, rbac={"serviceAccountIdentity": {"names": ["puller"]}})


def _known(schema: Any, path: str = "") -> Iterator[str]:
    """Yield the path of every key that a schema knows."""
    for key, inner in schema.get("properties", {}).items():
        yield f"{path}.{key}"
        yield from _known(inner, f"{path}.{key}")
    if "items" in schema:
        yield from _known(schema["items"], path)


def test_the_examples_have_every_key_and_are_valid() -> None:
    """So that a key which is added is compared as well."""
    written = {".".join(part for part in path if isinstance(part, str)) for path in _places(EXAMPLES)}
    known = {key for name, schema in MAPPINGS.items() for key in (name, *(name + each for each in _known(schema)))}
    assert known == {key for key in written if not key.endswith("matchLabels.team")}
    parse_settings(EXAMPLES, {})


def test_the_table_has_both_sides() -> None:
    """Enough is accepted and enough refused for the comparison to mean something."""
    accepted = sum(map(controller_accepts, CASES.values()))
    assert 30 < accepted < len(CASES) - 100


@pytest.mark.parametrize("name", CASES)
def test_each_key_takes_the_same_types(helms: Helms, name: str) -> None:
    """Whatever is given in its place."""
    assert_chart_agrees(helms, _values(CASES[name]), accepted=controller_accepts(CASES[name]))
