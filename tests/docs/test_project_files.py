"""The project's own files agree: hooks, lock files, Python versions, forms."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from testsupport.interpreters import EMBEDDED, declared

LOCKS = sorted(Path("requirements").glob("*.txt"))
COMPILE = "uv pip compile --generate-hashes --universal --no-strip-extras --python-version=3.11"
"""What Renovate repeats: it reads the header, and accepts options that it knows, with an equals sign."""


def _recipe(target: str) -> list[str]:
    match = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", Path("Makefile").read_text(), re.MULTILINE)
    assert match is not None
    return [line.removeprefix("@").replace("$(BIN)", ".venv/bin") for line in match[1].replace("\t", "").splitlines()]


def test_the_pre_commit_hooks_are_the_commands_of_make_lint() -> None:
    """A hook that checks less, or with another version, lets a commit through that CI refuses."""
    repositories = yaml.safe_load(Path(".pre-commit-config.yaml").read_text())["repos"]
    assert [repository["repo"] for repository in repositories] == ["local"]
    hooks: list[dict[str, Any]] = repositories[0]["hooks"]
    assert [hook["entry"] for hook in hooks] == [*_recipe("lint"), "make lint-docs"]
    assert all(hook["language"] == "system" and not hook["pass_filenames"] for hook in hooks)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_lock_files_name_the_command_that_renovate_repeats(lock: Path) -> None:
    """The header is what `make lock` runs, and Renovate's pattern matches the file."""
    header = lock.read_text().splitlines()[1]
    assert header == f"#    {COMPILE} --output-file={lock} {lock.with_suffix('.in')}"
    assert COMPILE.removeprefix("uv pip compile") in Path("Makefile").read_text()
    (pattern,) = json.loads(Path(".github/renovate.json").read_text())["pip-compile"]["managerFilePatterns"]
    assert re.search(pattern.strip("/"), str(lock))


def test_renovate_finds_cosign_in_the_release_workflow() -> None:
    """A pattern that stops matching would go unnoticed."""
    (manager,) = json.loads(Path(".github/renovate.json").read_text())["customManagers"]
    (pattern,) = manager["matchStrings"]
    workflow = Path(".github/workflows/release.yaml").read_text()
    match = re.search(pattern.replace("(?<", "(?P<"), workflow)
    assert match is not None
    assert match.groupdict()["currentValue"].startswith("v")


def test_python_versions_are_declared_without_gaps() -> None:
    """From the oldest version that pip accepts to the newest, each minor version is declared, hence tested."""
    versions = declared()
    assert f'requires-python = ">={versions[0]}"' in Path("pyproject.toml").read_text()
    minors = [int(version.partition(".")[2]) for version in versions]
    assert minors == list(range(minors[0], minors[-1] + 1))
    assert EMBEDDED.version in versions


def test_the_workflow_tests_the_oldest_and_the_newest_python() -> None:
    """`make test` runs on both ends of the range; `make test-pythons` covers the versions between."""
    matrix = yaml.safe_load(Path(".github/workflows/ci.yaml").read_text())["jobs"]["make"]["strategy"]["matrix"]
    tested = [row["python"] for row in matrix["include"] if row["targets"] == "test"]
    assert tested == [declared()[0], declared()[-1]]


def test_the_bug_report_asks_for_check_and_status_and_warns_of_secrets() -> None:
    """Both outputs are required, and the first thing to read is what not to paste."""
    body = yaml.safe_load(Path(".github/ISSUE_TEMPLATE/bug_report.yml").read_text())["body"]
    assert "Never paste a Secret" in body[0]["attributes"]["value"]
    required = {field["id"] for field in body if field.get("validations", {}).get("required")}
    assert {"check", "status"} <= required
