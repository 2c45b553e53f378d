"""The pullers: each gets the Secret's content in the way that it reads it, and an image to pull."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import yaml

from tests.interop.image import TAG
from tests.interop.network import Network, Outcome
from testsupport.control_plane.process import Process
from testsupport.interop_tools import Tools
from testsupport.waiting import until

IMAGE = "team/app"
CHARTS = "charts"
CHART = "app"
CHART_VERSION = "0.1.0"


@dataclass(frozen=True, kw_only=True, slots=True)
class Bench:
    """What every puller needs: the programs, the network in which ECR is ours, its CA, and a folder to work in."""

    tools: Tools
    network: Network
    ca: Path
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """Give the variables of every program: an empty home, and our CA in place of the machine's."""
        return {**self.tools.environment(), "HOME": str(self.folder), "SSL_CERT_FILE": str(self.ca)}

    async def run(
        self, name: str, *arguments: str, variables: Mapping[str, str] | None = None, entered: bytes = b""
    ) -> Outcome:
        """Run one of the programs inside the network."""
        command = (self.tools.path(name), *arguments)
        environment = {**self.environment, **(variables or {})}
        return await self.network.run(*command, environment=environment, folder=self.folder, entered=entered)


class Puller(Protocol):
    """Something that pulls."""

    async def pull(self, host: str, config: Path) -> Outcome:
        """Pull from a host with the Secret's content, which is in that file."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Skopeo:
    """containers/image, the library of skopeo, Podman, Buildah and CRI-O."""

    bench: Bench

    async def pull(self, host: str, config: Path) -> Outcome:
        """Copy the image into a folder."""
        target = self.bench.folder / "copy"
        image = f"docker://{host}/{IMAGE}:{TAG}"
        return await self.bench.run("skopeo", "copy", "--src-authfile", str(config), image, f"dir:{target}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Crane:
    """go-containerregistry, the library of crane, kaniko, Flux' sources and Tekton."""

    bench: Bench

    async def pull(self, host: str, config: Path) -> Outcome:
        """Save the image; the Secret's content is its config.json."""
        assert config.name == "config.json"
        target = self.bench.folder / "image.tar"
        variables = {"DOCKER_CONFIG": str(config.parent)}
        return await self.bench.run("crane", "pull", f"{host}/{IMAGE}:{TAG}", str(target), variables=variables)


@dataclass(frozen=True, kw_only=True, slots=True)
class Helm:
    """Helm, with ORAS' library."""

    bench: Bench

    async def pull(self, host: str, config: Path) -> Outcome:
        """Fetch the chart."""
        arguments = ("pull", f"oci://{host}/{CHARTS}/{CHART}", "--version", CHART_VERSION)
        return await self.bench.run(
            "helm", *arguments, "--registry-config", str(config), "--destination", str(self.bench.folder)
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Containerd:
    """containerd, told by its CRI what the kubelet's own code finds in the Secret for the image."""

    bench: Bench

    async def pull(self, host: str, config: Path) -> Outcome:
        """Forget the image and pull it, as the kubelet would: with what it finds in the Secret for the image."""
        image = f"{host}/{IMAGE}:{TAG}"
        found = await self._found(image, await asyncio.to_thread(config.read_bytes))
        await self._crictl("rmi", image)
        return await self._crictl("pull", *(word for login in found for word in ("--creds", login)), image)

    async def _found(self, image: str, content: bytes) -> list[str]:
        """Ask the kubelet's keyring for the logins of an image."""
        data = {".dockerconfigjson": base64.b64encode(content).decode()}
        secret = {"metadata": {"name": "pull-secret"}, "type": "kubernetes.io/dockerconfigjson", "data": data}
        answer = await self.bench.run("kubelet-keyring", image, entered=json.dumps({"items": [secret]}).encode())
        assert answer.status == 0, answer.text
        return [f"{login['username']}:{login['password']}" for login in json.loads(answer.text)]

    async def names(self) -> set[str]:
        """Tell which images it holds."""
        listed = json.loads((await self._crictl("images", "--output", "json")).text)
        return {tag for image in listed["images"] for tag in image["repoTags"]}

    async def serves(self) -> bool:
        """Whether its CRI answers."""
        return (await self._crictl("info")).status == 0

    async def _crictl(self, *arguments: str) -> Outcome:
        return await self.bench.run("crictl", "--config", str(self.bench.folder / "crictl.yaml"), *arguments)


@asynccontextmanager
async def serve_containerd(bench: Bench) -> AsyncIterator[Containerd]:
    """Run containerd inside the network, in a folder of its own."""
    socket, config = bench.folder / "containerd.sock", bench.folder / "containerd.toml"
    config.write_text(_CONTAINERD.format(folder=bench.folder, socket=socket))
    endpoints = dict.fromkeys(("runtime-endpoint", "image-endpoint"), f"unix://{socket}")
    (bench.folder / "crictl.yaml").write_text(yaml.safe_dump(endpoints))
    containerd = Containerd(bench=bench)
    async with _serving(bench, ["containerd", "--config", str(config)], containerd.serves):
        yield containerd


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildKit:
    """BuildKit: its client reads the file and lends the login to the daemon, which pulls the base image."""

    bench: Bench
    endpoint: str

    async def pull(self, host: str, config: Path) -> Outcome:
        """Build something from the image."""
        await asyncio.to_thread((self.bench.folder / "Dockerfile").write_text, f"FROM {host}/{IMAGE}:{TAG}\n")
        context = [word for name in ("context", "dockerfile") for word in ("--local", f"{name}={self.bench.folder}")]
        build = ("build", "--no-cache", "--frontend", "dockerfile.v0", *context, "--output", "type=local,dest=built")
        variables = {"DOCKER_CONFIG": str(config.parent)}
        return await self.bench.run("buildctl", "--addr", self.endpoint, *build, variables=variables)

    async def serves(self) -> bool:
        """Whether its daemon answers."""
        return (await self.bench.run("buildctl", "--addr", self.endpoint, "debug", "workers")).status == 0


@asynccontextmanager
async def serve_buildkit(bench: Bench) -> AsyncIterator[BuildKit]:
    """Run BuildKit's daemon on a containerd that runs already."""
    buildkit = BuildKit(bench=bench, endpoint=f"unix://{bench.folder}/buildkitd.sock")
    worker = [
        "--oci-worker=false",
        "--containerd-worker=true",
        f"--containerd-worker-addr={bench.folder}/containerd.sock",
        "--containerd-worker-snapshotter=native",
    ]
    command = ["buildkitd", f"--addr={buildkit.endpoint}", f"--root={bench.folder}/buildkit", *worker]
    async with _serving(bench, command, buildkit.serves):
        yield buildkit


@asynccontextmanager
async def _serving(bench: Bench, command: Sequence[str], serves: Callable[[], Awaitable[bool]]) -> AsyncIterator[None]:
    """Run a daemon inside the network, and wait until it serves."""
    name, *arguments = command
    variables = [f"{key}={value}" for key, value in bench.environment.items()]
    inside = bench.network.inside([*variables, bench.tools.path(name), *arguments], bench.folder)
    process = Process(inside, log=bench.folder / f"{name}.log")

    async def up() -> bool:
        assert process.exit_code() is None, process.tail()
        return await serves()

    try:
        await until(up, f"{name} to serve")
        yield
    finally:
        process.stop()


_CONTAINERD = """version = 2
root = "{folder}/containerd"
state = "{folder}/containerd-state"
[grpc]
  address = "{socket}"
[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "native"
"""
"""A snapshotter that needs nothing of the file system, so that it works in a container too."""
