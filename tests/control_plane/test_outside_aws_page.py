"""What docs/outside-aws.md tells people to type, typed; what cannot be tried here names its source."""

import json
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from pullkeeper.domain.views.iam_kubelet import as_text
from testsupport.control_plane.release import REPOSITORY, Release
from testsupport.iam_examples import CONTROLLER_OF_IT, desired_states

pytestmark = pytest.mark.slow

PAGE = REPOSITORY / "docs" / "outside-aws.md"
UNTRIED = {"helm test", "kubectl run"}
"""They wait for a kubelet; tests/control_plane/test_chart_traces.py plays one to `helm test`."""
AWS = """\
#!/usr/bin/env bash
if [ "$2" = get-caller-identity ]; then echo 123456789012; exit; fi
case "$2" in get-*) exit 1 ;; esac
printf '%s\\n' "$*" >> aws-commands
"""


def commands(section: str) -> list[str]:
    """Return the commands of a section, each as it is written."""
    _, _, rest = PAGE.read_text().partition(f"\n## {section}\n")
    text, _, _ = rest.partition("\n## ")
    blocks = re.findall(r"^ *```console\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ")
    return [" ".join(line.split("$ ", 1)[1:]) for line in lines.splitlines() if line.strip().startswith("$ ")]


async def type_in(release: Release, folder: Path, typed: Sequence[str]) -> list[str]:
    """Type commands in a folder of their own, with an `aws` that writes down what it is asked for; returns that."""
    tools = folder / "bin"
    (tools / "aws").write_text(AWS)
    (tools / "pullkeeper").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m pullkeeper "$@"\n')
    for name in ("aws", "pullkeeper"):
        (tools / name).chmod(0o755)
    (folder / "charts").symlink_to(REPOSITORY / "charts")
    await release.shell('mkdir -p ~/.kube && cp "$KUBECONFIG" ~/.kube/config')
    await release.shell("\n".join([f"set -euo pipefail; unset KUBECONFIG; cd {shlex.quote(str(folder))}", *typed]))
    return (folder / "aws-commands").read_text().splitlines()


async def test_the_way_to_the_first_image_as_written(release: Release, tmp_path: Path) -> None:
    """The script creates provider, role and policy, the chart is installed, the namespace asks."""
    typed = commands("Everywhere")
    tried = [each for each in typed if " ".join(each.split()[:2]) not in UNTRIED]
    assert len(typed) - len(tried) == len(UNTRIED)
    try:
        asked = await type_in(release, tmp_path, tried)
        assert [each.split()[1] for each in asked] == [
            "create-open-id-connect-provider",
            "create-role",
            "put-role-policy",
        ]
        assert "system:serviceaccount:pullkeeper-system:pullkeeper" in asked[1]
        path = "/api/v1/namespaces/pullkeeper-system/serviceaccounts/pullkeeper"
        (await release.api.get(path)).ok()
        namespace = (await release.api.get("/api/v1/namespaces/team-a")).ok()
        assert namespace["metadata"]["annotations"]["pullkeeper.dev/enabled"] == "true"
    finally:
        await release.shell("helm uninstall pullkeeper -n pullkeeper-system --no-hooks --ignore-not-found")
        await release.shell("kubectl delete namespace team-a pullkeeper-system --ignore-not-found --wait=false")


async def test_the_key_set_as_written(release: Release, tmp_path: Path) -> None:
    """Both files are what an OIDC client needs, and where the discovery document says."""
    typed = commands("A public key set")
    asked = await type_in(release, tmp_path, typed)
    document = json.loads((tmp_path / "openid-configuration").read_text())
    assert document["jwks_uri"] == f"{document['issuer']}/openid/v1/jwks"
    assert [key["kty"] for key in json.loads((tmp_path / "jwks").read_text())["keys"]]
    copied = [each.split()[2:4] for each in asked if each.startswith("s3 cp ")]
    bucket = "s3://oidc-example"
    assert copied == [
        ["openid-configuration", f"{bucket}/.well-known/openid-configuration"],
        ["jwks", f"{bucket}/openid/v1/jwks"],
    ]


async def test_an_api_server_takes_what_the_kubelet_would_need(release: Release, tmp_path: Path) -> None:
    """The right to the audience and the annotated ServiceAccounts; the configuration is the kubelet's own file."""
    namespace = release.namespace
    desired = {namespace: desired_states()["plain"]}
    documents = [each for each in yaml.safe_load_all(as_text(CONTROLLER_OF_IT, desired)) if each]
    given = [each for each in documents if each["kind"] != "CredentialProviderConfig"]
    assert [each["kind"] for each in given] == ["ClusterRole", "ClusterRoleBinding", "ServiceAccount"]
    (tmp_path / "kubelet.yaml").write_text(yaml.safe_dump_all(given))
    apply = "kubectl apply --server-side --force-conflicts --dry-run=server --validate=strict"
    printed = await release.shell(f"{apply} -f {shlex.quote(str(tmp_path / 'kubelet.yaml'))}")
    assert printed.count("serverside-applied") == len(given)
