"""`pullkeeper cleanup`, with rights on the Secrets of one name and to list Namespaces, and nothing else."""

import pytest

from pullkeeper.domain.secret.pull_secret import LABELS
from testsupport.access import create_user, rule
from testsupport.command_line import bound_to, pod_environment, pullkeeper, settings_file
from testsupport.installation import Installation
from testsupport.objects import foreign_secret
from testsupport.waiting import until

pytestmark = pytest.mark.slow


async def _hook(installation: Installation) -> dict[str, str]:
    """Give a pod the rights to list Namespaces, and to list and delete the Secrets of the one name; nothing else."""
    rights = (rule("namespaces", "list"), rule("secrets", "delete", "list", name=installation.secret_name))
    user = await create_user(installation.api, installation.namespace, *rights)
    (installation.folder / "token").write_text(user.token or "")
    return pod_environment(installation, aws={})


async def test_after_an_uninstall_nothing_of_ours_is_left(installation: Installation) -> None:
    """Three rights will do, strangers' Secrets stay, labelled or not, and a second run changes nothing."""
    process = await installation.start()
    teams = [await installation.create_served_namespace() for _ in range(3)]
    strangers = [await installation.create_namespace() for _ in range(2)]
    for stranger, labels in zip(strangers, ({}, LABELS), strict=True):
        theirs = foreign_secret(installation.secret_name, labels=labels)
        (await installation.api.post(f"/api/v1/namespaces/{stranger}/secrets", theirs)).ok()
    await process.stop()
    environment = await _hook(installation)
    for deleted in (3, 0):
        ended = await pullkeeper(
            installation, "cleanup", "--secret-name", installation.secret_name, environment=environment
        )
        said = f"{deleted} pull Secrets named {installation.secret_name} deleted\n"
        assert (ended.status, ended.out, ended.err) == (0, said, "")
    assert [await installation.secret(team) for team in teams] == [None] * 3
    assert None not in [await installation.secret(stranger) for stranger in strangers]


@pytest.mark.parametrize("command", [False, True])
async def test_secret_restored_from_a_backup_is_deleted(installation: Installation, *, command: bool) -> None:
    """A restore keeps our label and annotations and loses managedFields; the namespace is opted out meanwhile."""
    process = await installation.start()
    team = await installation.create_served_namespace()
    backup = await installation.secret(team)
    assert backup is not None
    await installation.annotate(team, enabled="false")
    await installation.event(team, "PullSecretDeleted")
    if command:
        await process.stop()
    kept = {key: backup["metadata"][key] for key in ("name", "labels", "annotations")}
    restored = {**backup, "metadata": kept}
    (await installation.api.post(f"/api/v1/namespaces/{team}/secrets", restored)).ok()
    if command:
        environment = await _hook(installation)
        ended = await pullkeeper(
            installation, "cleanup", "--secret-name", installation.secret_name, environment=environment
        )
        assert ended.status == 0

    async def gone() -> bool:
        return await installation.secret(team) is None

    await until(gone, "the restored Secret to be deleted")


async def test_bound_to_namespaces_it_clears_just_those(installation: Installation) -> None:
    """It asks for no right elsewhere; the settings may come by variables, where their file is gone already."""
    process = await installation.start()
    teams = [await installation.create_served_namespace() for _ in range(2)]
    await process.stop()
    environment = await bound_to(installation, teams[0])
    variables = {
        "PULLKEEPER_WATCH_NAMESPACES": teams[0],
        "PULLKEEPER_SECRET_NAME": installation.secret_name,
    }
    ended = await pullkeeper(installation, "cleanup", environment=environment | variables)
    assert (ended.status, ended.out) == (0, f"1 pull Secret named {installation.secret_name} deleted\n")
    assert await installation.secret(teams[0]) is None
    assert await installation.secret(teams[1]) is not None


async def test_without_the_right_to_list_it_says_so(installation: Installation) -> None:
    """One line that names what is refused, and status 1."""
    config = settings_file(installation, secretName="some-other")
    ended = await pullkeeper(installation, "cleanup", "--config", config)
    assert (ended.status, ended.out) == (1, "")
    assert "the API server refused to list Secrets named some-other (403): grant list on secrets" in ended.err
    assert ended.err.count("\n") == 1
