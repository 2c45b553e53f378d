"""The workflows of the public forge: what their linters do not look at."""

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
def test_jobs_end_and_run_on_a_named_machine(job: dict[str, Any]) -> None:
    """None hangs for hours, and none changes its machine when the forge moves a "latest"."""
    assert job["timeout-minutes"] <= 60
    assert "latest" not in job["runs-on"]


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_steps_use_nobodys_action_and_take_no_text_into_their_scripts(step: dict[str, Any]) -> None:
    """There is nothing to pin, and what comes from outside comes by the environment."""
    assert "uses" not in step
    assert "${{" not in step["run"]


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_scripts_are_sound(step: dict[str, Any]) -> None:
    """ShellCheck has nothing to say of what a step runs."""
    command = [str(_SHELLCHECK), "--shell=bash", "--severity=style", "-"]
    script = f"set -eo pipefail\n{step['run']}"
    done = subprocess.run(command, input=script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_forge_runs_all_that_a_change_has_to_pass() -> None:
    """What .ci/run runs, a workflow runs, too: whatever is added there is added here."""
    wanted = set(re.findall(r'"(make [a-z-]+)', (REPOSITORY / ".ci" / "run").read_text()))
    scripts = "\n".join(step["run"] for name, step in STEPS.items() if name.startswith("ci: "))
    assert wanted
    assert wanted <= set(re.findall(r"make [a-z-]+", scripts))


def test_base_is_named_where_the_release_looks_for_it() -> None:
    """The one default of BASE is a patch release; the digest comes from the registry, so none is written down."""
    lines = (REPOSITORY / "Dockerfile").read_text().splitlines()
    (base,) = (line.removeprefix("ARG BASE=") for line in lines if line.startswith("ARG BASE="))
    assert base.startswith("docker.io/library/python:3.13.")
    assert "sha256" not in base


def test_provenance_says_which_workflow_built_it_from_which_commit() -> None:
    """It is what SLSA's build type for the forge's workflows asks for."""
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
