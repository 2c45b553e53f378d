"""What docs/outside-aws.md tells people to type, typed; what cannot be tried here names its source."""

import json
import re
import shlex
import sys
from collections.abc import AsyncIterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest
import yaml

from pullkeeper.adapters import tls_context
from pullkeeper.domain.iam.oidc_issuer import PublicKey, mismatch, read_discovery, read_keys, unpublished
from pullkeeper.domain.iam.web_identity import decode
from pullkeeper.domain.views.iam_kubelet import as_text
from testsupport.control_plane.commands import ISSUER
from testsupport.control_plane.plane import ControlPlane, SecondApiServer
from testsupport.control_plane.release import REPOSITORY, Release
from testsupport.iam_examples import CONTROLLER_OF_IT, desired_states
from testsupport.outside_aws_page import typed, yaml_blocks
from testsupport.rest import RestClient
from testsupport.tls_shapes import Authority

pytestmark = pytest.mark.slow

FORMER, NEW = "https://kubernetes.default.svc.cluster.local", "https://oidc-example.s3.eu-west-1.amazonaws.com"
"""The issuers of the page."""
AWS = """\
#!/usr/bin/env bash
if [ "$2" = get-caller-identity ]; then
  case "${AWS_PROFILE:-}" in
    china) echo arn:aws-cn:iam::210987654321:user/somebody ;;
    gov) echo arn:aws-us-gov:iam::345678901234:user/somebody ;;
    *) echo arn:aws:iam::123456789012:user/somebody ;;
  esac
  exit
fi
case "$2" in get-*) exit 1 ;; esac
printf '%s\\n' "$*" >> aws-commands
"""


async def type_in(release: Release, folder: Path, lines: Sequence[str], kubeconfig: str = "$KUBECONFIG") -> list[str]:
    """Type commands in a folder of their own, with an `aws` that writes down what it is asked for; returns that."""
    tools = folder / "bin"
    (tools / "aws").write_text(AWS)
    (tools / "pullkeeper").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m pullkeeper "$@"\n')
    for name in ("aws", "pullkeeper"):
        (tools / name).chmod(0o755)
    if not (folder / "charts").exists():
        (folder / "charts").symlink_to(REPOSITORY / "charts")
    (folder / "aws-commands").write_text("")
    await release.shell(f'mkdir -p ~/.kube && cp "{kubeconfig}" ~/.kube/config')
    await release.shell("\n".join([f"set -euo pipefail; unset KUBECONFIG; cd {shlex.quote(str(folder))}", *lines]))
    return (folder / "aws-commands").read_text().splitlines()


@asynccontextmanager
async def api_server(plane: ControlPlane, folder: Path, flags: Sequence[str]) -> AsyncIterator[SecondApiServer]:
    """Run another API server with these flags on the tokens of ServiceAccounts."""
    authority = Authority(folder)
    (folder / "ca.crt").write_bytes(authority.pem)
    with plane.second_api_server(authority.issue(), folder / "ca.crt", issuing=flags) as second:
        yield second


@asynccontextmanager
async def client(server: ControlPlane | SecondApiServer, token: str = "") -> AsyncIterator[RestClient]:
    """Ask an API server as the administrator, or with a token."""
    connector = aiohttp.TCPConnector(ssl=tls_context.verifying(server.ca_file))
    async with aiohttp.ClientSession(connector=connector) as http:
        yield RestClient(http=http, url=server.url, token=token or server.admin_token)


async def new_token(server: ControlPlane | SecondApiServer) -> str:
    """Let an API server issue a token for itself."""
    async with client(server) as api:
        answer = await api.post("/api/v1/namespaces/default/serviceaccounts/default/token", {"spec": {}})
    return str(answer.ok()["status"]["token"])


async def user_of(server: SecondApiServer, token: str) -> str:
    """Say whom an API server takes the bearer of a token for; fails if it takes it for nobody."""
    async with client(server, token) as api:
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        answer = await api.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", review)
    return str(answer.ok()["status"]["userInfo"]["username"])


async def key_set(server: ControlPlane | SecondApiServer) -> AbstractSet[PublicKey]:
    """Return the keys that an API server publishes."""
    async with client(server) as api:
        return read_keys((await api.get("/openid/v1/jwks", accept="application/jwk-set+json")).ok())


