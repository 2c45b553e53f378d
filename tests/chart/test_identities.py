"""Which of `aws.identities` the chart refuses: just those that the controller would not start with."""

from collections.abc import Mapping
from typing import Any

import pytest

from testsupport.helm import Helms, with_role
from testsupport.settings_agreement import assert_chart_agrees, controller_accepts

ACCOUNT = "123456789012"
ANCHOR = "trust-anchor/11111111-1111-1111-1111-111111111111"
PROFILE = "profile/22222222-2222-2222-2222-222222222222"


def _web(partition: str, registries: list[str] | str, **more: Any) -> dict[str, Any]:
    role = f"arn:{partition}:iam::{ACCOUNT}:role/pullkeeper"
    return {"credentials": "webIdentity", "roleArn": role, "registries": registries, **more}


def _profile(registries: list[str], **more: Any) -> dict[str, Any]:
    return {"credentials": "profile", "profile": "p", "registries": registries, **more}


def _anywhere(partition: str, place: str, registries: list[str], **more: Any) -> dict[str, Any]:
    arn = f"arn:{partition}:rolesanywhere:{place}:{ACCOUNT}"
    files = {"trustAnchorArn": f"{arn}:{ANCHOR}", "profileArn": f"{arn}:{PROFILE}", "existingSecret": "certificate"}
    return _web(partition, registries) | {"credentials": "rolesAnywhere", "rolesAnywhere": files} | more


def _host(region: str, suffix: str = "amazonaws.com") -> str:
    return f"{ACCOUNT}.dkr.ecr.{region}.{suffix}"


CASES: Mapping[str, Mapping[str, Any]] = {
    "a role of China for its registries": _web("aws-cn", ["*.amazonaws.com.cn"]),
    "a role of China for a registry": _web("aws-cn", [_host("cn-north-1", "amazonaws.com.cn")]),
    "a role of China for dual-stack names": _web("aws-cn", "*.on.amazonwebservices.com.cn"),
    "an audience of China": _web("aws-cn", ["*"], audience="sts.amazonaws.com.cn"),
    "an audience that IAM does not take": _web("aws", ["*"], audience="a b"),
    "an audience too long": _web("aws", ["*"], audience="a" * 256),
    "a role of China for all": _web("aws-cn", ["*"]),
    "a role of China for those of others": _web("aws-cn", ["*.amazonaws.com"]),
    "a role of China for a registry of another": _web("aws-cn", [_host("eu-west-1")]),
    "a role of China for ECR Public": _web("aws-cn", ["public.ecr.aws"]),
    "a role of aws for ECR Public": _web("aws", ["public.ecr.aws", "ecr-public.aws.com"]),
    "a role of aws for a registry of GovCloud": _web("aws", [_host("us-gov-west-1")]),
    "a role of GovCloud for a registry of its own": _web("aws-us-gov", [_host("us-gov-west-1")]),
    "a role of GovCloud for a registry of aws": _web("aws-us-gov", [_host("us-west-1")]),
    "a role of aws for what is no registry": _web("aws", ["docker.io"]),
    "a role of aws for all of an account": _web("aws", [f"{ACCOUNT}.*"]),
    "a role of a partition that there is not": _web("aws-moon", ["*"]),
    "a region of the role's partition": _web("aws-cn", ["*"], region="cn-northwest-1"),
    "a region of another partition": _web("aws-cn", ["*"], region="eu-west-1"),
    "a region of no partition": _web("aws", ["*"], region="xx-west-1"),
    "a profile for what it may be for": _profile(["*.amazonaws.com.cn", _host("eu-west-1")]),
    "a profile for what is no registry": _profile(["docker.io"]),
    "a profile with a region of the registries": _profile(["*.amazonaws.com.cn"], region="cn-north-1"),
    "a profile with a region of others": _profile(["*.amazonaws.com.cn"], region="eu-west-1"),
    "a profile with a region of no partition": _profile(["*"], region="eu-west"),
    "a trust anchor of the partition": _anywhere("aws-cn", "cn-north-1", ["*.cn"]),
    "a trust anchor in a region of another": _anywhere("aws-cn", "eu-west-1", ["*.cn"]),
    "a trust anchor of the partition, its region too": _anywhere("aws", "eu-west-1", ["*"], region="us-east-1"),
    "a trust anchor of aws for registries of China": _anywhere("aws", "eu-west-1", ["*.amazonaws.com.cn"]),
}


def _values(identity: Mapping[str, Any]) -> dict[str, Any]:
    role = f"arn:aws:iam::{ACCOUNT}:role/pullkeeper"
    return with_role(aws={"roleArn": role, "identities": [{"name": "x", **identity}]})


def _accepted(identity: Mapping[str, Any]) -> bool:
    given = {key: identity[key] for key in ("registries", "region", "profile") if key in identity} | {"name": "x"}
    role = identity.get("roleArn", "")
    if identity["credentials"] == "webIdentity":
        audience = {"audience": identity["audience"]} if "audience" in identity else {}
        given["webIdentity"] = {"roleArn": role, "tokenFile": "/token", **audience}
    if identity["credentials"] == "rolesAnywhere":
        arns = {key: value for key, value in identity["rolesAnywhere"].items() if key != "existingSecret"}
        given["rolesAnywhere"] = {**arns, "roleArn": role, "certificateFile": "/tls.crt", "keyFile": "/tls.key"}
    return controller_accepts({"identities": [given]})


@pytest.fixture(scope="module", autouse=True)
def _prepared(helms: Helms) -> None:
    helms.prepare(map(_values, CASES.values()))


@pytest.mark.parametrize("name", CASES)
def test_the_chart_and_the_controller_take_the_same_identities(helms: Helms, name: str) -> None:
    """Above all, none whose credentials are not valid where it is to be used."""
    assert_chart_agrees(helms, _values(CASES[name]), accepted=_accepted(CASES[name]))


def test_the_table_has_both_sides() -> None:
    """Enough is accepted and enough refused for the comparison to mean something."""
    accepted = sum(map(_accepted, CASES.values()))
    assert 8 < accepted < len(CASES) - 8
