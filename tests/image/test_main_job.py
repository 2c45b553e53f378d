"""The controller in the image writes a Secret and shuts down."""

from testsupport.installation import IRELAND, Installation, auths


async def test_an_annotated_namespace_gets_its_secret(installation: Installation) -> None:
    """Ready and healthy, it writes the Secret of a namespace that opts in, and exits with status 0 on SIGTERM."""
    process = await installation.start()
    assert (await process.probe("/healthz"))[0] == 200
    async with installation.recording() as recorder:
        team = await installation.create_namespace(enabled="true")
        written = await recorder.wait(team, lambda version: version.kind != "DELETED")
    assert list(auths(written.secret)) == [IRELAND]
    assert await process.stop() == 0
    assert "Traceback" not in process.text()
