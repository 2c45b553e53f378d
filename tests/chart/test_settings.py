"""The settings file that the chart writes: what the controller reads, and when a change of it restarts the pods."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from pullkeeper.domain.config.policy import Policy
from pullkeeper.domain.config.settings import Settings, parse_settings
from pullkeeper.domain.errors.validation import InvalidInputError
from testsupport.helm import CHART, CI_VALUES, NAMESPACE, RELEASE, Helms, Rendering, ci_values, with_role

IRELAND = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"

BASE: Mapping[str, Any] = {"serviceAccountAttachment": True}
"""Settings that others need."""

LIVE: Mapping[str, Any] = {
    "registries": [IRELAND],
    "clusterName": "prod-1",
    "roles": [{"role": "arn:aws:iam::222222222222:role/blue", "namespaces": ["blue"]}],
    "controllerIdentity": {"namespaces": ["infra"]},
    "serviceAccountIdentity": {"namespaces": ["team"]},
    "optIn": {"namespaces": ["app"], "exclude": ["app-1"]},
    "attachToServiceAccounts": ["default"],
}
"""Another value for each setting that is taken over without a restart."""

COLD: Mapping[str, Any] = {
    "serviceAccountAttachment": False,
    "verify": "new",
    "verifyInterval": "1h",
    "registryCaFile": "/ca.pem",
    "secretName": "other",
    "watchNamespaces": ["a"],
    "refreshFraction": 0.4,
    "refreshJitter": "5m",
    "maxTokenAge": "5h",
    "relistInterval": "5m",
    "maxConcurrentReconciles": 8,
    "leaseDuration": "30s",
    "perNamespaceMetrics": False,
    "httpPort": 9090,
    "logFormat": "text",
    "logLevel": "debug",
}
"""Another value for each that takes one."""

DERIVED = {"leaderElection", "leaseName", "leaseNamespace", "allowNodeInstanceRole", "httpHost"}
"""Settings that the chart knows better, and refuses in `settings`."""


def _known() -> set[str]:
    """Ask the controller which settings there are: its answer to an unknown one lists them."""
    with pytest.raises(InvalidInputError) as caught:
        parse_settings({"?": 1}, {})
    return set(caught.value.problems[0].expected.removeprefix("one of ").split(", "))


def _schema() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
    return document["properties"]["settings"]  # type: ignore[no-any-return]  # JSON has no types


def test_the_schema_knows_every_setting_of_the_controller() -> None:
    """A setting that is added to the controller has to be added to the chart, and the other way round."""
    assert _schema()["properties"].keys() == _known()


def test_every_setting_is_live_cold_or_derived() -> None:
    """These tests look at every setting there is."""
    assert LIVE.keys() | COLD.keys() | DERIVED == _known()


def test_the_defaults_are_those_of_the_controller(helms: Helms) -> None:
    """The chart's values differ from the controller's own defaults only in what the chart derives."""
    found = parse_settings(helms.render(with_role()).settings, {})
    expected = dataclasses.replace(Settings(), leader_election=True, lease_name=RELEASE, lease_namespace=NAMESPACE)
    assert found == expected


@pytest.mark.parametrize("path", CI_VALUES, ids=lambda path: path.stem)
def test_the_controller_can_read_it(helms: Helms, path: Any) -> None:
    """Whatever passes the chart's checks starts the controller."""
    for each in helms.render(ci_values(path)).all("ConfigMap"):
        if "settings.yaml" in each["data"]:
            parse_settings(yaml.safe_load(each["data"]["settings.yaml"]), {})


@pytest.mark.parametrize("key", LIVE)
def test_a_live_setting_restarts_nothing(helms: Helms, key: str) -> None:
    """What the controller takes over by itself changes the file, but not the pods."""
    before, after = (helms.render(with_role(settings={**BASE, **more})) for more in ({}, {key: LIVE[key]}))
    assert after.settings[key] == LIVE[key]
    assert _template(after) == _template(before)


@pytest.mark.parametrize("key", COLD)
def test_a_cold_setting_restarts_the_pods(helms: Helms, key: str) -> None:
    """What takes a restart gets one, by another checksum on the pods."""
    before, after = (helms.render(with_role(settings={**BASE, **more})) for more in ({}, {key: COLD[key]}))
    assert after.settings[key] == COLD[key]
    assert _checksum(after) != _checksum(before)


def test_live_is_what_the_controller_takes_over() -> None:
    """LIVE, to which the chart is held above, is the controller's own list, by what each setting changes in it."""
    before = parse_settings(BASE, {})
    changed = {
        key: _fields_that_differ(before, parse_settings({**BASE, key: value}, {}))
        for key, value in {**LIVE, **COLD}.items()
    }
    assert {key for key, fields in changed.items() if fields == {"policy"}} == LIVE.keys()
    policies = [parse_settings({**BASE, key: value}, {}).policy for key, value in LIVE.items()]
    every_field = {field.name for field in dataclasses.fields(Policy)}
    assert set().union(*(_fields_that_differ(before.policy, policy) for policy in policies)) == every_field


def _fields_that_differ(one: Settings | Policy, other: Settings | Policy) -> set[str]:
    return {field.name for field in dataclasses.fields(one) if getattr(one, field.name) != getattr(other, field.name)}


def test_the_lease_follows_the_release(helms: Helms) -> None:
    """The Lease is named like the release's objects, and is in its namespace."""
    named = helms.render(with_role(fullnameOverride="keeper", namespaceOverride="platform"))
    (config,) = named.all("ConfigMap")
    found = parse_settings(yaml.safe_load(config["data"]["settings.yaml"]), {})
    assert (found.lease_name, found.lease_namespace) == ("keeper", "platform")


def test_without_a_lease_none_is_named(helms: Helms) -> None:
    """One replica without a Lease has none in its settings."""
    settings = helms.render(with_role(replicas=1, leaderElection=False)).settings
    assert settings["leaderElection"] is False
    assert not {"leaseName", "leaseNamespace"} & settings.keys()


def test_only_the_node_role_is_allowed_by_choosing_it(helms: Helms) -> None:
    """`allowNodeInstanceRole` is true just where the credentials are to come from the node."""
    assert helms.render({"aws": {"credentials": "nodeRole"}}).settings["allowNodeInstanceRole"] is True
    assert helms.render({"aws": {"credentials": "podIdentity"}}).settings["allowNodeInstanceRole"] is False


def test_an_emptied_grant_stays_narrow(helms: Helms) -> None:
    """A list of namespaces that was left empty is written as it is: leaving it out would open it to all."""
    settings = helms.render(with_role(settings={"controllerIdentity": {"namespaces": []}})).settings
    assert settings["controllerIdentity"] == {"namespaces": []}
    assert not parse_settings(settings, {}).policy.controller_identity.namespaces.names


def test_the_file_is_mounted_whole(helms: Helms) -> None:
    """A subPath would be a copy of the day when the pod started, so that nothing could be taken over."""
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


def _template(rendering: Rendering) -> object:
    return rendering.one("Deployment")["spec"]["template"]


def _checksum(rendering: Rendering) -> str:
    found: str = rendering.one("Deployment")["spec"]["template"]["metadata"]["annotations"]["checksum/settings"]
    return found
