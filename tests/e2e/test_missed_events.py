"""Where it ends up depends on what is there, not on what was told, and the token stands in one place only."""

import asyncio

from testsupport.api_server_outage import api_server_down
from testsupport.installation import IRELAND, VIRGINIA, Installation, auths
from testsupport.token_leaks import assert_no_leak
from testsupport.waiting import until


async def test_invariant_12_level_triggered(installation: Installation) -> None:
    """Killed without warning, with everything changed while nobody watched, the next start brings all to its state."""
    process = await installation.start()
    names = ["stays", "leaves", "joins", "changes", "deleted"]
    teams = {name: await installation.create_namespace(name, **_annotations(name)) for name in names}
    async with installation.recording() as recorder:
        for name in ("stays", "leaves", "changes", "deleted"):
            await installation.event(teams[name], "PullSecretCreated")
        process.kill()
        await installation.annotate(teams["leaves"], enabled=None)
        await installation.annotate(teams["joins"], enabled="true")
        await installation.annotate(teams["changes"], registries=VIRGINIA)
        (await installation.api.delete(installation.path(teams["deleted"]))).ok()
        kept = len(recorder.of(teams["stays"]))
        await installation.start()

        async def settled() -> bool:
            found = {name: await installation.secret(team) for name, team in teams.items()}
            return {name: secret and list(auths(secret)) for name, secret in found.items()} == {
                "stays": [IRELAND],
                "leaves": None,
                "joins": [IRELAND],
                "changes": [VIRGINIA],
                "deleted": [IRELAND],
            }

        await until(settled, "every namespace to be as its annotations ask")
        assert len(recorder.of(teams["stays"])) == kept


async def test_change_during_an_outage_of_the_watches_is_found(installation: Installation) -> None:
    """What happened just before the API server went away is acted upon when it is back."""
    await installation.start()
    team = await installation.create_namespace()
    other = await installation.create_served_namespace()
    async with asyncio.TaskGroup() as group:
        group.create_task(installation.annotate(team, enabled="true"))
        group.create_task(installation.annotate(other, enabled="false"))
    async with api_server_down(installation.server):
        pass

    async def settled() -> bool:
        return await installation.secret(team) is not None and await installation.secret(other) is None

    await until(settled, "both namespaces to be as their annotations ask")


async def test_invariant_07_the_token_is_only_in_the_secret(installation: Installation) -> None:
    """After success, every kind of trouble and a crash, no log, metric, Event or other object shows a token."""
    process = await installation.start({"logLevel": "debug"})
    team = await installation.create_served_namespace()
    installation.aws.garbage(operation="GetAuthorizationToken", times=1)
    await installation.annotate(team, refresh_requested_at="1")
    await installation.event(team, "TokenFetchFailed")
    await installation.annotate(team, registries=f"{IRELAND},nonsense")
    await installation.event(team, "InvalidAnnotation")
    assert (await process.probe("/metrics"))[0] == 200
    await assert_no_leak(installation)
    process.kill()
    assert installation.aws.secrets


def _annotations(name: str) -> dict[str, str]:
    return {} if name == "joins" else {"enabled": "true"}
