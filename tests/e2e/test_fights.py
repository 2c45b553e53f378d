"""Somebody keeps undoing what is written to the pull Secret: a tool, or another installation of our own."""

from pathlib import Path

import pytest

from testsupport.fake_aws import AwsFake
from testsupport.installation import IRELAND, ROLE, VIRGINIA, Installation, install
from testsupport.undoing_tool import undoing

pytestmark = pytest.mark.slow


async def test_tool_that_reverts_each_write_is_named(installation: Installation) -> None:
    """One Warning with the name of its field manager; the namespace counts as contested."""
    process = await installation.start()
    team = await installation.create_served_namespace()
    async with undoing(installation, team, manager="argocd-controller"):
        event = await installation.event(team, "WritesReverted")
        await process.until_metric(1, "pullkeeper_namespaces", state="contested")
    assert "last changed by the field manager argocd-controller" in event["note"]
    assert process.text().count("(WritesReverted)") == 1


async def test_two_installations_on_one_secret_name_are_told(
    installation: Installation, aws: AwsFake, tmp_path: Path
) -> None:
    """Each undoes the other's writes under the same field manager; both say so, and slow down."""
    folder = tmp_path / "other"
    folder.mkdir()
    other = await install(installation.server, installation.api, aws, folder)
    await other.rename_secret(installation.secret_name)
    # Both are the same principal, as two installations with one role are.
    subjects = (installation.subject, other.subject)
    aws.allow_role(ROLE, trusts_subjects=subjects)
    await installation.start({"registries": [IRELAND], "leaseNamespace": "first"}, instance="first")
    await other.start({"registries": [VIRGINIA], "leaseNamespace": "second"}, instance="second")
    try:
        team = await installation.create_namespace(enabled="true")
        event = await installation.event(team, "WritesReverted")
    finally:
        await other.leave()
    assert "last changed by the field manager pullkeeper of " in event["note"]
    assert "is there another installation of Pullkeeper with the same secretName?" in event["note"]
