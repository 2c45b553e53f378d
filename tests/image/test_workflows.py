"""The GitHub workflows, where their linters do not check them."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from image.provenance import predicate
from testsupport.image.built import REPOSITORY

WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yaml"))
_SHELLCHECK = Path(sys.executable).with_name("shellcheck")

JOBS = {
    f"{path.stem}: {name}": job for path in WORKFLOWS for name, job in yaml.safe_load(path.read_text())["jobs"].items()
}
STEPS = {f"{job} - {step['name']}": step for job in JOBS for step in JOBS[job]["steps"]}


@pytest.mark.parametrize("job", JOBS.values(), ids=JOBS)
def test_jobs_have_a_timeout_and_a_pinned_runner(job: dict[str, Any]) -> None:
    """No job can hang for hours, and none moves to another runner image because "latest" does."""
    assert job["timeout-minutes"] <= 60
    assert "latest" not in job["runs-on"]


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_steps_use_no_actions_and_no_expressions_in_scripts(step: dict[str, Any]) -> None:
    """Without actions there is nothing to pin; expressions reach a script as environment variables only."""
    assert "uses" not in step
    assert "${{" not in step["run"]


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_scripts_pass_shellcheck(step: dict[str, Any]) -> None:
    """ShellCheck reports nothing about a step's script."""
    command = [str(_SHELLCHECK), "--shell=bash", "--severity=style", "-"]
    script = f"set -eo pipefail\n{step['run']}"
    done = subprocess.run(command, input=script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_workflow_runs_every_target_of_ci_run() -> None:
    """A target added to .ci/run has to be added to the matrix, too."""
    commands = re.findall(r'"make ([^"]+)"', (REPOSITORY / ".ci" / "run").read_text())
    required = {word for command in commands for word in command.split() if word[0] != "-" and "=" not in word}
    rows = JOBS["ci: make"]["strategy"]["matrix"]["include"]
    assert required
    assert required <= {target for row in rows for target in row["targets"].split()}


def test_the_release_finds_the_base_image_in_the_dockerfile() -> None:
    """BASE has one default, a patch release; the release adds the digest that the registry returns."""
    lines = (REPOSITORY / "Dockerfile").read_text().splitlines()
    (base,) = (line.removeprefix("ARG BASE=") for line in lines if line.startswith("ARG BASE="))
    assert base.startswith("docker.io/library/python:3.13.")
    assert "sha256" not in base


def test_provenance_names_the_workflow_and_the_commit() -> None:
    """The predicate has the fields that SLSA's build type for GitHub workflows defines."""
    environment = {
        "GITHUB_SERVER_URL": "https://forge.example",
        "GITHUB_REPOSITORY": "owner/pullkeeper",
        "GITHUB_REF": "refs/tags/v1.2.3",
        "GITHUB_SHA": "0123456789abcdef0123456789abcdef01234567",
        "GITHUB_WORKFLOW_REF": "owner/pullkeeper/.github/workflows/release.yaml@refs/tags/v1.2.3",
        "GITHUB_RUN_ID": "7",
        "GITHUB_RUN_ATTEMPT": "1",
        "GITHUB_EVENT_NAME": "push",
    }
    source = "https://forge.example/owner/pullkeeper"
    workflow = {"repository": source, "ref": "refs/tags/v1.2.3", "path": ".github/workflows/release.yaml"}
    assert predicate(environment) == {
        "buildDefinition": {
            "buildType": "https://actions.github.io/buildtypes/workflow/v1",
            "externalParameters": {"workflow": workflow},
            "internalParameters": {"github": {"event_name": "push"}},
            "resolvedDependencies": [
                {"uri": f"git+{source}@refs/tags/v1.2.3", "digest": {"gitCommit": environment["GITHUB_SHA"]}}
            ],
        },
        "runDetails": {
            "builder": {"id": f"{source}/.github/workflows/release.yaml@refs/tags/v1.2.3"},
            "metadata": {"invocationId": f"{source}/actions/runs/7/attempts/1"},
        },
    }
