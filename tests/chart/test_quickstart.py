"""The `helm install` of docs/quickstart.md renders, with the image and the keys that the page has people bring."""

import shlex
import subprocess

import pytest
import yaml

from testsupport.helm import REPOSITORY
from testsupport.helm_tools import find
from testsupport.quickstart_page import LOCAL, commands


@pytest.mark.parametrize("helm", ["helm3", "helm4"])
def test_the_values_for_a_local_cluster(helm: str) -> None:
    """The image that `make image` names is used as it is there, and the Secret that the page creates is mounted."""
    (command,) = (command for command in commands(LOCAL) if command.startswith("helm install"))
    words = [str(getattr(find(), helm)), "template", *shlex.split(command)[2:]]
    done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (deployment,) = (each for each in yaml.safe_load_all(done.stdout) if each and each["kind"] == "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    loaded = {word for command in commands(LOCAL) for word in shlex.split(command) if word.startswith("pullkeeper:")}
    assert {f"docker.io/library/{name}" for name in loaded} == {pod["containers"][0]["image"]}
    assert pod["containers"][0]["imagePullPolicy"] == "Never"
    (create,) = (shlex.split(command) for command in commands(LOCAL) if "create secret" in command)
    assert [each["secret"]["secretName"] for each in pod["volumes"] if "secret" in each] == [create[4]]
    assert create[-1].startswith("--from-file=credentials=")