def key_of(token: str) -> str:
    """Return the id of the key that a token was signed with."""
    return str(jwt.get_unverified_header(token)["kid"])


async def test_the_way_to_the_first_image_as_written(release: Release, tmp_path: Path) -> None:
    """The script creates provider, role and policy, the chart is installed, the namespace asks."""
    try:
        asked = await type_in(release, tmp_path, typed("Everywhere"))
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
        await remove(release)


async def test_spiffe_as_written(release: Release, tmp_path: Path) -> None:
    """The role is for the SPIFFE ID, and for no ServiceAccount; the chart is installed with the sidecar."""
    settings, *_ = typed("Everywhere")
    try:
        asked = await type_in(release, tmp_path, [settings, *typed("SPIFFE")])
        provider, role, *_ = asked
        assert "--url https://oidc-discovery.example.org" in provider
        assert "spiffe://example.org/ns/pullkeeper-system/sa/pullkeeper" in role
        assert "system:serviceaccount" not in role
        path = "/apis/apps/v1/namespaces/pullkeeper-system/deployments/pullkeeper"
        pod = (await release.api.get(path)).ok()["spec"]["template"]["spec"]
        assert [each["name"] for each in pod["initContainers"]] == ["spiffe-helper"]
    finally:
        await remove(release)


async def test_a_proxy_with_a_private_ca_as_written(release: Release, tmp_path: Path) -> None:
    """First the proxy, then its CA as well: the pod gets the variables and the file of both."""
    (proxy,), (private_ca,) = yaml_blocks("Behind a proxy"), yaml_blocks("With a private CA")
    role = {"aws": {"roleArn": "arn:aws:iam::123456789012:role/pullkeeper"}}
    for name, content in {"values": role, "proxy": proxy, "private-ca": private_ca}.items():
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(content))
    (tmp_path / "ca.crt").write_bytes(Authority(tmp_path).pem)
    try:
        await type_in(release, tmp_path, typed("Behind a proxy"))
        assert (await controller(release))["env"][-2:] == proxy["extraEnv"]
        await type_in(release, tmp_path, typed("With a private CA"))
        container = await controller(release)
        assert container["env"][-3:] == private_ca["extraEnv"]
        assert {"name": "private-ca", "mountPath": "/etc/private-ca", "readOnly": True} in container["volumeMounts"]
        (await release.api.get("/api/v1/namespaces/pullkeeper-system/configmaps/private-ca")).ok()
    finally:
        await remove(release)


async def test_several_partitions_as_written(release: Release, tmp_path: Path) -> None:
    """Each account gets the provider and the role of its own partition, and what no other has."""
    (values,) = yaml_blocks("Several partitions")
    (tmp_path / "partitions.yaml").write_text(yaml.safe_dump(values))
    try:
        asked = await type_in(release, tmp_path, typed("Several partitions"))
        assert [each.split()[1] for each in asked] == [
            "create-open-id-connect-provider",
            "create-role",
            "put-role-policy",
        ] * 3
        owners = [re.findall(r"arn:(aws[a-z-]*):iam::(\d+):oidc-provider/", each) for each in asked[1::3]]
        assert owners == [
            [("aws", "123456789012")],
            [("aws-cn", "210987654321")],
            [("aws-us-gov", "345678901234")],
        ]
    finally:
        await remove(release)


async def test_the_endpoints_of_an_air_gapped_cluster_as_written(release: Release, tmp_path: Path) -> None:
    """What the controller and the nodes ask, in one place."""
    asked = await type_in(release, tmp_path, typed("Air-gapped"))
    services = [each.partition("com.amazonaws.eu-west-1.")[2].split()[0] for each in asked]
    assert services == ["sts", "rolesanywhere", "ecr.api", "ecr.dkr", "s3"]
    assert all(each.startswith("ec2 create-vpc-endpoint ") and "--vpc-id vpc-" in each for each in asked)


async def controller(release: Release) -> Any:
    """Return the controller's container as it is installed."""
    path = "/apis/apps/v1/namespaces/pullkeeper-system/deployments/pullkeeper"
    (container,) = (await release.api.get(path)).ok()["spec"]["template"]["spec"]["containers"]
    return container


