"""Write a SLSA v1 provenance predicate (slsa.dev/spec/v1.0/provenance) for cosign to sign.

Runs in the release workflow, and reads the environment variables of GitHub's runner.
"""

import json
import os
import sys
from collections.abc import Mapping
from typing import Any

BUILD_TYPE = "https://actions.github.io/buildtypes/workflow/v1"
"""How a verifier interprets the other fields: a GitHub workflow, its repository and its commit."""


def predicate(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the predicate; raises KeyError with the name of a missing variable."""
    server, repository = environment["GITHUB_SERVER_URL"], environment["GITHUB_REPOSITORY"]
    source, ref = f"{server}/{repository}", environment["GITHUB_REF"]
    # OWNER/NAME/.github/workflows/FILE@REF
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
