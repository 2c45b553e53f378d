"""A release of the chart on a real API server, by the real Helm."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml

from pullkeeper.domain.kube.api import UNPROCESSABLE
from testsupport.control_plane.kubelet import Kubelet, Pod
from testsupport.control_plane.plane import ControlPlane
from testsupport.controller_process import ControllerProcess
from testsupport.fake_aws import AwsFake
from testsupport.helm_tools import find
from testsupport.installation import IRELAND, ROLE, Installation, trust
from testsupport.rest import MERGE, Answer, RestClient
from testsupport.token_leaks import assert_no_leak
from testsupport.waiting import HANG_GUARD, until

REPOSITORY = Path(__file__).parents[2]
CHART = REPOSITORY / "charts" / "pullkeeper"
NAME = "pullkeeper"
_COMMAND_GUARD = 2 * HANG_GUARD
"""Seconds for a command, within which a hook's Job is played as well; Helm itself waits for five minutes."""
_POD = "/api/v1/namespaces/{}/pods"


class CommandError(Exception):
    """A command ended with another status than 0; the message is all that it printed."""


class Release:
    """A release, and the processes that its pods are."""

    def __init__(self, installation: Installation, kubelet: Kubelet, folder: Path, helm: str, name: str = NAME) -> None:
        self.installation = installation
        self.name = name
        self.fullname = name if NAME in name else f"{name}-{NAME}"
        self.kubelet = kubelet
        self.pods: list[tuple[Pod, ControllerProcess]] = []
        self._template: Any = None
        self.folder = folder
        self._environment = _environment(installation, folder, helm)

    @property
    def api(self) -> RestClient:
        """Give the API as the administrator may use it."""
        return self.installation.api

    @property
    def namespace(self) -> str:
        """Give the namespace that the release is in."""
        return self.installation.namespace

    async def shell(self, command: str) -> str:
        """Run a line as a user types it, from the repository's root; gives what it printed, or raises CommandError."""
        process = await asyncio.create_subprocess_exec(
            "bash", "-c", command, cwd=REPOSITORY, env=self._environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            async with asyncio.timeout(_COMMAND_GUARD):
                output = (await process.communicate())[0].decode()
        except TimeoutError:
            process.kill()
            raise CommandError(f"$ {command}\nhas not ended after {_COMMAND_GUARD:g} s") from None
        if process.returncode != 0:
            raise CommandError(f"$ {command}\n{output}")
        return output

    async def install(self, verb: str = "install", **values: Any) -> str:
        """Install or upgrade with these values over the least that is needed, and run what comes of it."""
        printed = await self.apply(verb, **values)
        await self.roll_out()
        return printed

    async def apply(self, verb: str, **values: Any) -> str:
        """Install or upgrade with these values over the least that is needed, and let the pods be as they were."""
        settings = {
            "registries": [IRELAND],
            "secretName": self.installation.secret_name,
            "logLevel": "debug",
            **values.pop("settings", {}),
        }
        path = self.folder / "values.yaml"
        path.write_text(yaml.safe_dump({"aws": {"roleArn": ROLE}, "settings": settings, **values}))
        return await self.shell(f"helm {verb} {self.name} {CHART} -n {self.namespace} -f {path}")

    async def uninstall(self) -> str:
        """Uninstall, and play its Jobs and what the deletion of a Deployment does to its pods."""
        command = asyncio.create_task(self.shell(f"helm uninstall {self.name} -n {self.namespace}"))
        playing = asyncio.create_task(self._play_jobs(command))
        path = f"/apis/apps/v1/namespaces/{self.namespace}/deployments/{self.fullname}"

        async def gone() -> bool:
            return playing.done() or (await self.api.get(path)).status == 404

        await until(gone, "the Deployment to be deleted")
        await playing
        printed = await command
        await self._stop(self.pods)
        return printed

    async def test(self) -> str:
        """Run `helm test`, and play the kubelet to its pod; gives all that was printed, by the pod as well."""
        command = asyncio.create_task(self.shell(f"helm test {self.name} -n {self.namespace}"))
        path = f"{_POD.format(self.namespace)}/{self.fullname}-test"

        async def made() -> dict[str, Any] | None:
            answer = await self.api.get(path)
            return answer.body["spec"] if answer.status == 200 else None

        spec = await until(made, "the pod of helm test")
        status, output = await self._run_to_the_end("test", spec)
        phase = "Succeeded" if status == 0 else "Failed"
        body = {"status": {"phase": phase}}
        (await self.api.send("PATCH", f"{path}/status", body=body, content_type=MERGE)).ok()
        return output + await command

    async def roll_out(self) -> None:
        """Do what the Deployment's controller would: bring the pods to what the template says now."""
        path = f"/apis/apps/v1/namespaces/{self.namespace}/deployments/{self.fullname}"
        spec = (await self.api.get(path)).ok()["spec"]
        old = list(self.pods) if spec["template"] != self._template else []
        self._template = spec["template"]
        if spec["strategy"]["type"] == "Recreate":
            await self._stop(old)
            old.clear()
        if not self.pods:
            await asyncio.gather(*(self._start(self._template["spec"]) for _ in range(spec["replicas"])))
        while len(self.pods) - len(old) < spec["replicas"]:
            await self._start(self._template["spec"])
            await self._stop([old.pop(0)] if old else [])
        await self._stop(old)
        await self._stop(self.pods[spec["replicas"] :])

    async def restart(self) -> None:
        """Stop every pod, and start as many anew."""
        await self._stop(self.pods)
        await self.roll_out()

    async def sync(self) -> None:
        """Do what a kubelet does once a minute: bring changed ConfigMaps into the pods."""
        for pod, _ in self.pods:
            await self.kubelet.sync(pod)

    async def leader(self) -> ControllerProcess:
        """Wait for the one that acts."""

        async def poll() -> ControllerProcess | None:
            for _, process in self.pods:
                if await process.leads():
                    return process
            return None

        return await until(poll, "a leader")

    async def _start(self, spec: Mapping[str, Any]) -> None:
        pod = await self.kubelet.pod(self.fullname, self.namespace, spec)
        process = self.kubelet.start(pod)
        self.installation.processes.append(process)
        self.pods.append((pod, process))
        await process.until_ready()

    async def _stop(self, pods: Sequence[tuple[Pod, ControllerProcess]]) -> None:
        for entry in list(pods):
            self.pods.remove(entry)
            assert await entry[1].stop() == 0

    async def _run_to_the_end(self, name: str, spec: Mapping[str, Any]) -> tuple[int, str]:
        pod = await self.kubelet.pod(name, self.namespace, spec)
        process = self.kubelet.start(pod)
        self.installation.processes.append(process)
        return await process.ended(), process.text()

    async def _play_jobs(self, command: "asyncio.Task[str]") -> None:
        """Run what Jobs a hook makes, until Helm is done."""
        path = f"/apis/batch/v1/namespaces/{self.namespace}/jobs"
        done: set[str] = set()
        while not command.done():
            for job in (await self.api.get(path)).ok()["items"]:
                name = job["metadata"]["name"]
                if name not in done:
                    done.add(name)
                    await self._play_job(f"{path}/{name}", job)
            await asyncio.wait([command], timeout=0.1)

    async def _play_job(self, path: str, job: Mapping[str, Any]) -> None:
        status, output = await self._run_to_the_end("job", job["spec"]["template"]["spec"])
        assert status == 0, output
        now = "2026-01-01T00:00:00Z"
        met = {"type": "SuccessCriteriaMet", "status": "True", "lastTransitionTime": now}
        complete = {**met, "type": "Complete"}
        ended = {"startTime": now, "completionTime": now, "succeeded": 1}
        answer = await self._set_status(path, {**ended, "conditions": [met, complete]})
        if answer.status == UNPROCESSABLE:
            # Before Kubernetes 1.31 only a Job with a success policy can have the first condition.
            answer = await self._set_status(path, {**ended, "conditions": [complete]})
        answer.ok()

    async def _set_status(self, path: str, status: Mapping[str, Any]) -> Answer:
        return await self.api.send("PATCH", f"{path}/status", body={"status": status}, content_type=MERGE)


def _environment(installation: Installation, folder: Path, helm: str) -> dict[str, str]:
    """Put one Helm and kubectl on the path, with a home of their own and the plane as the cluster."""
    tools, plane = find(), installation.server
    assert isinstance(plane, ControlPlane)
    path = folder / "bin"
    path.mkdir()
    (path / "helm").symlink_to(getattr(tools, helm))
    (path / "kubectl").symlink_to(tools.kubectl)
    home = folder / "home"
    home.mkdir()
    return {
        "PATH": f"{path}:{os.environ['PATH']}",
        "HOME": str(home),
        "KUBECONFIG": str(plane.write_kubeconfig()),
        "NO_PROXY": "127.0.0.1",
    }


@asynccontextmanager
async def released(
    plane: ControlPlane,
    api: RestClient,
    aws: AwsFake,
    folder: Path,
    *,
    namespace: str,
    secret_name: str,
    helm: str = "helm4",
    name: str = NAME,
) -> AsyncIterator[Release]:
    """Prepare a release; nothing is installed yet. At its end nothing of it is left, nor a token where none may be."""
    installation = Installation(
        server=plane, api=api, aws=aws, folder=folder, secret_name=secret_name, namespace=namespace
    )
    await trust(installation)
    release = Release(installation, Kubelet(plane, api, folder, _surroundings(aws)), folder, helm, name)
    try:
        yield release
    finally:
        for _, process in release.pods:
            process.popen.terminate()
        await installation.leave()
        await assert_no_leak(installation)
        if name in await release.shell(f"helm list -q -n {namespace}"):
            await release.shell(f"helm uninstall {name} -n {namespace} --no-hooks")
        shutil.rmtree(folder / "home", ignore_errors=True)


def _surroundings(aws: AwsFake) -> dict[str, str]:
    """Let the process reach the fake where it would reach AWS, and nothing else of this machine's configuration."""
    own = {"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME"}
    found = aws.environment(web_identity_token_file="none", role_arn=ROLE, region=None)
    return {key: value for key, value in found.items() if key not in own}
