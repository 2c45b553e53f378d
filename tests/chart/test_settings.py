"""The settings file in the ConfigMap, and which changes to it restart the pods."""

import dataclasses
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from pullkeeper.adapters.kubernetes import installations
from pullkeeper.app.config_loader import parse
from pullkeeper.domain.config.own_sources import KeysFile, Profile, WebIdentityFile
from pullkeeper.domain.config.policy import Policy
from pullkeeper.domain.config.settings import Settings, parse_settings
from pullkeeper.domain.errors.validation import InvalidInputError
from pullkeeper.domain.iam import role_arn, roles_anywhere
from pullkeeper.domain.iam.roles_anywhere import RolesAnywhere
from testsupport.helm import CHART, CI_VALUES, NAMESPACE, RELEASE, Helms, Rendering, ci_values, with_role
from tools import chart_schema

IRELAND = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"

FILE = "settings.yaml"

BASE: Mapping[str, Any] = {"serviceAccountAttachment": True}
"""Settings that other settings depend on."""

LIVE: Mapping[str, Any] = {
    "class": "canary",
    "registries": [IRELAND],
    "clusterName": "prod-1",
    "roles": [{"role": "arn:aws:iam::222222222222:role/blue", "namespaces": ["blue"]}],
    "controllerIdentity": {"namespaces": ["infra"]},
    "serviceAccountIdentity": {"namespaces": ["team"], "audiences": ["sts.amazonaws.com.cn"]},
    "optIn": {"namespaces": ["app"], "exclude": ["app-1"]},
    "excludedNamespaces": ["kube-*"],
    "attachToServiceAccounts": ["default"],
}
"""A non-default value for each setting that is applied without a restart."""

LIVE_DERIVED: Mapping[str, Any] = {"podInjection": True, "admissionFence": True}
"""The same for those that the chart derives from other values."""

RESTARTING: Mapping[str, Any] = {
    "serviceAccountAttachment": False,
    "verify": "new",
    "verifyInterval": "1h",
    "registryCaFile": "/ca.pem",
    "secretName": "other",
    "additionalSecrets": [{"name": "basic", "shape": "basic-auth", "registry": IRELAND, "namespaces": ["a"]}],
    "watchNamespaces": ["a"],
    "refreshFraction": 0.4,
    "refreshJitter": "5m",
    "maxTokenAge": "5h",
    "relistInterval": "5m",
    "optOutGrace": "1h",
    "maxConcurrentReconciles": 8,
    "leaseDuration": "30s",
    "perNamespaceMetrics": False,
    "httpPort": 9090,
    "logFormat": "text",
    "logLevel": "debug",
}
"""A non-default value for each setting that needs a restart."""

DERIVED = chart_schema.derived().keys()
"""Settings that the chart derives from other values, and rejects in `settings`."""


def _known() -> set[str]:
    """Return the controller's settings, which its message about an unknown one lists."""
    with pytest.raises(InvalidInputError) as caught:
        parse_settings({"?": 1}, {})
    return set(caught.value.problems[0].expected.removeprefix("one of ").split(", "))


def _schema() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
    return document["properties"]["settings"]  # type: ignore[no-any-return]  # JSON has no types


def test_the_schema_has_every_setting() -> None:
    """Settings of the controller and of the chart are the same."""
    assert _schema()["properties"].keys() == _known()


def test_the_tables_above_are_complete() -> None:
    """Every setting is in one of them."""
    assert LIVE.keys() | RESTARTING.keys() | DERIVED == _known()


def test_defaults_are_those_of_the_controller(helms: Helms) -> None:
    """Except for the settings that the chart derives."""
    found = parse_settings(helms.render(with_role()).settings, {})
    expected = dataclasses.replace(Settings(), leader_election=True, lease_name=RELEASE, lease_namespace=NAMESPACE)
    assert found == expected


@pytest.mark.parametrize("path", CI_VALUES, ids=lambda path: path.stem)
def test_the_controller_accepts_every_rendered_file(helms: Helms, path: Any) -> None:
    """Values that pass the chart's checks do not fail at start."""
    for each in helms.render(ci_values(path)).all("ConfigMap"):
        if "settings.yaml" in each["data"]:
            parse(FILE, each["data"]["settings.yaml"].encode())


