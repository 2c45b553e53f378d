"""docs/quickstart.md, from a laptop: its commands as they stand, with an administrator's kubeconfig and a profile."""

import asyncio
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from testsupport.controller_process import ControllerProcess
from testsupport.fake_aws import TOKEN_MARKER, AwsFake
from testsupport.installation import IRELAND, Server, auths
from testsupport.quickstart_page import LAPTOP, blocks, commands, is_typed
from testsupport.recipes import Kubectl, Step
from testsupport.rest import RestClient

pytestmark = pytest.mark.slow

POD = {
    "metadata": {"name": "hello"},
    "spec": {
        "containers": [{"name": "hello", "image": f"{IRELAND}/hello:v1"}],
        "imagePullSecrets": [{"name": "ecr-pull-secret"}],
    },
}
SECRET = "/api/v1/namespaces/quickstart/secrets/ecr-pull-secret"


class Laptop:
    """A terminal in a folder of its own: kubectl becomes requests, everything else runs."""

    def __init__(self, server: Server, api: RestClient, aws: AwsFake, folder: Path) -> None:
        self.folder = folder
        self.printed: dict[str, str] = {}
        """What each command printed, by its second word."""
        self.controller: ControllerProcess | None = None
        self._kubectl = Kubectl(api)
        self._environment = _prepare(server, aws, folder)

    async def type(self, command: str) -> None:
        """Type one command, and wait for its end; `pullkeeper run` stays, and is waited for until it is ready."""
        words = shlex.split(command)
        if words[0] == "kubectl":
            await self._kubectl.run(Step(words=tuple(words), prints=True))
        elif words[0] == "export":
            self._environment |= dict([words[1].split("=")])
        elif words[:2] == ["pullkeeper", "run"]:
            self.controller = self._start(words)
            await self.controller.until_ready()
        else:
            self.printed[words[1]] = await self._run(command)

    def _start(self, words: Sequence[str]) -> ControllerProcess:
        line = ["bash", "-c", f"cd {shlex.quote(str(self.folder))} && exec {shlex.join(words)}"]
        config, log = self.folder / "settings.yaml", self.folder / "log"
        return ControllerProcess(command=line, config=config, log=log, environment=self._environment)

    async def _run(self, command: str) -> str:
        process = await asyncio.create_subprocess_exec(
            "bash", "-c", command, cwd=self.folder, env=self._environment,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        printed = (await process.communicate())[0].decode()
        assert TOKEN_MARKER not in printed
        assert process.returncode == 0, f"$ {command}\n{printed}"
        return printed


def _prepare(server: Server, aws: AwsFake, folder: Path) -> dict[str, str]:
    """Write kubeconfig, profile and program; returns the variables of the terminal."""
    cluster = {"server": server.url, "certificate-authority": server.ca_file}
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{"name": "here", "cluster": cluster}],
        "users": [{"name": "me", "user": {"token": server.admin_token}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
    }
    (folder / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
    given = aws.environment(region=None)
    key, secret = given.pop("AWS_ACCESS_KEY_ID"), given.pop("AWS_SECRET_ACCESS_KEY")
    (folder / "aws").write_text(f"[profile dev]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n")
    program = folder / "bin" / "pullkeeper"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m pullkeeper "$@"\n')
    program.chmod(0o755)
    return {
        **given,
        "AWS_CONFIG_FILE": str(folder / "aws"),
        "HOME": str(folder),
        "KUBECONFIG": str(folder / "kubeconfig"),
        "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
    }


async def test_from_a_laptop_as_written(server: Server, api: RestClient, aws: AwsFake, tmp_path: Path) -> None:
    """From nothing to a pull Secret, and back to nothing; nothing else in the cluster is touched."""
    laptop = Laptop(server, api, aws, tmp_path)
    (settings,) = blocks(LAPTOP, "yaml")
    (tmp_path / "settings.yaml").write_text(settings)
    typed = commands(LAPTOP)
    last = typed.index("pullkeeper cleanup --config settings.yaml")
    try:
        for command in filter(is_typed, typed[:last]):
            if command.startswith("pullkeeper explain"):
                (await api.post("/api/v1/namespaces/quickstart/pods", POD)).ok()
            await laptop.type(command)
        assert set(auths((await api.get(SECRET)).ok())) == {IRELAND}
        assert laptop.controller is not None
        assert await laptop.controller.stop() == 0
        await laptop.type(typed[last])
        assert (await api.get(SECRET)).status == 404
    finally:
        if laptop.controller is not None:
            await laptop.controller.stop()
        await api.delete("/api/v1/namespaces/quickstart")
    assert "ready" in laptop.printed["status"]
    assert "hello" in laptop.printed["explain"]
    assert [command for command in typed[last + 1 :] if command != "kubectl delete namespace quickstart"] == []
    assert TOKEN_MARKER not in laptop.controller.text()
