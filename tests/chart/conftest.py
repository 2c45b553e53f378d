"""Both Helm versions, shared by all tests of the chart."""

import functools
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from testsupport.helm import CHART, CI_VALUES, Helms, Object, ci_values
from testsupport.helm_tools import find


@pytest.fixture(scope="session")
def helms() -> Iterator[Helms]:
    """Provide both Helm versions, which start to render ci/ in the background."""
    both = Helms(find())
    both.prepare(ci_values(path) for path in CI_VALUES)
    yield both
    both.close()


@pytest.fixture(scope="session")
def validate() -> Iterator[Callable[[Object, str], None]]:
    """Provide kubernetes-validate, with a cache: it would read its schemas again for every object."""
    with pytest.MonkeyPatch.context() as patch:
        utils = kubernetes_validate.utils
        patch.setattr(utils, "schema_contents", functools.cache(utils.schema_contents))
        yield lambda each, version: kubernetes_validate.validate(each, version, strict=True)


@pytest.fixture
def parent(tmp_path: Path) -> Path:
    """Provide a parent chart that has this one twice, the second time under an alias, each with a condition."""
    folder = tmp_path / "parent"
    shutil.copytree(CHART, folder / "charts" / "pullkeeper")
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["version"]
    one = {"name": "pullkeeper", "version": version, "condition": "pullkeeper.enabled"}
    dependencies = [one, {**one, "alias": "canary", "condition": "canary.enabled"}]
    chart = {"apiVersion": "v2", "name": "parent", "version": "1.0.0", "dependencies": dependencies}
    (folder / "Chart.yaml").write_text(json.dumps(chart))
    return folder
