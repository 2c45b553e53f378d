"""An opt-in that vanishes from the settings by a slip costs no Secret; a namespace that opts itself out loses it."""

import re
import secrets
from typing import Any

import pytest

from testsupport.command_line import kubeconfig, pullkeeper, settings_file
from testsupport.controller_process import ControllerProcess
from testsupport.installation import Installation
from testsupport.replicas import replicas

pytestmark = pytest.mark.slow

TEAMS = 3


class Population:
    """A few namespaces that the settings opt in by the prefix of their names."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.prefix = f"app{secrets.token_hex(3)}"
        self.names: list[str] = []

    @property
    def opt_in(self) -> dict[str, Any]:
        return {"optIn": {"namespaces": [f"{self.prefix}-*"]}}

    async def create(self) -> None:
        self.names = [await self.installation.create_namespace(self.prefix) for _ in range(TEAMS)]

    async def served(self) -> None:
        for name in self.names:
            await self.installation.event(name, "PullSecretCreated")

    async def uids(self) -> list[str | None]:
        found = [await self.installation.secret(name) for name in self.names]
        return [secret["metadata"]["uid"] if secret else None for secret in found]


@pytest.fixture
async def apps(installation: Installation) -> Population:
    population = Population(installation)
    await population.create()
    return population


def announced(process: ControllerProcess) -> list[str]:
    return re.findall(r"(\d+) namespaces? (?:is|are) not opted in by the settings any more", process.text())


async def test_a_typo_costs_no_secret_and_is_announced_with_its_number(
    installation: Installation, apps: Population
) -> None:
    """The Secrets stay as they are; log, metric and `status` say how many it is about; the correction ends it."""
    process = await installation.start(apps.opt_in)
    await apps.served()
    before = await apps.uids()
    process.change_settings(optIn={"namespaces": [f"x{apps.prefix}-*"]})
    await process.until_metric(TEAMS, "pullkeeper_pending_opt_outs")
    await process.until_metric(TEAMS, "pullkeeper_namespaces", state="opting_out")
    await process.until_logged(f"{TEAMS} namespaces are not opted in by the settings any more")
    assert await apps.uids() == before

    config = settings_file(installation, optIn={"namespaces": [f"x{apps.prefix}-*"]})
    shown = await pullkeeper(
        installation,
        "status",
        "--config",
        config,
        "--kubeconfig",
        kubeconfig(installation),
        "--context",
        "here",
        "-n",
        apps.names[0],
    )
    assert (shown.status, "opting_out" in shown.out) == (1, True)

    process.change_settings(**apps.opt_in)
    await process.until_metric(TEAMS, "pullkeeper_namespaces", state="ready")
    assert await process.metric("pullkeeper_pending_opt_outs") == 0
    assert (await apps.uids(), announced(process)) == (before, [str(TEAMS)])


async def test_once_the_grace_has_passed_the_secrets_are_deleted(installation: Installation, apps: Population) -> None:
    """Who means it need only wait."""
    process = await installation.start({**apps.opt_in, "optOutGrace": "3s"})
    await apps.served()
    process.change_settings(optIn={"namespaces": []})
    for name in apps.names:
        await installation.event(name, "PullSecretDeleted")
    assert await apps.uids() == [None] * TEAMS
    await process.until_metric(0, "pullkeeper_pending_opt_outs")


async def test_a_namespace_that_opts_itself_out_does_not_wait(installation: Installation, apps: Population) -> None:
    """By `enabled: "false"`, by taking its own `enabled: "true"` away, and also after a restart."""
    one, two, three = apps.names
    await installation.annotate(two, enabled="true")
    await installation.annotate(three, enabled="true")
    process = await installation.start({"optIn": {"namespaces": [one]}, "optOutGrace": "6h"})
    await apps.served()
    await installation.annotate(one, enabled="false")
    await installation.annotate(two, enabled=None)
    await installation.event(one, "PullSecretDeleted")
    await installation.event(two, "PullSecretDeleted")
    await process.stop()
    await installation.annotate(three, enabled=None)
    await installation.start({"optIn": {"namespaces": [one]}, "optOutGrace": "6h"})
    await installation.event(three, "PullSecretDeleted")
    assert await apps.uids() == [None] * TEAMS


async def test_what_opted_a_namespace_in_survives_a_restart(installation: Installation, apps: Population) -> None:
    """Settings that have lost the opt-in while nothing ran delete nothing either."""
    process = await installation.start(apps.opt_in)
    await apps.served()
    before = await apps.uids()
    await process.stop()
    again = await installation.start({})
    await again.until_metric(TEAMS, "pullkeeper_namespaces", state="opting_out")
    await again.until_logged(f"{TEAMS} namespaces are not opted in by the settings any more")
    assert await apps.uids() == before


@pytest.mark.parametrize("broken", ["empty", "comment", "no value", "cut before", "cut within"])
async def test_settings_that_were_cut_off_are_refused(
    installation: Installation, apps: Population, broken: str
) -> None:
    """The last valid ones stay in force, which a new namespace shows."""
    process = await installation.start(apps.opt_in)
    await apps.served()
    text = f"endMarker: true\n{process.config.read_text()}...\n"
    cut = {
        "empty": "",
        "comment": "# settings\n",
        "no value": "secretName: x\noptIn:\n",
        "cut before": text.partition("endMarker: true\n")[2].partition("optIn")[0],
        "cut within": text.partition("namespaces:")[0] + f"namespaces: ['{apps.prefix}-*']\n",
    }
    process.config.write_text(cut[broken])
    await process.until_metric(0, "pullkeeper_config_last_reload_successful")
    await process.until_logged("settings not reloaded, the previous ones stay in force")
    late = await installation.create_namespace(apps.prefix)
    await installation.event(late, "PullSecretCreated")
    assert None not in await apps.uids()
    assert announced(process) == []


async def test_a_standby_with_older_settings_deletes_nothing(installation: Installation, apps: Population) -> None:
    """It says so before it leads, and its grace begins when it does."""
    async with replicas(
        installation,
    ) as pair:
        leader = await pair.start("one", leaseDuration="6s", **apps.opt_in)
        await pair.leader("one")
        await apps.served()
        before = await apps.uids()
        standby = await pair.start("two", leaseDuration="6s", optOutGrace="30s")
        await standby.until_logged(f"{TEAMS} namespaces are not opted in by the settings any more")
        assert await standby.metric("pullkeeper_pending_opt_outs") == TEAMS
        leader.popen.terminate()
        await pair.leader("two")
        await standby.until_metric(TEAMS, "pullkeeper_namespaces", state="opting_out")
        standby.change_settings(**apps.opt_in)
        await standby.until_metric(TEAMS, "pullkeeper_namespaces", state="ready")
        assert await apps.uids() == before
        assert pair.writes_of("two") == []
