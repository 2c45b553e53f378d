"""The one essential path: opted in, written, repaired, rotated, opted out."""

from datetime import timedelta

from tests.operator.installation import IRELAND, Installation, auths


async def test_annotated_namespace_gets_a_pull_secret_within_a_second(installation: Installation) -> None:
    """A namespace that opts in at rest has its Secret within a second."""
    await installation.start()
    team = await installation.create_namespace()
    async with installation.recording() as recorder:
        from datetime import UTC, datetime

        asked_at = datetime.now(UTC)
        await installation.annotate(team, enabled="true")
        written = await recorder.wait(team, lambda version: version.kind == "ADDED")
    assert written.seen_at - asked_at < timedelta(seconds=1)
    assert written.secret["type"] == "kubernetes.io/dockerconfigjson"
    issued = {token.authorization_token for token in installation.aws.tokens}
    assert list(auths(written.secret)) == [IRELAND]
    assert set(auths(written.secret).values()) <= issued
