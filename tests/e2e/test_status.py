"""`pullkeeper status`: every state as it is shown, with the rights of whoever asks, and never a Secret's data."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from testsupport import golden, population
from testsupport.access import create_user, rule
from testsupport.command_line import CommandResult, bound_to, kubeconfig, pullkeeper, settings_file
from testsupport.installation import IRELAND, Installation
from testsupport.population import HOUR, POLICY
from testsupport.waiting import until

pytestmark = pytest.mark.slow

GOLDEN = Path(__file__).parent / "golden"


def laptop(installation: Installation, token: str = "") -> dict[str, str]:
    """Give the environment of somebody with a kubeconfig."""
    return {"KUBECONFIG": kubeconfig(installation, token)}


async def status(installation: Installation, *arguments: str, token: str = "") -> CommandResult:
    return await pullkeeper(
        installation, "status", "--context", "here", *arguments, environment=laptop(installation, token)
    )


@pytest.mark.parametrize("form", ["text", "wide", "json", "yaml"])
async def test_every_state_is_shown_as_committed(installation: Installation, form: str) -> None:
    """With the settings everything is told, and something being wrong is status 1."""
    built = await population.populate(installation)
    config = settings_file(installation, refreshJitter="0s", **POLICY)
    ended = await status(installation, "--config", config, "-o", form)
    assert (ended.status, ended.err) == (1, "")
    golden.check(GOLDEN / f"status-{form}.txt", population.normalize(built, ended.out))


async def test_without_settings_it_tells_what_it_can(installation: Installation) -> None:
    """Only what is certain is called wrong, and what cannot be told is said."""
    built = await population.populate(installation)
    ended = await status(installation, "--secret-name", installation.secret_name)
    assert (ended.status, ended.err) == (1, "")
    golden.check(GOLDEN / "status-without-settings.txt", population.normalize(built, ended.out))


async def test_the_namespaces_that_are_named_need_no_rights_elsewhere(installation: Installation) -> None:
    """Whoever may read their own namespace and the metadata of its pull Secret is told how it stands."""
    built = await population.populate(installation)
    mine = built.name("a-ready")
    rights = (rule("namespaces", "get", name=mine), rule("secrets", "list", name=installation.secret_name))
    tenant = await create_user(installation.api, mine, *rights)
    arguments = ("--secret-name", installation.secret_name, "-o", "json", "-n", mine)
    ended = await status(installation, *arguments, token=tenant.token or "")
    (entry,) = json.loads(ended.out)["namespaces"]
    assert (ended.status, entry["namespace"], entry["state"]) == (0, mine, "ready")
    everywhere = await status(installation, *arguments[:-2], token=tenant.token or "")
    assert (everywhere.status, everywhere.out) == (1, "")
    assert "refused to list Namespaces (403): grant list on namespaces" in everywhere.err


async def test_bound_to_namespaces_it_tells_of_just_those(installation: Installation) -> None:
    """As the settings name them, with the rights of the namespaced mode."""
    built = await population.populate(installation)
    environment = await bound_to(installation, built.name("a-ready"))
    config = settings_file(installation, watchNamespaces=[built.name("a-ready")])
    ended = await pullkeeper(installation, "status", "--config", config, environment=environment)
    assert ended.status == 0
    assert "\n\n1 namespace: 1 ready\n\nnote: only 1 namespace is watched" in ended.out


async def test_a_warning_that_may_not_be_read_is_a_note(installation: Installation) -> None:
    """The table is there all the same: as the controller's own ServiceAccount, which may not list Events."""
    built = await population.populate(installation)
    config = settings_file(installation, **POLICY)
    ended = await pullkeeper(installation, "status", "--config", config)
    assert built.name("f-overdue") in ended.out
    assert "note: the controller's warnings are not shown: the API server refused to list Events" in ended.out


async def test_a_name_that_does_not_exist_is_unhealthy(installation: Installation) -> None:
    """Among the names that are given, each is told of, once."""
    team = await installation.create_namespace()
    ended = await status(installation, "-n", team, "-n", "no-such-namespace")
    assert ended.status == 1
    assert "no-such-namespace (not_found):\n  there is no such namespace" in ended.out


async def test_as_the_controller_leaves_it_all_is_well(installation: Installation) -> None:
    """A Secret that the controller itself has written is ready, by the API server's own bookkeeping."""
    await installation.start()
    team = await installation.create_served_namespace()
    ended = await status(installation, "--config", settings_file(installation), "-n", team)
    assert ended.status == 0
    assert ended.out.splitlines()[1].split()[:3] == [team, IRELAND, "controller"]
    assert ended.out.endswith("\n\n1 namespace: 1 ready\n")


@pytest.mark.parametrize("no_color", ["", "1"])
async def test_colours_are_for_a_terminal(installation: Installation, no_color: str) -> None:
    """And not where NO_COLOR asks for none, nor in a pipe."""
    built = await population.populate(installation)
    ours, theirs = os.openpty()
    environment = {**os.environ, **laptop(installation), "NO_COLOR": no_color}
    command = (sys.executable, "-m", "pullkeeper", "status", "--context", "here", "-n", built.name("a-ready"))
    process = await asyncio.create_subprocess_exec(
        *command, "--secret-name", installation.secret_name, env=environment, stdout=theirs
    )
    assert await process.wait() == 0
    os.close(theirs)
    shown = os.read(ours, 10_000).decode()
    os.close(ours)
    assert ("\033[32mready" in shown) == (not no_color)
    assert ("\033" in shown) == (not no_color)


async def test_watching_it_sees_what_changes(installation: Installation) -> None:
    """It looks again and again, and Ctrl-C is its end, not its failure."""
    built = await population.populate(installation)
    team = built.name("d-pending")
    log = installation.folder / "watched"
    command = (sys.executable, "-m", "pullkeeper", "status", "--context", "here", "--watch", "0.1", "-n", team)
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *command,
            *("--secret-name", installation.secret_name),
            env={**os.environ, **laptop(installation)},
            stdout=out,
            stderr=out,
        )

    async def shows(text: str) -> bool:
        return text in log.read_text()

    await until(lambda: shows("1 namespace: 1 pending"), "the first look")
    await built.write_secret(team, IRELAND, age=HOUR)
    await until(lambda: shows("1 namespace: 1 ready"), "a look that sees the Secret")
    process.send_signal(signal.SIGINT)
    assert await process.wait() == 0
    assert "Traceback" not in log.read_text()


async def test_kubectl_finds_it_as_a_plugin() -> None:
    """The entry point that kubectl looks for on the PATH is the same command line."""
    plugin = Path(sys.executable).parent / "kubectl-pullkeeper"
    process = await asyncio.create_subprocess_exec(plugin, "status", "--help", stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    assert process.returncode == 0
    assert out.decode().startswith("usage: pullkeeper status")
