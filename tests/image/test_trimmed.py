"""The trimmed libraries behave like the complete ones."""

import json
import subprocess
import sys
from pathlib import Path

import yaml

from testsupport.controller_process import ControllerProcess
from testsupport.fake_kube import ApiServer
from testsupport.image.built import Image
from testsupport.installation import Installation

_ENDPOINTS = """
import boto3, json
from botocore.config import Config
from botocore.exceptions import EndpointVariantError
def endpoint(service, region, fips, dual):
    config = Config(use_fips_endpoint=fips, use_dualstack_endpoint=dual)
    try:
        return session.client(service, region_name=region, config=config).meta.endpoint_url
    except EndpointVariantError:
        return "none"
session = boto3.Session(aws_access_key_id="AKIA", aws_secret_access_key="none")
regions = [("ecr", region) for region in (
    "eu-west-1", "us-east-1", "mx-central-1", "cn-north-1", "us-gov-west-1", "us-iso-east-1", "us-isob-east-1",
    "eu-isoe-west-1", "us-isof-south-1", "eusc-de-east-1", "made-up-1",
)]
print(json.dumps({
    f"{service} {region} {fips} {dual}": endpoint(service, region, fips, dual)
    for service, region in [*regions, *(("sts", region) for _, region in regions), ("ecr-public", "us-east-1")]
    for fips in (False, True) for dual in (False, True)
}))
"""

_PLUGIN = """
import json, os
print(json.dumps({
    "apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
    "status": {"token": os.environ["ANSWER"]},
}))
"""


def test_endpoints_are_those_of_the_complete_library(image: Image, tmp_path: Path) -> None:
    """ECR, ECR Public and STS in every partition, FIPS and dual-stack: the same URLs and the same errors."""
    trimmed = image.python(tmp_path, _ENDPOINTS)
    whole = subprocess.run([sys.executable, "-c", _ENDPOINTS], capture_output=True, text=True, check=True)
    assert trimmed == json.loads(whole.stdout)
    assert len(set(trimmed.values())) > 40


def test_unused_services_and_kinds_are_removed(image: Image) -> None:
    """Of botocore's data and kubernetes' models, only what is used remains."""
    (packages,) = (image.root / "opt/pullkeeper/lib").glob("python3.*/site-packages")
    data = packages / "botocore/data"
    assert {path.name for path in data.iterdir() if path.is_dir()} == {"ecr", "ecr-public", "sts"}
    assert len(list((packages / "kubernetes").glob("**/models/*.py"))) < 10


async def test_a_kubeconfig_with_a_token_works(image: Image, installation: Installation, tmp_path: Path) -> None:
    """The controller becomes ready outside a pod."""
    assert isinstance(installation.server, ApiServer)
    await _starts(image, installation, tmp_path, {"token": (tmp_path / "token").read_text()})


async def test_a_kubeconfig_with_a_credential_plugin_works(
    image: Image, installation: Installation, tmp_path: Path
) -> None:
    """As in the kubeconfig that `aws eks update-kubeconfig` writes."""
    answer = [{"name": "ANSWER", "value": (tmp_path / "token").read_text()}]
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "python",
        "args": ["-c", _PLUGIN],
        "env": answer,
        "interactiveMode": "Never",
    }
    await _starts(image, installation, tmp_path, {"exec": plugin})


async def _starts(image: Image, installation: Installation, folder: Path, user: dict[str, object]) -> None:
    cluster = {"server": installation.server.url, "certificate-authority": str(folder / "ca.crt")}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "clusters": [{"name": "it", "cluster": cluster}],
        "users": [{"name": "it", "user": user}],
    }
    (folder / "kubeconfig").write_text(yaml.safe_dump(document))
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump({"secretName": installation.secret_name, "httpPort": 0, "httpHost": "127.0.0.1"}))
    process = ControllerProcess(
        command=[*image.command(folder), "run", "--config", str(config)],
        config=config,
        log=folder / "controller.log",
        environment={"KUBECONFIG": str(folder / "kubeconfig"), **installation.irsa()},
    )
    installation.processes.append(process)
    await process.until_ready()
