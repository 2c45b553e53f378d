"""The API server is down, or no longer accepts the controller's token."""

import pytest

from testsupport.api_server_outage import api_server_down
from testsupport.installation import ACCOUNT_NAME, FAST_ROTATION, Installation
from testsupport.waiting import until


@pytest.mark.usefixtures("short_lived")
async def test_controller_recovers_from_an_api_server_outage(installation: Installation) -> None:
    """The controller survives an outage; afterwards it rotates what was due and serves what is new."""
    process = await installation.start(FAST_ROTATION)
    async with installation.recording() as recorder:
        team = await installation.create_namespace(enabled="true")
        first = await recorder.created(team)
    async with api_server_down(installation.server):
        assert process.popen.poll() is None
    async with installation.recording() as recorder:
        late = await installation.create_namespace(enabled="true")
        await recorder.created(late)
        await recorder.wait(team, lambda version: version.expires_at > first.expires_at)
    assert process.popen.poll() is None
    assert (await process.probe("/healthz"))[0] == 200


async def test_controller_waits_for_an_api_server_that_is_not_there_yet(installation: Installation) -> None:
    """Started during an outage it is alive but not ready, and serves once the API server is back."""
    async with api_server_down(installation.server):
        process = await installation.start(ready=False)
        assert await process.first_answer("/readyz") == (503, "still listing Secrets and Namespaces\n")
        assert (await process.probe("/healthz"))[0] == 200
    await process.until_ready()
    await installation.create_served_namespace()


async def test_rotated_service_account_token_is_read_from_disk(installation: Installation) -> None:
    """When the old token is no longer accepted, the new one in the file is used without a restart."""
    await installation.start()
    old = installation.user
    await installation.create_served_namespace()
    # A ServiceAccount made anew has another uid, which ends every token of the old one.
    path = f"/api/v1/namespaces/{installation.namespace}/serviceaccounts"
    (await installation.api.delete(f"{path}/{ACCOUNT_NAME}")).ok()
    (await installation.api.post(path, {"metadata": {"name": ACCOUNT_NAME}})).ok()

    async def refused() -> bool:
        return (await old.get("/api/v1/namespaces")).status == 401

    await until(refused, "the old token to be refused")
    await installation.renew_token()
    await installation.renew_web_identity()
    await installation.create_served_namespace()
