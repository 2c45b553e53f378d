"""A long run with many namespaces in five regions and tokens of two minutes, in which no Secret may go stale.

`python -m tools.soak --minutes 10 --namespaces 300` runs the controller process against the in-memory API server and
the AWS fake, with faults along the way, and checks every version of every Secret that a watcher saw.
"""

import argparse
import asyncio
import random
import ssl
import sys
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import aiohttp

from testsupport import fake_aws, fake_kube
from testsupport.fake_aws import ACCOUNT, AwsFake
from testsupport.installation import Installation, install
from testsupport.rest import RestClient
from testsupport.secret_recorder import SecretRecorder
from testsupport.token_leaks import assert_no_leak

REGIONS = ("eu-west-1", "eu-central-1", "us-east-1", "us-west-2", "ap-southeast-2")
LIFE = timedelta(minutes=2)
_PACE = 5.0
"""Seconds between two disturbances."""


def main() -> int:
    """Run, print the figures, and return 0 if no Secret was ever stale, replaced or given a worse token."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--namespaces", type=int, default=300)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    faults = asyncio.run(_soak(options.minutes, options.namespaces, random.Random(options.seed)))
    for fault in faults:
        print("FAILED:", fault)
    print(f"seed {options.seed}: {'not as promised' if faults else 'as promised'}")
    return 1 if faults else 0


async def _soak(minutes: float, count: int, rng: random.Random) -> list[str]:
    async with AsyncExitStack() as stack:
        server = stack.enter_context(fake_kube.serve_in_thread())
        aws = stack.enter_context(fake_aws.serve_in_thread())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        tls = ssl.create_default_context(cafile=server.ca_file)
        http = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls)))
        api = RestClient(http=http, url=server.url, token=server.admin_token)
        aws.lifetime = LIFE
        installation = await install(server, api, aws, folder)
        recorder = await stack.enter_async_context(installation.recording())
        stack.push_async_callback(installation.leave)
        await installation.start({"logLevel": "info", "relistInterval": "30s", "refreshJitter": "20s"})
        await _opt_in(installation, count, rng)
        await _disturb(installation, recorder, minutes, rng)
        await assert_no_leak(installation)
        _print_figures(installation, recorder, aws, minutes)
        return _judge(recorder, installation)


async def _opt_in(installation: Installation, count: int, rng: random.Random) -> None:
    for _ in range(count):
        regions = rng.sample(REGIONS, rng.randint(1, 3))
        hosts = ",".join(f"{ACCOUNT}.dkr.ecr.{region}.amazonaws.com" for region in regions)
        await installation.create_namespace(enabled="true", registries=hosts)


async def _disturb(installation: Installation, recorder: SecretRecorder, minutes: float, rng: random.Random) -> None:
    """Disturb until the time is up: throttle or hang AWS, drop watches, delete Secrets, kill the process."""
    ends = asyncio.get_running_loop().time() + minutes * 60
    said = 0
    while (now := asyncio.get_running_loop().time()) < ends:
        await asyncio.sleep(min(_PACE, ends - now))
        await rng.choice((_throttle, _hang, _drop_watches, _delete, _delete, _restart))(installation, rng)
        if (passed := int((minutes * 60 - (ends - now)) // 60)) > said:
            said = passed
            print(f"minute {passed}: {len(recorder.versions)} versions of Secrets seen", flush=True)
    installation.aws.clear_faults()


async def _throttle(installation: Installation, rng: random.Random) -> None:
    installation.aws.throttle(operation="GetAuthorizationToken", region=rng.choice(REGIONS), times=3)


async def _hang(installation: Installation, rng: random.Random) -> None:
    installation.aws.hang(operation="GetAuthorizationToken", region=rng.choice(REGIONS), times=1)


async def _drop_watches(installation: Installation, _: random.Random) -> None:
    assert isinstance(installation.server, fake_kube.ApiServer)
    installation.server.faults.drop_watches()


async def _delete(installation: Installation, rng: random.Random) -> None:
    await installation.api.delete(installation.path(rng.choice(installation.namespaces)))


async def _restart(installation: Installation, _: random.Random) -> None:
    installation.processes[-1].kill()
    await installation.start({"logLevel": "info", "relistInterval": "30s", "refreshJitter": "20s"})


def _judge(recorder: SecretRecorder, installation: Installation) -> list[str]:
    faults = []
    now = datetime.now(UTC)
    for namespace in installation.namespaces:
        versions = recorder.of(namespace)
        if not versions:
            faults.append(f"{namespace} never had a Secret")
            continue
        for held, follower in pairwise(versions):
            if held.kind != "DELETED" and follower.seen_at > held.expires_at:
                faults.append(f"{namespace} held an expired token for {follower.seen_at - held.expires_at}")
            if follower.kind == "MODIFIED" and (follower.uid != held.uid or follower.expires_at < held.expires_at):
                faults.append(f"{namespace} was replaced, or got a worse token, at {follower.seen_at}")
        if versions[-1].kind != "DELETED" and versions[-1].expires_at < now:
            faults.append(f"{namespace} holds an expired token")
    return faults


def _print_figures(installation: Installation, recorder: SecretRecorder, aws: AwsFake, minutes: float) -> None:
    kinds = Counter(version.kind for version in recorder.versions)
    left = [
        held.expires_at - follower.seen_at
        for namespace in installation.namespaces
        for held, follower in pairwise(recorder.of(namespace))
        if follower.kind == "MODIFIED"
    ]
    cycles = minutes * 60 / (LIFE.total_seconds() / 2) * len(REGIONS)
    print(f"{len(installation.namespaces)} namespaces, {minutes:g} minutes, {len(installation.processes)} processes")
    print(f"writes: {kinds['ADDED']} created, {kinds['MODIFIED']} rotated; {kinds['DELETED']} deleted by others")
    print(
        f"life left at a rotation: at least {min(left, default=timedelta()).total_seconds():.1f} s of {LIFE.seconds} s"
    )
    print(f"tokens asked for: {aws.count('GetAuthorizationToken')} (about {cycles:.0f} without faults and restarts)")


if __name__ == "__main__":
    sys.exit(main())