@pytest.mark.parametrize("key", LIVE)
def test_a_live_setting_does_not_restart_the_pods(helms: Helms, key: str) -> None:
    """It changes the ConfigMap but not the pod template."""
    rbac = {"serviceAccountIdentity": {"names": ["puller"]}}
    before, after = (helms.render(with_role(settings={**BASE, **more}, rbac=rbac)) for more in ({}, {key: LIVE[key]}))
    assert after.settings[key] == LIVE[key]
    assert _template(after) == _template(before)


@pytest.mark.parametrize("key", RESTARTING)
def test_other_settings_restart_the_pods(helms: Helms, key: str) -> None:
    """They change the checksum in the pod template."""
    before, after = (helms.render(with_role(settings={**BASE, **more})) for more in ({}, {key: RESTARTING[key]}))
    assert after.settings[key] == RESTARTING[key]
    assert _checksum(after) != _checksum(before)


def test_live_settings_are_those_that_the_controller_reloads() -> None:
    """LIVE is compared with the controller's list, by the fields that each setting changes."""
    before = parse_settings(BASE, {})
    changed = {
        key: _fields_that_differ(before, parse_settings({**BASE, key: value}, {}))
        for key, value in {**LIVE, **LIVE_DERIVED, **RESTARTING}.items()
    }
    assert {key for key, fields in changed.items() if fields == {"policy"}} == LIVE.keys() | LIVE_DERIVED
    policies = [parse_settings({**BASE, key: value}, {}).policy for key, value in {**LIVE, **LIVE_DERIVED}.items()]
    every_field = {field.name for field in dataclasses.fields(Policy)} - {
        "identities"
    }  # whose sources are opened at the start
    assert set().union(*(_fields_that_differ(before.policy, policy) for policy in policies)) == every_field


def _fields_that_differ(one: Settings | Policy, other: Settings | Policy) -> set[str]:
    return {field.name for field in dataclasses.fields(one) if getattr(one, field.name) != getattr(other, field.name)}


def test_the_lease_is_named_like_the_release(helms: Helms) -> None:
    """And is in its namespace."""
    named = helms.render(with_role(fullnameOverride="keeper", namespaceOverride="platform"))
    (config,) = named.all("ConfigMap")
    found = parse(FILE, config["data"]["settings.yaml"].encode())
    assert (found.lease_name, found.lease_namespace) == ("keeper", "platform")


def test_the_commands_find_the_settings_whatever_the_release_is_called(helms: Helms) -> None:
    """By a label of its own, and under the key that they read."""
    labels = {"app.kubernetes.io/part-of": "platform", "pullkeeper.dev/component": "ours"}
    for values in ({}, {"nameOverride": "keeper"}, {"fullnameOverride": "keeper", "commonLabels": labels}):
        config = helms.render(with_role(**values)).one("ConfigMap")
        key, _, value = installations.LABEL.partition("=")
        assert config["metadata"]["labels"][key] == value
        assert list(config["data"]) == [installations.FILE]


def test_without_leader_election_there_is_no_lease(helms: Helms) -> None:
    """The settings name none."""
    settings = helms.render(with_role(replicas=1, leaderElection=False)).settings
    assert settings["leaderElection"] is False
    assert not {"leaseName", "leaseNamespace"} & settings.keys()


def test_the_node_role_is_allowed_only_if_it_is_selected(helms: Helms) -> None:
    """`allowNodeInstanceRole` is true only with `aws.credentials=nodeRole`."""
    assert helms.render({"aws": {"credentials": "nodeRole"}}).settings["allowNodeInstanceRole"] is True
    assert helms.render({"aws": {"credentials": "podIdentity"}}).settings["allowNodeInstanceRole"] is False


def test_an_empty_list_of_namespaces_grants_nothing(helms: Helms) -> None:
    """It is rendered as an empty list: omitting it would allow all namespaces."""
    settings = helms.render(with_role(settings={"controllerIdentity": {"namespaces": []}})).settings
    assert settings["controllerIdentity"] == {"namespaces": []}
    assert not parse_settings(settings, {}).policy.controller_identity.namespaces.names


def test_the_settings_are_mounted_as_a_directory(helms: Helms) -> None:
    """A subPath mount is never updated, so no change could be applied without a restart."""
    rendering = helms.render(with_role())
    (mount,) = (each for each in rendering.container["volumeMounts"] if each["name"] == "settings")
    (volume,) = (each for each in rendering.pod["volumes"] if each["name"] == "settings")
    assert mount == {"name": "settings", "mountPath": "/etc/pullkeeper", "readOnly": True}
    assert volume == {"name": "settings", "configMap": {"name": RELEASE}}
    assert rendering.container["command"] + rendering.container["args"] == [
        "pullkeeper",
        "run",
        "--config",
        "/etc/pullkeeper/settings.yaml",
    ]


