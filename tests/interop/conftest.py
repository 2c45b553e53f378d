"""The consumer tier: the operator tier's installation, and beside it a real registry and the pullers."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.conformance.conftest import api, server  # noqa: F401 -- fixtures
from tests.e2e.conftest import aws, installation, program, short_lived  # noqa: F401 -- fixtures
from tests.interop.front import Front, serve_front
from tests.interop.image import TAG, write_layout
from tests.interop.network import open_network
from tests.interop.pullers import (
    CHART,
    CHART_VERSION,
    CHARTS,
    IMAGE,
    Bench,
    BuildKit,
    Containerd,
    Crane,
    Helm,
    Puller,
    Skopeo,
    serve_buildkit,
    serve_containerd,
)
from tests.interop.registry import serve_registry
from testsupport.fake_aws import AwsFake
from testsupport.fake_aws.clients import clients
from testsupport.fake_kube.certificates import write_certificates
from testsupport.installation import IRELAND, VIRGINIA
from testsupport.interop_tools import Tools, find

OTHER_ACCOUNT = "210987654321.dkr.ecr.eu-west-1.amazonaws.com"
PUBLIC = "public.ecr.aws"
HOSTS = (IRELAND, VIRGINIA, OTHER_ACCOUNT, PUBLIC)


@pytest.fixture(scope="session")
def tools() -> Tools:
    """Give the programs, which `make test-pull` has brought."""
    return find()


@pytest.fixture
def bench(tools: Tools, tmp_path: Path) -> Iterator[Bench]:
    """Open a network in which ECR's names are ours."""
    folder = tmp_path / "pull"
    policy = folder / ".config" / "containers" / "policy.json"
    policy.parent.mkdir(parents=True)
    policy.write_text(json.dumps({"default": [{"type": "insecureAcceptAnything"}]}))
    with open_network(folder, HOSTS) as network:
        yield Bench(tools=tools, network=network, ca=folder / "ca.crt", folder=folder)


@pytest.fixture
async def front(bench: Bench, aws: AwsFake) -> AsyncIterator[Front]:  # noqa: F811 -- a fixture's argument
    """Serve a real registry under those names, with an image and a chart in it."""
    _, certificate, key = write_certificates(bench.folder, HOSTS)
    async with (
        serve_registry(bench.tools, bench.folder) as registry,
        serve_front(aws, registry, bench.network.socket, certificate, key) as front,
    ):
        await _push(bench, aws)
        front.visits.clear()
        yield front


async def _push(bench: Bench, aws: AwsFake) -> None:  # noqa: F811 -- the fixture's value
    """Push as somebody else's build would: with a token of its own."""
    with clients(aws) as made:
        answer = made.ecr.get_authorization_token()["authorizationData"][0]
    login = bench.folder / "build.json"
    login.write_text(json.dumps({"auths": {IRELAND: {"auth": answer["authorizationToken"]}}}))
    layout = write_layout(bench.folder / "layout")
    arguments = ("copy", "--dest-authfile", str(login))
    pushed = await bench.run("skopeo", *arguments, f"oci:{layout}:{TAG}", f"docker://{IRELAND}/{IMAGE}:{TAG}")
    assert pushed.status == 0, pushed.text
    chart = bench.folder / "chart"
    chart.mkdir()
    (chart / "Chart.yaml").write_text(json.dumps({"apiVersion": "v2", "name": CHART, "version": CHART_VERSION}))
    packed = await bench.run("helm", "package", str(chart), "--destination", str(bench.folder))
    assert packed.status == 0, packed.text
    archive = str(bench.folder / f"{CHART}-{CHART_VERSION}.tgz")
    pushed = await bench.run("helm", "push", archive, f"oci://{IRELAND}/{CHARTS}", "--registry-config", str(login))
    assert pushed.status == 0, pushed.text


@pytest.fixture
async def containerd(bench: Bench, front: Front) -> AsyncIterator[Containerd]:  # noqa: ARG001 -- it pulls from there
    """Run containerd."""
    async with serve_containerd(bench) as running:
        yield running


@pytest.fixture
async def buildkit(bench: Bench, containerd: Containerd) -> AsyncIterator[BuildKit]:  # noqa: ARG001 -- it works on it
    """Run BuildKit."""
    async with serve_buildkit(bench) as running:
        yield running


@pytest.fixture(params=["skopeo", "crane", "helm", "containerd", "buildkit"])
def puller(request: pytest.FixtureRequest, bench: Bench, front: Front) -> Puller:  # noqa: ARG001 -- it pulls from there
    """Give each of the pullers in turn."""
    if request.param in {"containerd", "buildkit"}:
        running: Puller = request.getfixturevalue(request.param)
        return running
    simple: dict[str, Puller] = {"skopeo": Skopeo(bench=bench), "crane": Crane(bench=bench), "helm": Helm(bench=bench)}
    return simple[request.param]
