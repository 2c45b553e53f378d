"""What a kubelet and the controllers above it would do with the chart's pods, as far as processes go.

There are no nodes here. A pod's container becomes a process with the command, the arguments, the environment and the
mounted files that its specification says; only what a container's own network and file system would give is put in its
place: mount paths become folders, and the HTTP port is a free one.
"""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from testsupport.access import token_of
from testsupport.control_plane.plane import ControlPlane
from testsupport.controller_process import ControllerProcess
from testsupport.rest import RestClient

SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
_ENTRY = Path(sys.executable).with_name("pullkeeper")
"""The command that the image has on its path."""

_ADMITTED = "kube-api-access-"


@dataclass(frozen=True, kw_only=True)
class Pod:
    """A pod's specification, and where its files are."""

    name: str
    namespace: str
    spec: Mapping[str, Any]
    folder: Path

    @property
    def container(self) -> Mapping[str, Any]:
        (container,) = self.spec["containers"]
        return dict(container)

    @property
    def mounts(self) -> dict[str, Path]:
        """Give the folder behind each mount path."""
        return {mount["mountPath"]: self.folder / mount["name"] for mount in self.container.get("volumeMounts", ())}

    def placed(self, text: str) -> str:
        """Put folders in the place of mount paths."""
        for path, folder in self.mounts.items():
            text = re.sub(rf"^{re.escape(path)}(?=/|$)", str(folder), text)
        return text

    @property
    def command(self) -> list[str]:
        """Give the command line as it is run here."""
        assert self.container["command"] == ["pullkeeper"], "the image's entry"
        return [str(_ENTRY), *(self.placed(each) for each in self.container["args"])]


class Kubelet:
    """Runs pods of one API server, with what a node's network would lead to: `surroundings` of each process."""

    def __init__(self, plane: ControlPlane, api: RestClient, folder: Path, surroundings: Mapping[str, str]) -> None:
        self._plane = plane
        self._api = api
        self._folder = folder
        self._surroundings = surroundings
        self._pods = 0
        self._authority = Path(plane.ca_file).read_text()

    async def pod(self, name: str, namespace: str, spec: Mapping[str, Any]) -> Pod:
        """Prepare a pod: its volumes are there before its container starts."""
        self._pods += 1
        pod = Pod(name=f"{name}-{self._pods}", namespace=namespace, spec=spec, folder=self._folder / f"pod{self._pods}")
        await self.sync(pod)
        return pod

    async def sync(self, pod: Pod) -> None:
        """Bring a pod's files to what its volumes hold now."""
        for volume in pod.spec.get("volumes", ()):
            if volume["name"].startswith(_ADMITTED):
                continue  # what admission adds for the ServiceAccount's token, which is mounted below
            for name, text in (await self._content(pod, volume)).items():
                _write(pod.folder / volume["name"] / name, text)
        if pod.spec["automountServiceAccountToken"]:
            await self._mount_service_account(pod)

    def start(self, pod: Pod) -> ControllerProcess:
        """Start its container."""
        return ControllerProcess(
            config=pod.folder, log=pod.folder / "log", environment=self.environment(pod), command=pod.command
        )

    async def run(self, pod: Pod) -> tuple[int, str]:
        """Run its container to the end; gives the exit status and everything that it printed."""
        process = self.start(pod)
        return await process.ended(), process.text()

    def environment(self, pod: Pod) -> dict[str, str]:
        """Return the environment of a pod's container."""
        where = urlsplit(self._plane.url)
        said = {each["name"]: pod.placed(each["value"]) for each in pod.container.get("env", ())}
        return {
            **self._surroundings,
            "KUBERNETES_SERVICE_HOST": str(where.hostname),
            "KUBERNETES_SERVICE_PORT": str(where.port),
            "HOSTNAME": pod.name,
            "PULLKEEPER_SERVICE_ACCOUNT_DIR": str(pod.folder / "service-account"),
            "PULLKEEPER_HTTP_PORT": "0",
            "PULLKEEPER_HTTP_HOST": "127.0.0.1",
            **said,
        }

    async def _content(self, pod: Pod, volume: Mapping[str, Any]) -> dict[str, str]:
        if "configMap" in volume:
            path = f"/api/v1/namespaces/{pod.namespace}/configmaps/{volume['configMap']['name']}"
            return dict((await self._api.get(path)).ok()["data"])
        found: dict[str, str] = {}
        for source in volume["projected"]["sources"]:
            projection = source["serviceAccountToken"]
            spec = {"audiences": [projection["audience"]], "expirationSeconds": projection["expirationSeconds"]}
            found[projection["path"]] = await token_of(self._api, pod.namespace, pod.spec["serviceAccountName"], **spec)
        return found

    async def _mount_service_account(self, pod: Pod) -> None:
        token = await token_of(self._api, pod.namespace, pod.spec["serviceAccountName"], expirationSeconds=3607)
        folder = pod.folder / "service-account"
        _write(folder / "token", token)
        _write(folder / "ca.crt", self._authority)
        _write(folder / "namespace", pod.namespace)


def _write(path: Path, text: str) -> None:
    """Write at once, as the kubelet swaps a volume's files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    temporary.write_text(text)
    temporary.rename(path)
