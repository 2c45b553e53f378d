"""The command lines of the control plane's three servers."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from testsupport.control_plane.assets import Assets
from testsupport.control_plane.certificates import Files

ISSUER = "https://kubernetes.default.svc"
"""The issuer and the default audience of ServiceAccount tokens."""

CONTROLLERS = (
    "namespace-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
    "garbage-collector-controller",
    "clusterrole-aggregation-controller",
    "validatingadmissionpolicy-status-controller",
)
"""What a test can see the effect of: no nodes, no workloads, so no other controllers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """Where the parts of one plane are and how they reach each other."""

    folder: Path
    binaries: Assets
    files: Files
    etcd_url: str
    port: int
    admin_token: str
    api_server_flags: Sequence[str] = ()
    """Of the API server, in addition to those of every plane."""
    issuing: Sequence[str] = ()
    """Flags of the API server on issuer, audiences and keys of ServiceAccounts, in place of those of every plane."""


def etcd(layout: Layout, peer_port: int) -> list[str]:
    """Return the command of a one-member etcd that forgets everything when the machine does."""
    peer = f"http://127.0.0.1:{peer_port}"
    return [
        str(layout.binaries.etcd),
        f"--data-dir={layout.folder / 'etcd'}",
        f"--listen-client-urls={layout.etcd_url}",
        f"--advertise-client-urls={layout.etcd_url}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
    ]


def kube_apiserver(layout: Layout) -> list[str]:
    """Return the command of an API server with RBAC, and an audit log of who used which verb."""
    files = layout.files
    return [
        str(layout.binaries.kube_apiserver),
        f"--etcd-servers={layout.etcd_url}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={layout.port}",
        f"--cert-dir={layout.folder / 'generated'}",
        f"--tls-cert-file={files.serving_certificate}",
        f"--tls-private-key-file={files.serving_key}",
        f"--token-auth-file={_token_file(layout)}",
        "--authorization-mode=Node,RBAC",
        "--service-cluster-ip-range=10.96.0.0/24",
        *(layout.issuing or _issuing(files)),
        f"--audit-policy-file={_audit_policy(layout)}",
        f"--audit-log-path={layout.folder / 'audit.log'}",
        # Not the default of 100 MB, after which a new file begins: many tests share an API server, and read all of it.
        "--audit-log-maxsize=10000",
        # A watch ends at once when a test stops the server, instead of after a minute of grace.
        "--shutdown-delay-duration=0s",
        *layout.api_server_flags,
    ]


def kube_controller_manager(layout: Layout, kubeconfig: Path) -> list[str]:
    """Return the command of a controller manager with the controllers that the tests rely on."""
    return [
        str(layout.binaries.kube_controller_manager),
        f"--kubeconfig={kubeconfig}",
        f"--controllers={','.join(CONTROLLERS)}",
        "--leader-elect=false",
        # No port of its own: nobody asks it anything.
        "--secure-port=0",
        f"--service-account-private-key-file={layout.files.service_account_key}",
        f"--root-ca-file={layout.files.ca}",
    ]


def _issuing(files: Files) -> Sequence[str]:
    return (
        f"--service-account-issuer={ISSUER}",
        f"--service-account-key-file={files.service_account_key}",
        f"--service-account-signing-key-file={files.service_account_key}",
    )


def _token_file(layout: Layout) -> Path:
    path = layout.folder / "tokens.csv"
    path.touch(mode=0o600)
    path.write_text(f"{layout.admin_token},admin,admin,system:masters\n")
    return path


def _audit_policy(layout: Layout) -> Path:
    path = layout.folder / "audit-policy.yaml"
    policy = {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [{"level": "Metadata"}],
    }
    path.write_text(json.dumps(policy))  # JSON is YAML
    return path