def test_documented_values_for_roles_anywhere_are_accepted(helms: Helms) -> None:
    """The example of docs/identities.md names the Secret that its Certificate writes."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", Path("docs/identities.md").read_text(), re.MULTILINE | re.DOTALL)
    (values,) = [yaml.safe_load(block) for block in blocks if "credentials: rolesAnywhere" in block]
    (objects,) = [list(yaml.safe_load_all(block)) for block in blocks if "kind: Certificate" in block]
    assert roles_anywhere.parse(helms.render(values).settings["rolesAnywhere"]).role.account == "111111111111"
    assert values["aws"]["rolesAnywhere"]["existingSecret"] == objects[-1]["spec"]["secretName"]


def _template(rendering: Rendering) -> object:
    return rendering.one("Deployment")["spec"]["template"]


def _checksum(rendering: Rendering) -> str:
    found: str = rendering.one("Deployment")["spec"]["template"]["metadata"]["annotations"]["checksum/settings"]
    return found


def test_roles_anywhere_has_its_files_where_the_settings_name_them(helms: Helms) -> None:
    """The Secret is mounted as a folder, since a subPath is never updated; the role and both ARNs are settings."""
    rendered = helms.render(ci_values(CHART / "ci" / "roles-anywhere-values.yaml"))
    found = roles_anywhere.parse(rendered.settings["rolesAnywhere"])
    assert found.role.text == "arn:aws:iam::123456789012:role/pullkeeper"
    (volume,) = [each for each in rendered.pod["volumes"] if each["name"] == "aws-certificate"]
    (mount,) = [each for each in rendered.container["volumeMounts"] if each["name"] == "aws-certificate"]
    assert volume["secret"]["secretName"] == "pullkeeper-aws"
    files = {f"{mount['mountPath']}/{item['path']}" for item in volume["secret"]["items"]}
    assert {found.certificate_file, found.key_file} == files
    assert "subPath" not in mount


def test_each_identity_has_its_files_where_the_settings_name_them(helms: Helms) -> None:
    """Each in a folder of its own: a projected token with its own audience, or the keys of its own Secret."""
    rendered = helms.render(ci_values(CHART / "ci" / "identities-values.yaml"))
    found = parse_settings({"identities": rendered.settings["identities"]}, {}).policy.identities
    assert [each.name for each in found] == ["china", "gov", "edge", "shared"]
    assert [each.namespaces.names for each in found] == [("*",), ("gov-*",), None, ("*",)]
    mounts = {each["name"]: each["mountPath"] for each in rendered.container["volumeMounts"]}
    volumes = {each["name"]: each for each in rendered.pod["volumes"]}
    assert {name for name in mounts if name.startswith("identity-")} == {f"identity-{each.name}" for each in found[:3]}
    china, gov, edge, shared = (each.source for each in found)
    (token,) = volumes["identity-china"]["projected"]["sources"]
    assert token["serviceAccountToken"]["audience"] == "sts.amazonaws.com.cn"
    assert china == WebIdentityFile(
        role=role_arn.parse("arn:aws-cn:iam::123456789012:role/pullkeeper"),
        token_file=f"{mounts['identity-china']}/{token['serviceAccountToken']['path']}",
        audience="sts.amazonaws.com.cn",
    )
    assert gov == KeysFile(path=_file(mounts, volumes, "gov", "pullkeeper-gov", "credentials"))
    assert isinstance(edge, RolesAnywhere)
    assert edge.certificate_file == _file(mounts, volumes, "edge", "pullkeeper-edge", "tls.crt")
    assert edge.key_file == _file(mounts, volumes, "edge", "pullkeeper-edge", "tls.key")
    assert shared == Profile(name="shared")


def _file(mounts: Mapping[str, str], volumes: Mapping[str, Any], name: str, secret: str, key: str) -> str:
    volume = volumes[f"identity-{name}"]["secret"]
    assert volume["secretName"] == secret
    (path,) = [item["path"] for item in volume["items"] if item["key"] == key]
    return f"{mounts[f'identity-{name}']}/{path}"
