"""The chart's admission fence on a plane, for every controller that tests install without the chart."""

import json
import re
import subprocess
from collections.abc import Mapping
from functools import cache
from typing import Any

import yaml

from testsupport.additional_entries import ADDITIONAL
from testsupport.helm import CHART, with_role
from testsupport.helm_tools import find
from testsupport.rest import RestClient

USERS = r"^system:serviceaccount:pullkeeper-[0-9a-f]{8}:pullkeeper$"
"""The controllers of testsupport.installation; a release of the chart has a fence of its own."""
_GROUP = "/apis/admissionregistration.k8s.io/v1"
_NAME = "the-name-of-the-secret"
_SERVED = "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy"
_VALUES: dict[str, Any] = with_role(
    fullnameOverride="pullkeeper-of-tests",
    settings={
        "secretName": _NAME,
        "additionalSecrets": list(map(dict, ADDITIONAL)),
        "serviceAccountAttachment": True,
        "serviceAccountIdentity": {"namespaces": ["*"]},
    },
    rbac={"serviceAccountIdentity": {"names": ["*"]}},
)
_ANY_NAME = (
    (r"request\.userInfo\.username in \[[^]]*\]", f"request.userInfo.username.matches({json.dumps(USERS)})"),
    (rf'(\S+) in \["{_NAME}"(?:,[^]]*)?\]', r'\1 != ""'),
    (rf'(\S+) in \["","{_NAME}"\]', r'\1 != "-"'),
    (r'request\.namespace == "default"', 'request.namespace != ""'),
    (r'object\.metadata\.name == "pullkeeper-of-tests"', 'object.metadata.name != ""'),
)
"""What the chart knows and tests choose anew each time: the user, the Secret's name, the Lease."""


@cache
def fence() -> list[dict[str, Any]]:
    """Render the fence for all of them at once: its rules are the chart's, only names are any."""
    command = [str(find().helm4), "template", "pullkeeper", str(CHART), "-n", "default", "--api-versions", _SERVED]
    command += ["--show-only", "templates/admission-fence.yaml", "--values", "-"]
    text = subprocess.run(command, input=json.dumps(_VALUES), capture_output=True, text=True, check=True).stdout
    for pattern, replacement in _ANY_NAME:
        text, number = re.subn(pattern, replacement, text)
        assert number, pattern
    return [each for each in yaml.safe_load_all(text) if each]


def path(policy: Mapping[str, Any], *, collection: bool = False) -> str:
    """Return the path of a policy or a binding, or of all of its kind."""
    kind = "validatingadmissionpolicybindings" if "Binding" in policy["kind"] else "validatingadmissionpolicies"
    return f"{_GROUP}/{kind}" if collection else f"{_GROUP}/{kind}/{policy['metadata']['name']}"


async def put_up(api: RestClient) -> None:
    """Put up the fence, unless it is there."""
    for each in fence():
        answer = await api.post(path(each, collection=True), each)
        if answer.status == 409:
            return
        answer.ok()
