"""What docs/runbook.md tells people to type, typed as it is written, at a release of the chart.

kubectl is the real one. For `exec`, `logs` and `port-forward` it gets as far as one can without a kubelet: it has
resolved the object, and the API server has found the pod, which is assigned to no node. Then the pod's process takes
over: `exec` runs the command in its environment, `logs` prints its log, and a forwarded port is the process's own.
"""

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from testsupport import additional_secrets
from testsupport.control_plane.kubelet import Pod
from testsupport.control_plane.release import NAME, CommandError, Release
from testsupport.controller_process import ControllerProcess
from testsupport.installation import IRELAND
from testsupport.pull_words import NO_CREDENTIALS
from testsupport.rest import MERGE
from testsupport.runbook_page import commands, is_typed

pytestmark = pytest.mark.slow

KUBECTL = r"""#!/usr/bin/env bash
real=@REAL@
case $1 in
logs)
    # The API server answers for a pod that no node has: it found the pod, and there is nothing to read.
    said=$("$real" "$@" 2>&1) && [ -z "$said" ] || { echo "$said"; exit 91; }
    ;;
exec | port-forward)
    said=$("$real" "$@" 2>&1) && { echo "there is no kubelet, and kubectl $1 succeeded"; exit 90; }
    grep -qE 'does not have a host assigned|pod is not running' <<< "$said" || { echo "$said"; exit 91; }
    ;;
*) exec "$real" "$@" ;;
esac
case $1 in
exec)
    while [ "$1" != -- ]; do shift; done
    shift
    exec env -i @ENVIRONMENT@ "$@"
    ;;
logs) sed 's|^|[pod/web/pullkeeper] |' @LOG@ ;;
esac
"""
ARGOCD = "argocd-ecr"
ADDITIONAL = {"name": ARGOCD, "shape": "argocd-repo-creds", "registry": IRELAND, "namespaces": ["*"]}
"""The additional Secret that the page's examples are about."""
FINE = {"kubectl pullkeeper explain pod team-a/web": 1}
"""What ends with another status than 0 where all is as it should be: that pod waits for its image."""


@pytest.fixture
async def team(release: Release) -> str:
    """Install the chart, and make a namespace with its Secret, a pod there that cannot pull, and the controller's."""
    await release.install(replicas=1, settings={"additionalSecrets": [ADDITIONAL]})
    team = await release.installation.create_served_namespace()
    await additional_secrets.wait_for(release.installation, team, ARGOCD)
    ((pod, process),) = release.pods
    await make_controller_pod(release, pod)
    await make_waiting_pod(release, team)
    take_kubectls_place(release, pod, process)
    return team


async def make_controller_pod(release: Release, pod: Pod) -> None:
    """Make the pod that the Deployment's controller would make; no scheduler assigns it to a node."""
    path = f"/apis/apps/v1/namespaces/{release.namespace}/deployments/{NAME}"
    template = (await release.api.get(path)).ok()["spec"]["template"]
    metadata = {"name": pod.name, "labels": template["metadata"]["labels"]}
    body = {"metadata": metadata, "spec": template["spec"]}
    (await release.api.post(f"/api/v1/namespaces/{release.namespace}/pods", body)).ok()


async def make_waiting_pod(release: Release, team: str) -> None:
    """Make a pod in the state in which a kubelet leaves one without credentials."""
    accounts = f"/api/v1/namespaces/{team}/serviceaccounts"
    await release.api.post(accounts, {"metadata": {"name": "puller"}})
    container = {"name": "app", "image": f"{IRELAND}/shop/web:v1"}
    spec = {"serviceAccountName": "puller", "automountServiceAccountToken": False, "containers": [container]}
    path = f"/api/v1/namespaces/{team}/pods"
    (await release.api.post(path, {"metadata": {"name": "web"}, "spec": spec})).ok()
    waiting = {"waiting": {"reason": "ErrImagePull", "message": NO_CREDENTIALS}}
    state: Mapping[str, Any] = {"name": "app", "image": container["image"], "imageID": "", "ready": False}
    status = {"containerStatuses": [{**state, "restartCount": 0, "state": waiting}]}
    (await release.api.send("PATCH", f"{path}/web/status", body={"status": status}, content_type=MERGE)).ok()


def take_kubectls_place(release: Release, pod: Pod, process: ControllerProcess) -> None:
    """Put a program before kubectl that is the kubelet where one would be needed, and the plugin on the PATH."""
    tools = release.folder / "bin"
    programs = Path(sys.executable).parent
    environment = {"PATH": f"{programs}:/usr/bin:/bin", **release.kubelet.environment(pod)}
    given = " ".join(shlex.quote(f"{key}={value}") for key, value in environment.items())
    real = (tools / "kubectl").resolve()
    (tools / "kubectl").unlink()
    text = KUBECTL.replace("@REAL@", str(real)).replace("@ENVIRONMENT@", given).replace("@LOG@", str(process.log))
    (tools / "kubectl").write_text(text)
    (tools / "kubectl").chmod(0o755)
    (tools / "kubectl-pullkeeper").symlink_to(programs / "kubectl-pullkeeper")


def as_typed(release: Release, team: str, command: str) -> str:
    """Put this release's names in the place of the page's."""
    if command.startswith("pullkeeper "):
        command = f"kubectl exec -n pullkeeper-system deploy/pullkeeper -- {command}"
    ((_, process),) = release.pods
    names = {
        "pullkeeper-system": release.namespace,
        "team-a": team,
        "ecr-pull-secret": release.installation.secret_name,
        "localhost:8080": f"localhost:{process.port()}",
    }
    for name, own in names.items():
        command = command.replace(name, own)
    return command.removesuffix(" &")


async def test_every_command_of_the_runbook_as_written(release: Release, team: str) -> None:
    """Each of them is understood by whom it is typed for, and prints something."""
    failed = {}
    for command in filter(is_typed, commands()):
        typed = as_typed(release, team, command)
        expected = FINE.get(command, 0)
        try:
            printed = await release.shell(f"set -o pipefail; {typed}; test $? = {expected}")
        except CommandError as error:
            failed[command] = str(error)
            continue
        if not printed and "port-forward" not in command:
            failed[command] = "it prints nothing"
    assert not failed, "\n".join(f"{command}: {why}" for command, why in failed.items())
