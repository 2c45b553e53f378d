"""The main path: opt in, write, change, repair, refresh, opt out."""

import asyncio
from datetime import timedelta
from functools import partial

from testsupport.installation import IRELAND, VIRGINIA, Installation, auths
from testsupport.secret_recorder import Version

VIRGINIA_FIPS = "210987654321.dkr.ecr-fips.us-east-1.amazonaws.com"
IRELAND_TOO = "210987654321.dkr.ecr.eu-west-1.amazonaws.com"


def _gone(version: Version) -> bool:
    return version.kind == "DELETED"


async def test_namespace_that_opts_in_gets_its_secret(installation: Installation) -> None:
    """It has the right type and holds the token that AWS issued, by one call and one write."""
    await installation.start()
    team = await installation.create_namespace()
    async with installation.recording() as recorder:
        await installation.annotate(team, enabled="true")
        written = await recorder.created(team)
        created = await installation.event(team, "PullSecretCreated")
        assert recorder.of(team) == [written]
    assert written.secret["type"] == "kubernetes.io/dockerconfigjson"
    (token,) = installation.aws.tokens
    assert auths(written.secret) == {IRELAND: token.authorization_token}
    assert abs(written.expires_at - token.expires_at) <= timedelta(milliseconds=1)
    assert created["regarding"]["uid"] == written.uid


async def test_namespace_created_with_its_annotation_is_served(installation: Installation) -> None:
    """A namespace may be opted in from its creation."""
    await installation.start()
    async with installation.recording() as recorder:
        team = await installation.create_namespace(enabled="true")
        await recorder.created(team)


async def test_each_region_has_a_token_of_its_own_and_accounts_share_it(installation: Installation) -> None:
    """Hosts of one region share one token, whatever their account; another region or endpoint has another."""
    await installation.start()
    async with installation.recording() as recorder:
        hosts = f"{IRELAND}, {IRELAND_TOO}, {VIRGINIA}\n{VIRGINIA_FIPS}"
        team = await installation.create_namespace(enabled="true", registries=hosts)
        held = auths((await recorder.created(team)).secret)
    regions = {token.authorization_token: token.region for token in installation.aws.tokens}
    assert {host: regions[auth] for host, auth in held.items()} == {
        IRELAND: "eu-west-1",
        IRELAND_TOO: "eu-west-1",
        VIRGINIA: "us-east-1",
        VIRGINIA_FIPS: "us-east-1",
    }
    assert installation.aws.count("GetAuthorizationToken") == 3


async def test_changed_registries_are_in_the_secret(installation: Installation) -> None:
    """A registry that is added or taken out is in the Secret or out of it, and the Secret stays the same one."""
    await installation.start()
    async with installation.recording() as recorder:
        team = await installation.create_namespace(enabled="true")
        first = await recorder.created(team)
        await installation.annotate(team, registries=f"{IRELAND},{VIRGINIA}")
        both = await recorder.wait(team, lambda version: len(auths(version.secret)) == 2)
        await installation.annotate(team, registries=VIRGINIA)
        one = await recorder.wait(team, lambda version: list(auths(version.secret)) == [VIRGINIA])
    assert first.uid == both.uid == one.uid
    await installation.event(team, "PullSecretUpdated")


async def test_deleted_secret_is_restored_without_a_call_to_aws(installation: Installation) -> None:
    """Somebody deletes the pull Secret: it is written again from the token that is still fresh."""
    await installation.start()
    async with installation.recording() as recorder:
        team = await installation.create_namespace(enabled="true")
        first = await recorder.created(team)
        (await installation.api.delete(installation.path(team))).ok()
        again = await recorder.wait(team, lambda version: version.kind == "ADDED" and version.uid != first.uid)
    assert auths(again.secret) == auths(first.secret)
    assert installation.aws.count("GetAuthorizationToken") == 1


