"""The README's three commands, run as they are written, by both Helms."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from testsupport.control_plane.plane import ControlPlane
from testsupport.control_plane.release import REPOSITORY, Release, released
from testsupport.fake_aws import AwsFake
from testsupport.installation import IRELAND, auths
from testsupport.rest import RestClient
from testsupport.waiting import until

NAMESPACE, SECRET, TEAM = "pullkeeper-system", "ecr-pull-secret", "team-a"


def commands() -> list[str]:
    """Read the commands of the README's section on installing."""
    section = (REPOSITORY / "README.md").read_text().partition("\n## Install\n")[2]
    block = section.partition("```console\n")[2].partition("```")[0]
    return [command.strip() for command in re.split(r"^\$ ", block, flags=re.MULTILINE) if command]


@pytest.fixture(params=["helm3", "helm4"])
async def release(
    request: pytest.FixtureRequest, plane: ControlPlane, api: RestClient, aws: AwsFake, tmp_path: Path
) -> AsyncIterator[Release]:
    """Prepare a cluster with a team in it, and nothing installed."""
    (await api.post("/api/v1/namespaces", {"metadata": {"name": TEAM}})).ok()
    prepared = released(plane, api, aws, tmp_path, namespace=NAMESPACE, secret_name=SECRET, helm=request.param)
    async with prepared as found:
        found.installation.namespaces.append(TEAM)
        yield found
        await found.uninstall()
        await _forget(api)


async def _forget(api: RestClient) -> None:
    """Delete the namespaces, whose names are the README's own, for the next Helm to begin anew."""

    async def gone() -> bool:
        return [(await api.get(f"/api/v1/namespaces/{name}")).status for name in (TEAM, NAMESPACE)] == [404, 404]

    for name in (TEAM, NAMESPACE):
        await api.delete(f"/api/v1/namespaces/{name}")
    await until(gone, "the namespaces to go")


async def test_the_three_commands_bring_a_pull_secret(release: Release) -> None:
    """Install, annotate, get: the Secret exists, and holds a token for the registry that was named."""
    install, annotate, get = commands()
    assert "helm test pullkeeper" in await release.shell(install), "its notes say how to go on"
    await release.roll_out()
    await release.leader()
    assert await release.shell(annotate) == f"namespace/{TEAM} annotated\n"
    await release.installation.event(TEAM, "PullSecretCreated")
    printed = await release.shell(get)
    assert re.search(rf"^{SECRET} +kubernetes.io/dockerconfigjson +1 +", printed, re.MULTILINE), printed
    secret = await release.installation.secret(TEAM)
    assert secret is not None
    assert list(auths(secret)) == [IRELAND]
