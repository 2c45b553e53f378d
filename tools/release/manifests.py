"""Write deploy/install.yaml, for those who use no Helm, from the chart: `make manifests`."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from testsupport.helm import CHART, NAMESPACE, RELEASE
from testsupport.helm_tools import ToolsError, find
from tools.release.names import ROOT

MANIFEST = ROOT / "deploy" / "install.yaml"
KUBERNETES = "1.30"
"""The oldest version that the manifest can be applied to: the first that serves the admission fence."""
VALUES: Mapping[str, Any] = {
    # Nothing in it depends on the cluster: Pod Identity is configured at AWS, IRSA by annotating the ServiceAccount.
    "aws": {"credentials": "podIdentity"},
    "admission": {"fence": True, "injection": False},
    "prometheusRule": {"enabled": False},
}
_SERVED = "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy"
# Applied by kubectl, it is no release of Helm's.
_OF_HELM = ("app.kubernetes.io/managed-by: Helm", "helm.sh/chart: ", "# Source: ")
_HEAD = f"""\
# Written by `make manifests` from the chart: Pullkeeper in {NAMESPACE}, for Kubernetes {KUBERNETES} and newer, with the
# identity of EKS Pod Identity, or of IRSA once its ServiceAccount is annotated. docs/install.md, "Without Helm".
apiVersion: v1
kind: Namespace
metadata:
  name: {NAMESPACE}
  labels:
    app.kubernetes.io/name: pullkeeper
    pod-security.kubernetes.io/enforce: restricted
"""


def rendered(helm: Path, chart: Path = CHART) -> str:
    """Return the manifest that a chart gives."""
    command: list[str | Path] = [
        helm, "template", RELEASE, chart, "--namespace", NAMESPACE, "--no-hooks", "--values", "-",
        "--kube-version", f"{KUBERNETES}.0", "--api-versions", _SERVED,
    ]  # fmt: skip
    given = yaml.safe_dump(dict(VALUES))
    text = subprocess.run(command, input=given, capture_output=True, text=True, check=True).stdout
    kept = [line for line in text.splitlines() if not line.strip().startswith(_OF_HELM)]
    return _HEAD + "\n".join(kept) + "\n"


def main() -> int:
    """Write it."""
    try:
        MANIFEST.write_text(rendered(find().helm4))
    except ToolsError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
