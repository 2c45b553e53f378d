"""Package the chart as it is published: with absolute links, and what Artifact Hub shows of this version."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tools.release.links import absolute
from tools.release.names import Names
from tools.release.source import Source

PATH = "charts/pullkeeper"
ICON = "docs/icon.svg"


def metadata(chart: dict[str, Any], names: Names, version: str) -> dict[str, Any]:
    """Return Chart.yaml for a version: what depends on the version or on the names is not written by hand."""
    prerelease = "-" in version.partition("+")[0]
    links = {"Documentation": "docs/README.md", "Runbook": "docs/runbook.md", "Security": "SECURITY.md"}
    return {
        **chart,
        "version": version,
        "appVersion": version,
        "home": names.repository,
        "icon": f"{names.repository}/raw/v{version}/{ICON}",
        "sources": [names.repository],
        "maintainers": [{"name": "The Pullkeeper maintainers", "url": names.repository}],
        "annotations": {
            **chart["annotations"],
            "artifacthub.io/prerelease": str(prerelease).lower(),
            "artifacthub.io/images": yaml.safe_dump([{"name": "pullkeeper", "image": f"{names.image}:{version}"}]),
            "artifacthub.io/links": yaml.safe_dump(
                [{"name": name, "url": names.file(path, version)} for name, path in links.items()]
            ),
        },
    }


def package(source: Source, helm: Path, scratch: Path, out: Path) -> Path:
    """Package the chart into a folder and return the archive."""
    staged = scratch / "pullkeeper"
    shutil.copytree(source.root / PATH, staged)
    readme = staged / "README.md"
    readme.write_text(absolute(readme.read_text(), PATH, source.names, source.version))
    file = staged / "Chart.yaml"
    contents = metadata(yaml.safe_load(file.read_text()), source.names, source.version)
    file.write_text(yaml.safe_dump(contents, sort_keys=False))
    command: list[str | Path] = [helm, "package", staged, "--destination", out]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    match = re.search(r"saved it to: (.+)", printed)
    assert match is not None, printed
    return Path(match[1])
