"""Containers of the user's beside the controller."""

from typing import Any

import pytest
import yaml

from testsupport.helm import CHART, Helms, ci_values, with_role

SIDECAR = {"name": "helper", "image": "helper:1", "restartPolicy": "Always"}
PLAIN = {"name": "watch", "image": "watch:1"}
OWN = {"runAsUser": 1, "allowPrivilegeEscalation": False}


def test_they_stand_as_they_are_given(helms: Helms) -> None:
    """Init containers before the controller, others after it; the security context is the controller's unless given."""
    bound = {**PLAIN, "name": "bound", "securityContext": OWN}
    values = {"extraInitContainers": [SIDECAR], "extraContainers": [PLAIN, bound]}
    rendering = helms.render(with_role(**values))
    own = rendering.container["securityContext"]
    assert rendering.pod["initContainers"] == [{**SIDECAR, "securityContext": own}]
    assert rendering.pod["containers"] == [rendering.container, {**PLAIN, "securityContext": own}, bound]
    assert rendering.container["name"] == "pullkeeper"


def test_there_are_none_by_default(helms: Helms) -> None:
    """Nor an empty list."""
    rendering = helms.render(with_role())
    assert "initContainers" not in rendering.pod
    assert rendering.pod["containers"] == [rendering.container]


def test_the_pod_of_helm_test_has_what_ends(helms: Helms) -> None:
    """A sidecar ends with the pod's own container; any other container would keep the test from ending."""
    values = {"extraInitContainers": [SIDECAR], "extraContainers": [PLAIN]}
    rendering = helms.render(with_role(**values))
    spec = rendering.one("Pod")["spec"]
    assert spec["initContainers"] == rendering.pod["initContainers"]
    assert [each["name"] for each in spec["containers"]] == ["check"]


def test_a_certificate_in_a_folder_of_a_helper(helms: Helms) -> None:
    """The controller reads where the sidecar writes, and no Secret is mounted for it."""
    rendering = helms.render(ci_values(CHART / "ci" / "spiffe-certificate-values.yaml"))
    maps = {each["metadata"]["name"]: each["data"] for each in rendering.all("ConfigMap")}
    settings = yaml.safe_load(maps["pullkeeper"]["settings.yaml"])
    assert settings["rolesAnywhere"]["certificateFile"] == "/run/spiffe/tls.crt"
    assert settings["rolesAnywhere"]["keyFile"] == "/run/spiffe/tls.key"
    mounts = {each["mountPath"]: each["name"] for each in rendering.container["volumeMounts"]}
    assert mounts["/run/spiffe"] == "svid"
    assert "aws-certificate" not in [each["name"] for each in rendering.pod["volumes"]] + list(mounts.values())
    configuration = maps["pullkeeper-spiffe-extra"]["helper.conf"]
    for line in ('cert_dir = "/run/spiffe"', 'svid_file_name = "tls.crt"', 'svid_key_file_name = "tls.key"'):
        assert line in configuration


@pytest.mark.parametrize("recipe", ["signing-helper", "spiffe"])
def test_a_recipe_gives_the_controller_its_source(helms: Helms, recipe: str) -> None:
    """Where the sidecar serves or writes is where the controller looks; what it writes to is in memory."""
    rendering = helms.render(ci_values(CHART / "ci" / f"{recipe}-values.yaml"))
    (sidecar,) = rendering.pod["initContainers"]
    assert sidecar["restartPolicy"] == "Always"
    env: dict[str, Any] = {each["name"]: each["value"] for each in rendering.container["env"]}
    if recipe == "signing-helper":
        port = sidecar["command"][sidecar["command"].index("--port") + 1]
        assert env["AWS_EC2_METADATA_SERVICE_ENDPOINT"] == f"http://127.0.0.1:{port}"
        assert not {"AWS_ROLE_ARN", "AWS_SHARED_CREDENTIALS_FILE"} & env.keys()
        return
    (configuration,) = (each for each in rendering.objects if each["metadata"]["name"] == "pullkeeper-spiffe-extra")
    folder = env["AWS_WEB_IDENTITY_TOKEN_FILE"].removesuffix("/token")
    for line in (f'cert_dir = "{folder}"', 'jwt_svid_file_name = "token"'):
        assert line in configuration["data"]["helper.conf"]
    for container in (sidecar, rendering.container):
        assert folder in [each["mountPath"] for each in container["volumeMounts"]]
    volumes = {each["name"]: each for each in rendering.pod["volumes"]}
    assert volumes["svid"] == {"name": "svid", "emptyDir": {"medium": "Memory"}}
