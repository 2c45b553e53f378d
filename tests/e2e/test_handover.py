"""Two installations of different classes in one cluster: each keeps to its own, and namespaces are handed over."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from testsupport.command_line import pod_environment, pullkeeper, settings_file
from testsupport.fake_aws import AwsFake
from testsupport.installation import IRELAND, ROLE, VIRGINIA, Installation, auths, install
from testsupport.secret_recorder import SecretRecorder, Version
from testsupport.service_accounts import ON, service_account
from testsupport.waiting import until

pytestmark = pytest.mark.slow

BRIEF = timedelta(seconds=20)
"""How long a token lives where a test waits for its end."""


@pytest.fixture
async def canary(installation: Installation, aws: AwsFake, tmp_path: Path) -> AsyncIterator[Installation]:
    """Install another one, with a ServiceAccount, rights and processes of its own; both assume one role."""
    folder = tmp_path / "canary"
    folder.mkdir()
    other = await install(installation.server, installation.api, aws, folder)
    aws.allow_role(ROLE, trusts_subjects=(installation.subject, other.subject))
    yield other
    await other.leave()


def _kept_by(version: Version) -> str:
    return version.annotations.get("pullkeeper.dev/class", "")


async def test_a_namespace_is_handed_over_and_back_in_place(installation: Installation, canary: Installation) -> None:
    """With one write each time, one UID, and an entry in every version; nobody fights, or counts what is not his."""
    await canary.rename_secret(installation.secret_name)
    production = await installation.start({"leaseName": "production"})
    # Other registries than those of the first: were both to act for one namespace, they would undo each other.
    canary_settings = {"class": "canary", "registries": [VIRGINIA], "leaseName": "canary"}
    other = await canary.start(canary_settings)
    async with installation.recording() as recorder:
        team = await installation.create_namespace(enabled="true")
        stays = await installation.create_namespace(enabled="true")
        others = await installation.create_namespace(enabled="true", **{"class": "canary"})
        for name in (team, stays, others):
            await recorder.created(name)
        await production.until_metric(2, "pullkeeper_namespaces", state="ready")
        await other.until_metric(1, "pullkeeper_namespaces", state="ready")
        await installation.annotate(team, **{"class": "canary"})
        taken = await recorder.wait(team, lambda version: _kept_by(version) == "canary")
        await production.until_metric(1, "pullkeeper_namespaces", state="ready")
        await other.until_metric(2, "pullkeeper_namespaces", state="ready")
        await installation.annotate(team, **{"class": None})
        await recorder.wait(team, lambda version: _kept_by(version) == "" and version.kind == "MODIFIED")
        await production.until_metric(2, "pullkeeper_namespaces", state="ready")
        await _settled(installation, recorder)
        # Which class keeps a Secret is read from the Secret: a restart with everything fresh writes nothing.
        await other.stop()
        other = await canary.start(canary_settings)
        await _settled(installation, recorder)
    assert set(auths(taken.secret)) == {VIRGINIA}
    assert [(each.kind, _kept_by(each), set(auths(each.secret))) for each in recorder.of(team)] == [
        ("ADDED", "", {IRELAND}),
        ("MODIFIED", "canary", {VIRGINIA}),
        ("MODIFIED", "", {IRELAND}),
    ]
    assert len({each.uid for each in recorder.of(team)}) == 1
    assert [[_kept_by(each) for each in recorder.of(name)] for name in (stays, others)] == [[""], ["canary"]]
    assert "WritesReverted" not in production.text() + other.text()


async def _settled(installation: Installation, recorder: SecretRecorder) -> None:
    """Wait until both have served one more namespace, so that whatever they meant to write before is written."""
    for named in ({}, {"class": "canary"}):
        await recorder.created(await installation.create_namespace(enabled="true", **named))


async def test_uninstalling_one_spares_what_is_of_the_other(installation: Installation, canary: Installation) -> None:
    """The hook of the first deletes what is of its class, although both have one name for their Secrets."""
    await canary.rename_secret(installation.secret_name)
    production = await installation.start()
    await canary.start({"class": "canary"})
    async with installation.recording() as recorder:
        team = await installation.create_namespace(enabled="true")
        moved = await installation.create_namespace(enabled="true", **{"class": "canary"})
        for name in (team, moved):
            await recorder.created(name)
        await production.stop()
        config = settings_file(installation)
        ended = await pullkeeper(installation, "cleanup", "--config", config, environment=pod_environment(installation))
        await recorder.wait(team, lambda version: version.kind == "DELETED")
    assert (ended.status, ended.out) == (0, f"1 pull Secret named {installation.secret_name} deleted\n")
    assert f"1 namespace is of another class and left to its installation, if there is one: {moved}" in ended.err
    assert [each.kind for each in recorder.of(moved)] == ["ADDED"]


async def test_with_another_name_the_old_secret_stays_until_it_is_worthless(
    installation: Installation, canary: Installation
) -> None:
    """Pods that name it can pull until then; ServiceAccounts name the new one in its place, once it is there."""
    installation.aws.lifetime = BRIEF
    for each in (installation, canary):
        await each.allow_attachment()
    await installation.start(ON)
    await canary.start({**ON, "class": "canary"})
    async with installation.recording() as old, canary.recording() as new:
        team = await installation.create_namespace(enabled="true", attach_to_service_accounts="builder")
        builder = await service_account(installation, team, "builder").create("theirs")
        await builder.until("theirs", installation.secret_name)
        await installation.annotate(team, **{"class": "canary"})
        created = await new.created(team)
        await builder.until("theirs", canary.secret_name)
        gone = await old.wait(team, lambda version: version.kind == "DELETED")
    assert created.seen_at < gone.seen_at
    last = [each for each in old.of(team) if each.kind != "DELETED"][-1]
    assert last.expires_at <= gone.seen_at, "it was deleted while its token was good"

    async def still_attached() -> bool:
        return await builder.entries() == ["theirs", canary.secret_name]

    await until(still_attached, "the entry of the installation that serves the namespace")
