"""Compare the values of this chart with those of nine others, and write docs/chart-comparison.md.

`make chart-docs` writes the page from docs/chart-comparison.yaml, which `python -m tools.chart_comparison FOLDER` makes
from the values of the others: FOLDER has a folder for each, with its values.yaml and values.schema.json, and
charts.yaml, which names their repositories, versions and commits.
"""

import json
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from testsupport.helm import CHART, REPOSITORY

FEATURES = Path(__file__).with_name("features.yaml")
DATA = REPOSITORY / "docs" / "chart-comparison.yaml"
PAGE = REPOSITORY / "docs" / "chart-comparison.md"
ENOUGH = 2
"""So many charts with something that we lack ask for a reason."""
_KEY = re.compile(r"(?P<indent> *)(?P<mark># ?)?(?P<inner> *)(?P<key>[A-Za-z][\w.-]*):(?: |$)")
_WIDTH = 100
_HEAD = """\
# The chart beside others

What the values of this chart and of nine others can be used for, read from their values files on
{date}. A dot stands for a value; [chart-comparison.yaml](chart-comparison.yaml) has its path in
each chart. What two or more have and this one lacks has its reason below. Names differ, so a value
that is called something else again was not seen; and a value says nothing about what the chart does
with it.

{charts}
"""


def paths(folder: Path) -> set[str]:
    """Return the paths of the values of a chart: those in its values file, also commented out, and in its schema."""
    schema = folder / "values.schema.json"
    known = json.loads(schema.read_text()) if schema.exists() else {}
    described = {name.removeprefix("helm-values.") for name in known.get("$defs", {})}
    return {*_written((folder / "values.yaml").read_text()), *_properties(known), *described}


def _written(text: str) -> Iterator[str]:
    parents: list[tuple[int, str]] = []
    for match in filter(None, map(_KEY.match, text.splitlines())):
        depth = len(match["indent"]) + len(match["inner"])
        parents = [parent for parent in parents if parent[0] < depth]
        yield ".".join([*(name for _, name in parents), match["key"]])
        if not match["mark"]:
            parents.append((depth, match["key"]))


def _properties(schema: Any, before: str = "") -> Iterator[str]:
    for name, value in (schema.get("properties") or {}).items():
        yield f"{before}{name}"
        if isinstance(value, dict):
            yield from _properties(value, f"{before}{name}.")


def find(theirs: str, known: set[str]) -> str | None:
    """Return the path that is nearest to the root of those that end in a pattern, if there is one."""
    found = [path for path in known if re.search(rf"(?:^|\.)(?:{theirs})$", path)]
    return min(found, key=lambda path: (path.count("."), path), default=None)


def collect(folder: Path) -> dict[str, Any]:
    """Return the data for the page, from the values of the other charts."""
    document: dict[str, Any] = yaml.safe_load((folder / "charts.yaml").read_text())
    known = {name: paths(folder / name) for name in document["charts"]}
    features: list[Mapping[str, Any]] = yaml.safe_load(FEATURES.read_text())
    hits = {each["feature"]: {name: find(each["theirs"], known[name]) for name in known} for each in features}
    found = {feature: {name: path for name, path in row.items() if path} for feature, row in hits.items()}
    return {**document, "features": found}


def page(data: Mapping[str, Any], features: Sequence[Mapping[str, Any]], ours: set[str]) -> str:
    """Return the page; raises ValueError for a value that we do not have, and for a lack without a reason."""
    _check(data, features, ours)
    charts = [
        f"- {name} {each['version']}\n"
        f"  ([{each['commit'][:12]}](https://github.com/{each['repository']}/tree/{each['commit']}/{each['path']}))"
        for name, each in data["charts"].items()
    ]
    head = _HEAD.format(date=data["read"], charts="\n".join(charts))
    columns = ["", "Pullkeeper", *data["charts"]]
    rows = [_row(each, data) for each in features]
    reasons = [_wrapped(f"- **{each['feature']}**: {each['reason']}") for each in features if "reason" in each]
    lines = [
        head,
        _line(columns),
        _line(["---"] * len(columns)),
        *rows,
        "",
        "## What is left out, and why",
        "",
        *reasons,
    ]
    return "\n".join(lines) + "\n"


def _check(data: Mapping[str, Any], features: Sequence[Mapping[str, Any]], ours: set[str]) -> None:
    for each in features:
        if "ours" in each and each["ours"] not in ours:
            raise ValueError(f"{each['feature']}: the chart has no value {each['ours']}")
        if {"ours", "reason"} <= each.keys():
            raise ValueError(f"{each['feature']}: a reason for something that the chart has")
        lacking = "ours" not in each and len(data["features"][each["feature"]]) >= ENOUGH
        if lacking and not each.get("reason"):
            raise ValueError(f"{each['feature']}: {len(data['features'][each['feature']])} charts have it: say why not")


def _row(feature: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    others = data["features"][feature["feature"]]
    ours = f"`{feature['ours']}`" if "ours" in feature else ""
    return _line([feature["feature"], ours, *("•" if name in others else "" for name in data["charts"])])


def _wrapped(text: str) -> str:
    return textwrap.fill(text, _WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def current() -> str:
    """Return the page for the data and the chart as they are."""
    return page(yaml.safe_load(DATA.read_text()), yaml.safe_load(FEATURES.read_text()), paths(CHART))


def main(arguments: list[str]) -> int:
    """Update the page, and before that its data if there is a folder with the values of the others."""
    for folder in arguments:
        DATA.write_text(yaml.safe_dump(collect(Path(folder)), sort_keys=False, width=130))
    PAGE.write_text(current())
    return 0
