"""Tokens are verified at their registries before they are published, and revalidated afterwards."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from testsupport.controller_process import ControllerProcess
from testsupport.fake_aws import AwsFake
from testsupport.installation import FAST_ROTATION, IRELAND, SHORT_LIFE, VIRGINIA, Installation, auths
from testsupport.secret_recorder import SecretRecorder, Version
from testsupport.waiting import until

pytestmark = pytest.mark.slow

IRELAND_TOO = "210987654321.dkr.ecr.eu-west-1.amazonaws.com"
PUBLIC = "public.ecr.aws"
INTERVAL = timedelta(seconds=10)
PROBES = "pullkeeper_registry_probes_total"


async def _start(installation: Installation, verify: str, **settings: Any) -> ControllerProcess:
    wanted = {
        "verify": verify,
        "verifyInterval": f"{INTERVAL.seconds}s",
        "registryCaFile": installation.aws.network.ca_file,
    }
    return await installation.start(wanted | settings)


async def _opt_in(installation: Installation, recorder: SecretRecorder, *hosts: str, count: int = 1) -> list[str]:
    teams = [await installation.create_namespace(enabled="true", registries=",".join(hosts)) for _ in range(count)]
    await asyncio.gather(*(recorder.created(team) for team in teams))
    return teams


def _holds(token: str, host: str, version: Version) -> bool:
    return auths(version.secret).get(host) == token


def _holds_another(token: str, host: str, version: Version) -> bool:
    return host in auths(version.secret) and not _holds(token, host, version)


def _issued(aws: AwsFake, region: str) -> list[str]:
    return [token.authorization_token for token in aws.tokens if token.region == region]


async def test_by_default_no_registry_is_asked(installation: Installation) -> None:
    """Off is off: no probe, no proxy, whatever happens to the token."""
    process = await _start(installation, "off", **FAST_ROTATION)
    installation.aws.lifetime = SHORT_LIFE
    async with installation.recording() as recorder:
        (team,) = await _opt_in(installation, recorder, IRELAND)
        first = auths(recorder.of(team)[0].secret)[IRELAND]
        await recorder.wait(team, partial(_holds_another, first, IRELAND))
    assert not [host for host in installation.aws.network.asked if ".dkr." in host]
    assert await process.metric(PROBES) == 0


async def test_many_namespaces_cause_one_probe_for_each_registry(installation: Installation) -> None:
    """What one namespace's write has found out serves all; ECR Public cannot be asked, and is counted."""
    process = await _start(installation, "new")
    async with installation.recording() as recorder:
        teams = await _opt_in(installation, recorder, IRELAND, IRELAND_TOO, PUBLIC, count=10)
        assert all(set(auths(recorder.of(team)[0].secret)) == {IRELAND, IRELAND_TOO, PUBLIC} for team in teams)
    assert [len(installation.aws.probes(host)) for host in (IRELAND, IRELAND_TOO, PUBLIC)] == [1, 1, 0]
    assert await process.metric(PROBES, result="accepted") == 2
    assert await process.metric(PROBES, result="skipped") == 1


async def test_a_refused_token_is_never_seen(installation: Installation) -> None:
    """No version of the Secret ever holds it; other regions are written and rotate on; in the end all is well."""
    aws = installation.aws
    aws.lifetime = SHORT_LIFE
    aws.refuse(IRELAND)
    await _start(installation, "new", **FAST_ROTATION)
    async with installation.recording() as recorder:
        (team,) = await _opt_in(installation, recorder, IRELAND, VIRGINIA)
        said = (await installation.event(team, "RegistryRejected"))["note"]
        assert said.startswith(f"{IRELAND} refuses the new token of controller in eu-west-1")
        first = auths(recorder.of(team)[0].secret)[VIRGINIA]
        await recorder.wait(team, partial(_holds_another, first, VIRGINIA))
        refused = _issued(aws, "eu-west-1")[: sum(probe.outcome == "DENIED" for probe in aws.probes(IRELAND))]
        aws.accept(IRELAND)
        mended = await recorder.wait(team, lambda version: IRELAND in auths(version.secret))
        assert set(refused).isdisjoint(auth for each in recorder.of(team) for auth in auths(each.secret).values())
        assert auths(mended.secret)[IRELAND] in set(_issued(aws, "eu-west-1")) - set(refused)


async def test_a_registry_that_refuses_a_rotation_keeps_what_it_has(installation: Installation) -> None:
    """Its neighbour of the same region and token rotates; the Secret says both truly, the older one as its headline."""
    aws = installation.aws
    aws.lifetime = SHORT_LIFE
    await _start(installation, "new", **FAST_ROTATION)
    async with installation.recording() as recorder:
        (team,) = await _opt_in(installation, recorder, IRELAND, IRELAND_TOO)
        first = aws.tokens[0]
        aws.refuse(IRELAND)
        split = await recorder.wait(team, partial(_holds_another, first.authorization_token, IRELAND_TOO))
        assert auths(split.secret)[IRELAND] == first.authorization_token
        assert list(json.loads(split.annotations["pullkeeper.dev/tokens"])) == ["eu-west-1", IRELAND]
        assert abs(split.expires_at - first.expires_at) <= timedelta(milliseconds=1)
        aws.accept(IRELAND)
        joined = await recorder.wait(team, partial(_holds_another, first.authorization_token, IRELAND))
        assert joined.uid == split.uid
        assert joined.seen_at < first.expires_at
        assert list(json.loads(joined.annotations["pullkeeper.dev/tokens"])) == ["eu-west-1"]


