"""Says where a release comes from: a SLSA v1 provenance predicate (slsa.dev/spec/v1.0/provenance), for cosign to sign.

It runs in the release workflow, and says what the forge's runner says of itself in the environment.
"""

import json
import os
import sys
from collections.abc import Mapping
from typing import Any

BUILD_TYPE = "https://actions.github.io/buildtypes/workflow/v1"
"""Tells a verifier how to read the rest: which workflow ran, of which repository, at which commit."""


def predicate(environment: Mapping[str, str]) -> dict[str, Any]:
    """Give the predicate; raises KeyError with the variable that the forge did not set."""
    server, repository = environment["GITHUB_SERVER_URL"], environment["GITHUB_REPOSITORY"]
    source, ref = f"{server}/{repository}", environment["GITHUB_REF"]
    # OWNER/NAME/.github/workflows/FILE@REF, where the workflow that runs is written down
    workflow = environment["GITHUB_WORKFLOW_REF"].partition("@")[0].removeprefix(f"{repository}/")
    run = f"{source}/actions/runs/{environment['GITHUB_RUN_ID']}/attempts/{environment['GITHUB_RUN_ATTEMPT']}"
    commit = {"uri": f"git+{source}@{ref}", "digest": {"gitCommit": environment["GITHUB_SHA"]}}
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {"workflow": {"repository": source, "ref": ref, "path": workflow}},
            "internalParameters": {"github": {"event_name": environment["GITHUB_EVENT_NAME"]}},
            "resolvedDependencies": [commit],
        },
        "runDetails": {
            "builder": {"id": f"{server}/{environment['GITHUB_WORKFLOW_REF']}"},
            "metadata": {"invocationId": run},
        },
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(predicate(os.environ), indent=2) + "\n")
