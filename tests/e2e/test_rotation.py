"""Rotation: in time, in place, with few calls."""

import asyncio
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from testsupport.installation import FAST_ROTATION, IRELAND, VIRGINIA, Installation
from testsupport.secret_recorder import SecretRecorder, Version
from testsupport.waiting import until

pytestmark = pytest.mark.slow


async def _opt_in(installation: Installation, recorder: SecretRecorder, count: int, **annotations: str) -> list[str]:
    teams = [await installation.create_namespace(enabled="true", **annotations) for _ in range(count)]
    await asyncio.gather(*(recorder.created(team) for team in teams))
    return teams


def _rotated(first: Version) -> Any:
    return lambda version: version.expires_at > first.expires_at


@pytest.mark.usefixtures("short_lived")
async def test_invariant_01_never_stale(installation: Installation) -> None:
    """At no moment of several lives does a Secret hold a token that is expired."""
    await installation.start(FAST_ROTATION)
    async with installation.recording() as recorder:
        teams = await _opt_in(installation, recorder, 3)
        for team in teams:
            third = (await recorder.wait(team, lambda version: len(recorder.of(version.namespace)) >= 3)).seen_at
            versions = recorder.of(team)
            for held, follower in pairwise(versions):
                assert follower.seen_at < held.expires_at, f"{team} held an expired token before {third}"


@pytest.mark.usefixtures("short_lived")
async def test_invariant_02_never_worse(installation: Installation) -> None:
    """A token that expires earlier than the one that is there is not published, and a failure takes nothing away."""
    await installation.start(FAST_ROTATION)
    async with installation.recording() as recorder:
        team = await installation.create_namespace(enabled="true")
        first = await recorder.created(team)
        worse = installation.aws.short_life(timedelta(seconds=6))

        async def asked_again() -> bool:
            return installation.aws.count("GetAuthorizationToken") >= 2

        await until(asked_again, "a token of a short life to be issued")
        assert recorder.of(team) == [first]
        worse.clear()
        better = await recorder.wait(team, lambda version: version.expires_at > first.expires_at)
    for held, follower in pairwise(recorder.of(team)):
        assert follower.expires_at >= held.expires_at
    assert better.uid == first.uid


@pytest.mark.usefixtures("short_lived")
async def test_invariant_04_in_place(installation: Installation) -> None:
    """A rotation keeps the Secret's UID, and no version ever says DELETED."""
    await installation.start(FAST_ROTATION)
    async with installation.recording() as recorder:
        (team,) = await _opt_in(installation, recorder, 1)
        first = recorder.of(team)[0]
        later = await recorder.wait(team, _rotated(first))
        assert later.uid == first.uid
        assert {version.kind for version in recorder.of(team)} == {"ADDED", "MODIFIED"}


@pytest.mark.usefixtures("short_lived")
async def test_invariant_08_few_calls(installation: Installation) -> None:
    """A rotation of many namespaces is one token per region, and one write and no read per Secret."""
    # By the first setting nothing is due while the namespaces opt in; by the second everything soon is, once.
    process = await installation.start({**FAST_ROTATION, "refreshFraction": 0.9})
    async with installation.recording() as recorder:
        teams = await _opt_in(installation, recorder, 20, registries=f"{IRELAND},{VIRGINIA}")
        assert installation.aws.count("GetAuthorizationToken") == 2
        await process.stop()
        installation.aws.lifetime = timedelta(hours=12)
        process = await installation.start(FAST_ROTATION)
        firsts = [recorder.of(team)[0] for team in teams]
        rotated = await asyncio.gather(*(recorder.wait(v.namespace, _rotated(v)) for v in firsts))
        assert len({version.annotations["pullkeeper.dev/tokens"] for version in rotated}) == 1
        assert installation.aws.count("GetAuthorizationToken") == 4
        assert [len(recorder.of(team)) for team in teams] == [2] * len(teams)
        assert await process.metric("pullkeeper_rest_client_requests_total", verb="get", resource="secrets") == 0
        assert await process.metric("pullkeeper_rest_client_requests_total", verb="patch", resource="secrets") == 20


async def test_restart_with_everything_fresh_makes_no_call_and_no_write(installation: Installation) -> None:
    """All that a restart must know stands on the Secrets: it asks AWS for nothing and writes nothing."""
    process = await installation.start()
    async with installation.recording() as recorder:
        teams = await _opt_in(installation, recorder, 5)
        assert await process.stop() == 0
        installation.aws.forget_calls()
        versions = len(recorder.versions)
        again = await installation.start()
        late = await installation.create_namespace()
        await installation.annotate(late, enabled="true", registries="nonsense")
        # Its Event comes after everything that the start had to say about the others.
        await installation.event(late, "InvalidAnnotation")
        assert await again.metric("pullkeeper_namespaces", state="ready") == len(teams)
        assert installation.aws.calls == []
        assert len(recorder.versions) == versions
        assert await again.metric("pullkeeper_secret_writes_total") == 0
