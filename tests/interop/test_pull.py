"""A Secret is not the goal, an image is: pullers that we did not write read the Secret and pull."""

import base64
import re
import shlex
from pathlib import Path
from typing import Any

from tests.interop.conftest import HOSTS, OTHER_ACCOUNT, PUBLIC
from tests.interop.front import Front
from tests.interop.image import TAG
from tests.interop.pullers import IMAGE, Bench, Containerd, Puller, Skopeo
from testsupport.installation import IRELAND, ROLE, VIRGINIA, Installation, auths
from testsupport.tenant_identities import BLUE, blue, policy, principals

PAGE = Path(__file__).parents[2] / "docs" / "consumers.md"


def written(bench: Bench, secret: dict[str, Any]) -> Path:
    """Write the Secret's content as a volume of it would show it, under the name that Docker's clients look for."""
    path = bench.folder / "config.json"
    path.write_bytes(base64.b64decode(secret["data"][".dockerconfigjson"]))
    return path


async def test_rotated_secret_pulls_and_the_revoked_token_does_not(
    installation: Installation, bench: Bench, front: Front, puller: Puller
) -> None:
    """The Secret's content pulls; after a rotation the new content pulls, and the old one, revoked, is refused."""
    await installation.start()
    async with installation.recording() as recorder:
        team = await installation.create_namespace(enabled="true")
        first = await recorder.created(team)
        pulled = await puller.pull(IRELAND, written(bench, first.secret))
        assert pulled.status == 0, pulled.text
        await installation.annotate(team, refresh_requested_at="now")
        second = await recorder.wait(team, lambda version: version.expires_at > first.expires_at)
    old, new = auths(first.secret)[IRELAND], auths(second.secret)[IRELAND]
    installation.aws.revoke(old)
    assert front.let_in() == {(IRELAND, old)}
    front.visits.clear()
    refused = await puller.pull(IRELAND, written(bench, first.secret))
    assert refused.status != 0
    assert (front.let_in(), front.refused()) == (set(), {(IRELAND, old)})
    front.visits.clear()
    pulled = await puller.pull(IRELAND, written(bench, second.secret))
    assert pulled.status == 0, pulled.text
    assert (front.let_in(), front.refused()) == ({(IRELAND, new)}, set())


async def test_each_registry_is_shown_its_own_credential(
    installation: Installation, bench: Bench, front: Front, puller: Puller
) -> None:
    """Two regions, two accounts and ECR Public in one Secret: each host is shown the token of its own and no other."""
    await installation.start({"registries": list(HOSTS)})
    async with installation.recording() as recorder:
        team = await installation.create_namespace(enabled="true")
        secret = (await recorder.created(team)).secret
    held = auths(secret)
    assert set(held) == set(HOSTS)
    assert held[IRELAND] == held[OTHER_ACCOUNT], "a token is one region's, whatever the account"
    assert len({held[IRELAND], held[VIRGINIA], held[PUBLIC]}) == 3
    for host in HOSTS:
        pulled = await puller.pull(host, written(bench, secret))
        assert pulled.status == 0, pulled.text
    assert (front.let_in(), front.refused()) == (set(held.items()), set())


async def test_namespace_with_a_role_of_its_own_pulls_as_that_role(
    installation: Installation, bench: Bench, front: Front, puller: Puller
) -> None:
    """Each namespace's puller shows the token of the namespace's own principal."""
    await installation.start(policy(blue(installation)))
    async with installation.recording() as recorder:
        teams = {
            BLUE: await installation.create_namespace("blue", enabled="true", role_arn=BLUE),
            ROLE: await installation.create_namespace("plain", enabled="true"),
        }
        secrets = {role: (await recorder.created(team)).secret for role, team in teams.items()}
    assert {role: principals(installation, secret) for role, secret in secrets.items()} == {BLUE: {BLUE}, ROLE: {ROLE}}
    for secret in secrets.values():
        pulled = await puller.pull(IRELAND, written(bench, secret))
        assert pulled.status == 0, pulled.text
        assert (front.let_in(), front.refused()) == (set(auths(secret).items()), set())
        front.visits.clear()


async def test_commands_of_the_page_pull(installation: Installation, bench: Bench, front: Front) -> None:
    """What docs/consumers.md tells a user to type pulls with the Secret's content, letter by letter."""
    await installation.start()
    async with installation.recording() as recorder:
        team = await installation.create_namespace(enabled="true")
        secret = (await recorder.created(team)).secret
    written(bench, secret)
    commands = _commands_of_the_page()
    assert [command[0] for command in commands] == ["kubectl", "skopeo", "DOCKER_CONFIG=.", "helm"]
    for command in commands[1:]:
        variables = dict(word.split("=", 1) for word in command if word.startswith("DOCKER_CONFIG="))
        name, *arguments = command[len(variables) :]
        pulled = await bench.run(name, *arguments, variables=variables)
        assert pulled.status == 0, pulled.text
    assert (front.let_in(), front.refused()) == (set(auths(secret).items()), set())


def _commands_of_the_page() -> list[list[str]]:
    _, _, section = PAGE.read_text().partition("\n## A file\n")
    return [shlex.split(line) for line in re.findall(r"^\$ (.*)$", section, re.MULTILINE)]


async def test_host_that_the_secret_does_not_name_is_shown_no_token(
    installation: Installation, bench: Bench, front: Front
) -> None:
    """A puller takes an entry for just its host: another region's registry sees no token and gives no image."""
    await installation.start()
    async with installation.recording() as recorder:
        team = await installation.create_namespace(enabled="true")
        secret = (await recorder.created(team)).secret
    refused = await Skopeo(bench=bench).pull(VIRGINIA, written(bench, secret))
    assert refused.status != 0
    assert front.let_in() == set()
    assert not {auth for _, auth in front.refused()} & installation.aws.secrets


async def test_containerd_holds_the_image_that_it_was_let_have(
    installation: Installation, bench: Bench, front: Front, containerd: Containerd
) -> None:
    """The image is there by its ECR name only after a pull with a good token."""
    await installation.start()
    async with installation.recording() as recorder:
        team = await installation.create_namespace(enabled="true")
        secret = (await recorder.created(team)).secret
    assert await containerd.names() == set()
    await containerd.pull(IRELAND, written(bench, secret))
    assert await containerd.names() == {f"{IRELAND}/{IMAGE}:{TAG}"}
    assert front.let_in() == set(auths(secret).items())
