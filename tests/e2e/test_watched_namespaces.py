"""An installation with Roles in a few namespaces and no ClusterRole."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conformance.conftest import Server
from testsupport import objects
from testsupport.controller_process import ControllerProcess
from testsupport.fake_aws import AwsFake
from testsupport.installation import Installation, install, written
from testsupport.rest import RestClient
from testsupport.service_accounts import service_account
from testsupport.token_leaks import assert_no_leak
from testsupport.waiting import until

pytestmark = pytest.mark.slow


@pytest.fixture
async def teams(api: RestClient) -> list[str]:
    """Create the two namespaces that are watched."""
    return [await objects.create_namespace(api) for _ in range(2)]


@pytest.fixture
async def few(
    server: Server, api: RestClient, aws: AwsFake, tmp_path: Path, teams: list[str]
) -> AsyncIterator[Installation]:
    """Install with rights in those two alone."""
    installation = await install(server, api, aws, tmp_path, within=teams)
    installation.namespaces += teams
    yield installation
    await installation.leave()
    await assert_no_leak(installation)


async def _started(few: Installation, *namespaces: str) -> ControllerProcess:
    return await few.start({"watchNamespaces": list(namespaces), "relistInterval": "2s"})


async def test_each_namespace_is_served(few: Installation, teams: list[str]) -> None:
    """Opt-in before and after the start, repair and opt-out work as everywhere, by watches of single namespaces."""
    await few.annotate(teams[0], enabled="true")
    await _started(few, *teams)
    await few.event(teams[0], "PullSecretCreated")
    await few.annotate(teams[1], enabled="true")
    await few.event(teams[1], "PullSecretCreated")
    (await few.api.delete(few.path(teams[1]))).ok()

    async def back() -> bool:
        return await few.secret(teams[1]) is not None

    await until(back, "the Secret to be back")
    await few.annotate(teams[0], enabled="false")
    await few.event(teams[0], "PullSecretDeleted")
    assert await few.secret(teams[0]) is None


async def test_service_accounts_are_attached_where_there_are_rights(few: Installation, teams: list[str]) -> None:
    """By watches of single namespaces; one without the right to look has its Secret all the same."""
    await few.allow_attachment_within(teams[0])
    for team in teams:
        await few.annotate(team, enabled="true", attach_to_service_accounts="*")
    process = await few.start({"watchNamespaces": teams, "serviceAccountAttachment": True})
    await service_account(few, teams[0], "default").until(few.secret_name)
    late = await service_account(few, teams[0], "late").create("theirs")
    await late.until("theirs", few.secret_name)
    await few.event(teams[1], "PullSecretCreated")
    assert f"refused to list ServiceAccounts in {teams[1]} (403)" in process.text()
    assert await service_account(few, teams[1], "default").entries() == []


async def test_other_namespaces_are_not_looked_at(few: Installation, teams: list[str]) -> None:
    """One that is opted in and not named stays without, and nothing across the cluster is asked for; that is said."""
    other = await few.create_namespace(enabled="true")
    process = await _started(few, *teams)
    await few.annotate(teams[0], enabled="true")
    await few.event(teams[0], "PullSecretCreated")
    assert await few.secret(other) is None
    assert "403" not in process.text()
    assert (
        process.text().count(f"only 2 namespaces are watched ({', '.join(sorted(teams))}): pull Secrets elsewhere") == 1
    )


@pytest.mark.parametrize("missing", ["without a Role", "that is not there"])
async def test_an_unreadable_namespace_delays_nobody(few: Installation, teams: list[str], missing: str) -> None:
    """It is said in the log, the process is ready, and the others are served."""
    unseen = await objects.create_namespace(few.api) if missing == "without a Role" else "not-there"
    process = await _started(few, teams[0], unseen)
    await few.annotate(teams[0], enabled="true")
    await few.event(teams[0], "PullSecretCreated")
    assert f"watch of Namespace {unseen} failed: " in process.text()


async def test_a_namespace_that_goes_and_comes_back_is_served_again(few: Installation, teams: list[str]) -> None:
    """Its watch lives through it; the Roles have to come back with it."""
    process = await _started(few, teams[0])
    await few.annotate(teams[0], enabled="true")
    await few.event(teams[0], "PullSecretCreated")
    (await few.api.delete(f"/api/v1/namespaces/{teams[0]}")).ok()

    await process.until_metric(0, "pullkeeper_namespaces")
    body = {"metadata": {"name": teams[0], "annotations": written({"enabled": "true"})}}

    async def made() -> bool:
        return (await few.api.post("/api/v1/namespaces", body)).status == 201

    await until(made, "the namespace to be made anew")
    await few.grant_within(teams[0])

    async def served() -> bool:
        return await few.secret(teams[0]) is not None

    await until(served, "the Secret of the new namespace")