@pytest.mark.parametrize("fault", ["no tunnel", "reset", "too many requests", "error", "hang"])
async def test_an_unreachable_registry_delays_nothing(installation: Installation, fault: str) -> None:
    """The token is published all the same, which is counted, and said once however many namespaces there are."""
    aws = installation.aws
    match fault:
        case "no tunnel":
            aws.network.unreachable(IRELAND)
        case "reset":
            aws.reset(operation="ProbeRegistry", host=IRELAND)
        case "hang":
            aws.hang(operation="ProbeRegistry", host=IRELAND)
        case "too many requests":
            aws.fail(status=429, operation="ProbeRegistry", host=IRELAND)
        case _:
            aws.fail(status=500, operation="ProbeRegistry", host=IRELAND)
    process = await _start(installation, "new")
    async with installation.recording() as recorder:
        await _opt_in(installation, recorder, IRELAND, count=5)
    assert await process.metric(PROBES, result="unreachable") == 1
    await process.until_metric(5, "pullkeeper_namespaces", state="ready")
    assert process.text().count(f"registry {IRELAND}: cannot verify tokens") == 1


async def test_a_revoked_token_is_replaced_after_one_probe(installation: Installation) -> None:
    """Every namespace that holds it gets a fresh one, by one call to AWS and one write each; no Secret is read."""
    aws = installation.aws
    process = await _start(installation, "continuous")
    async with installation.recording() as recorder:
        teams = await _opt_in(installation, recorder, IRELAND, VIRGINIA, count=8)
        dead = _issued(aws, "eu-west-1")[0]
        revoked_at = datetime.now(UTC)
        aws.revoke(dead)
        mended = await asyncio.gather(*(recorder.wait(team, partial(_holds_another, dead, IRELAND)) for team in teams))
        probes = [probe.outcome for probe in aws.probes(IRELAND) if probe.time >= revoked_at]
        assert probes[:2] == ["UNAUTHORIZED", "ok"]
        assert probes.count("UNAUTHORIZED") == 1
        assert {auths(version.secret)[IRELAND] for version in mended} == {_issued(aws, "eu-west-1")[1]}
        assert {version.uid for version in mended} == {recorder.of(team)[0].uid for team in teams}
    assert (len(_issued(aws, "eu-west-1")), len(_issued(aws, "us-east-1"))) == (2, 1)
    assert await process.metric("pullkeeper_rest_client_requests_total", verb="get", resource="secrets") == 0


async def test_a_revoked_token_is_found_after_a_restart_too(installation: Installation) -> None:
    """The token is no longer in memory: it is read from each Secret, and probed once if all hold the same."""
    aws = installation.aws
    process = await _start(installation, "continuous")
    async with installation.recording() as recorder:
        teams = await _opt_in(installation, recorder, IRELAND, count=5)
        await process.stop()
        aws.forget_calls()
        again = await _start(installation, "continuous")
        await until(partial(_probed, aws), "a probe after the restart")
        assert await again.metric("pullkeeper_rest_client_requests_total", verb="get", resource="secrets") == 5
        assert aws.count("GetAuthorizationToken") == 0
        (dead,) = _issued(aws, "eu-west-1")
        aws.revoke(dead)
        mended = await asyncio.gather(*(recorder.wait(team, partial(_holds_another, dead, IRELAND)) for team in teams))
        assert len({auths(version.secret)[IRELAND] for version in mended}) == 1
        assert [probe.outcome for probe in aws.probes(IRELAND)].count("UNAUTHORIZED") == 1
    assert aws.count("GetAuthorizationToken") == 1


async def test_a_refused_replacement_leaves_the_secret_as_it_is(installation: Installation) -> None:
    """A registry that refuses everything is reported in each namespace, and causes no write and few calls."""
    aws = installation.aws
    await _start(installation, "continuous")
    async with installation.recording() as recorder:
        teams = await _opt_in(installation, recorder, IRELAND, count=10)
        aws.refuse(IRELAND)
        for team in teams:
            await installation.event(team, "RegistryRejected")
        probes = len(aws.probes(IRELAND))
        await until(lambda: _more_probes(aws, probes), "the next round")
        assert [len(recorder.of(team)) for team in teams] == [1] * len(teams)
    # One replacement per round, however many namespaces would hold it.
    assert 2 <= len(_issued(aws, "eu-west-1")) < len(teams)


async def test_a_missing_ca_bundle_prevents_the_start(installation: Installation) -> None:
    """It says the setting, the file and what should be there."""
    process = await installation.start({"verify": "new", "registryCaFile": "/nowhere/ca.pem"}, ready=False)
    assert await process.ended() == 1
    assert 'pullkeeper: registryCaFile: found "/nowhere/ca.pem" (No such file or directory)' in process.text()


async def _probed(aws: AwsFake) -> bool:
    return bool(aws.probes(IRELAND))


async def _more_probes(aws: AwsFake, than: int) -> bool:
    return len(aws.probes(IRELAND)) > than