async def test_edited_secret_is_restored(installation: Installation) -> None:
    """An edit of the data or an annotation of the pull Secret is reverted, in place."""
    await installation.start()
    async with installation.recording() as recorder:
        team = await installation.create_namespace(enabled="true")
        first = await recorder.created(team)
        for edit in ({"data": {".dockerconfigjson": "e30="}}, {"metadata": {"annotations": {EXPIRES_AT: "never"}}}):
            edited = (await installation.api.merge(installation.path(team), edit)).ok()
            mended = await recorder.wait(team, partial(_is_after, edited))
            assert (mended.uid, auths(mended.secret)) == (first.uid, auths(first.secret))
            assert mended.annotations[EXPIRES_AT] == first.annotations[EXPIRES_AT]
    assert installation.aws.count("GetAuthorizationToken") == 1


async def test_secret_edited_while_the_controller_was_down_is_restored(installation: Installation) -> None:
    """An edit that no watch reported is found at the start, by field ownership."""
    process = await installation.start()
    async with installation.recording() as recorder:
        team = await installation.create_namespace(enabled="true")
        first = await recorder.created(team)
        await process.stop()
        edit = {"data": {".dockerconfigjson": "e30="}}
        edited = (await installation.api.merge(installation.path(team), edit)).ok()
        await installation.start()
        mended = await recorder.wait(team, partial(_is_after, edited))
    assert mended.uid == first.uid
    assert list(auths(mended.secret)) == [IRELAND]


async def test_refresh_annotation_brings_a_fresh_token_once(installation: Installation) -> None:
    """Any new value of `refresh` brings a token that was fetched after it; the same value again brings nothing."""
    process = await installation.start()
    async with installation.recording() as recorder:
        team = await installation.create_namespace(enabled="true")
        first = await recorder.created(team)
        await installation.annotate(team, refresh_requested_at="now")
        fresh = await recorder.wait(team, lambda version: auths(version.secret) != auths(first.secret))
        assert fresh.uid == first.uid
        await process.stop()
        await installation.start()
    assert installation.aws.count("GetAuthorizationToken") == 2
    assert len(recorder.of(team)) == 2


async def test_invariant_11_opt_out_cleans_up(installation: Installation) -> None:
    """A namespace that opts out, by "false" or by dropping the annotation, loses the Secret, and says so."""
    await installation.start()
    async with installation.recording() as recorder:
        told, silent = [await installation.create_namespace(enabled="true") for _ in range(2)]
        for team, value in ((told, "false"), (silent, None)):
            await recorder.created(team)
            await installation.annotate(team, enabled=value)
            await recorder.wait(team, _gone)
            await installation.event(team, "PullSecretDeleted")


async def test_opt_out_while_the_controller_was_down_cleans_up(installation: Installation) -> None:
    """Secrets of namespaces that opted out meanwhile are deleted at the start."""
    process = await installation.start()
    async with installation.recording() as recorder:
        team = await installation.create_namespace(enabled="true")
        await recorder.created(team)
        await process.stop()
        await installation.annotate(team, enabled=None)
        await installation.start()
        await recorder.wait(team, _gone)


async def test_invariant_09_first_secret_first(installation: Installation) -> None:
    """Every namespace that waits for its first Secret is served while AWS hangs for another region."""
    await installation.start({"maxConcurrentReconciles": 2})
    async with installation.recording() as recorder:
        with_hang = [await installation.create_namespace(enabled="true") for _ in range(4)]
        await asyncio.gather(*(recorder.created(team) for team in with_hang))
        installation.aws.hang(operation="GetAuthorizationToken", region="us-east-1")
        for team in with_hang:
            await installation.annotate(team, registries=VIRGINIA)
        late = await installation.create_namespace(enabled="true")
        await recorder.created(late)


def _is_after(edited: dict[str, object], version: Version) -> bool:
    metadata = edited["metadata"]
    assert isinstance(metadata, dict)
    return int(version.secret["metadata"]["resourceVersion"]) > int(metadata["resourceVersion"])


EXPIRES_AT = "pullkeeper.dev/expires-at"
