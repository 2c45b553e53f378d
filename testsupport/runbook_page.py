"""docs/runbook.md, taken apart: every command that it names, and those that no test types, each with the reason."""

import re
from collections.abc import Mapping
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "runbook.md"
_PROGRAMS = "kubectl|helm|pullkeeper|curl|aws|TOKEN=|cmctl|etcdutl"

NOT_TYPED: Mapping[str, str] = {
    "helm test": "tests/control_plane/test_chart_life.py runs it, and is the kubelet for its pod",
    "helm rollback": "it changes the release, which other commands are typed at; helm's own tests try it",
    "kubectl rollout status": "no controller of Deployments runs here that would say how far one is",
    "kubectl describe certificate": "cert-manager's kinds are not installed here",
    "cmctl renew": "cert-manager's own program",
    "etcdutl snapshot restore": "it replaces the cluster's history; tests/world does that by other means",
    "aws ecr get-login-password": "it asks the real AWS",
    "TOKEN=$(aws ecr get-authorization-token": "it asks the real AWS",
    'curl -sS -o /dev/null -D - -H "Authorization: Basic $TOKEN"': "it asks a real registry",
}
"""How commands begin that no test types, and why."""


def commands() -> list[str]:
    """Return each command of the page, from its blocks and its sentences, in its order."""
    text = PAGE.read_text()
    pattern = rf"^ *\$ (?P<typed>.+)$|`(?P<named>(?:{_PROGRAMS})(?![.:/\w-])[^`]*)`"
    found = ("".join(filter(None, match.groups())) for match in re.finditer(pattern, text, re.MULTILINE))
    joined = (" ".join(each.split()) for each in found)
    return list(dict.fromkeys(each for each in joined if " " in each))


def is_typed(command: str) -> bool:
    """Return whether a test types the command."""
    return not any(command.startswith(each) for each in NOT_TYPED)