async def remove(release: Release) -> None:
    """Remove what the page's commands have installed."""
    await release.shell("helm uninstall pullkeeper -n pullkeeper-system --no-hooks --ignore-not-found")
    await release.shell("kubectl delete namespace team-a pullkeeper-system --ignore-not-found --timeout=120s")


async def test_the_key_set_as_written(plane: ControlPlane, release: Release, tmp_path: Path) -> None:
    """Both files are where the discovery document says, and such that `check` finds nothing wrong with them."""
    asked = await type_in(release, tmp_path, typed("A public key set"))
    discovery = read_discovery(json.loads((tmp_path / "openid-configuration").read_text()))
    assert mismatch(NEW, discovery) == ""
    assert discovery.jwks_uri == f"{NEW}/openid/v1/jwks"
    assert not unpublished(await key_set(plane), read_keys(json.loads((tmp_path / "jwks").read_text())))
    copied = [each.split()[2:4] for each in asked if each.startswith("s3 cp ")]
    bucket = "s3://oidc-example"
    assert copied == [
        ["openid-configuration", f"{bucket}/.well-known/openid-configuration"],
        ["jwks", f"{bucket}/openid/v1/jwks"],
    ]


async def test_a_real_api_server_with_the_flags_as_written(plane: ControlPlane, tmp_path: Path) -> None:
    """New tokens are of the new issuer, and those of the former one are accepted, as the page says."""
    _, kubeadm, *_ = yaml_blocks("k3s, RKE2, kubeadm, Talos")
    flags = [f"--{each['name']}={each['value'].replace(FORMER, ISSUER)}" for each in kubeadm["apiServer"]["extraArgs"]]
    key = plane.service_account_key
    keys = [f"--service-account-key-file={key}", f"--service-account-signing-key-file={key}"]
    before = await new_token(plane)
    async with api_server(plane, tmp_path, [*flags, *keys]) as second:
        async with client(second) as api:
            document = (await api.get("/.well-known/openid-configuration")).ok()
        after = await new_token(second)
        users = [await user_of(second, token) for token in (before, after)]
    assert mismatch(NEW, read_discovery(document)) == ""
    assert [decode(token).issuer for token in (before, after)] == [ISSUER, NEW]
    assert users == ["system:serviceaccount:default:default"] * 2


async def test_rotating_the_signing_key_as_written(plane: ControlPlane, release: Release, tmp_path: Path) -> None:
    """The key set has both keys before anything is signed with the new one; old tokens are accepted afterwards."""
    make, publish = typed("Rotating the signing key")[:2], typed("Rotating the signing key")[2:]
    await type_in(release, tmp_path, make)
    old, both, new = plane.service_account_key, tmp_path / "sa.pub", tmp_path / "sa-new.key"
    both.write_text(old.read_text() + (tmp_path / "sa-new.pub").read_text())
    flags = [f"--service-account-issuer={ISSUER}", f"--service-account-key-file={both}"]
    before = await new_token(plane)
    async with api_server(plane, tmp_path, [*flags, f"--service-account-signing-key-file={old}"]) as second:
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(json.dumps(kubeconfig_of(plane, second)))
        asked = await type_in(release, tmp_path, publish, str(kubeconfig))
        assert key_of(await new_token(second)) == key_of(before)
    assert asked == ["s3 cp jwks s3://oidc-example/openid/v1/jwks --content-type application/json"]
    published = read_keys(json.loads((tmp_path / "jwks").read_text()))
    async with api_server(plane, tmp_path, [*flags, f"--service-account-signing-key-file={new}"]) as second:
        after = await new_token(second)
        users = [await user_of(second, token) for token in (before, after)]
        signed_with = await key_set(second)
    assert key_of(after) != key_of(before)
    assert {key.key_id for key in published} == {key_of(before), key_of(after)}
    assert not unpublished(signed_with, published)
    assert unpublished(signed_with, await key_set(plane)) == key_of(after)
    assert users == ["system:serviceaccount:default:default"] * 2


def kubeconfig_of(plane: ControlPlane, server: SecondApiServer) -> dict[str, Any]:
    """Return the administrator's kubeconfig for another API server."""
    kubeconfig = plane.kubeconfig()
    kubeconfig["clusters"][0]["cluster"] = {"server": server.url, "certificate-authority": server.ca_file}
    return kubeconfig


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
