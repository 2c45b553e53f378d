"""Measure what the injection costs a pod's creation: `python -m tools.injection_cost`.

Pods are created on a real API server in turns, without the chart's policy and with it, in a namespace that is opted in
and in one that is not. Times depend on the machine; what is told is their ratio in one run.
"""

import asyncio
import ssl
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Mapping

import aiohttp

from testsupport.control_plane.plane import ControlPlane, start
from testsupport.control_plane.policies import applied
from testsupport.injected_pods import Team, create_team
from testsupport.installation import IRELAND
from testsupport.rest import RestClient
from testsupport.waiting import until

_TURNS = 6
_PODS = 150
"""Pods of each kind in each turn."""
_IMAGE = f"{IRELAND}/app"
_VALUES = {"settings": {"registries": [IRELAND], "optIn": {"namespaces": ["auto-*"], "exclude": "auto-not-*"}}}

Times = dict[str, list[float]]


def main() -> int:
    """Measure, and print the table."""
    with start() as plane:
        times = asyncio.run(_measure(plane))
    base = statistics.median(times["without the policy"])
    sys.stdout.write("| pods created | median | 95th percentile | ratio |\n|---|---|---|---|\n")
    for name, found in times.items():
        median, high = statistics.median(found), statistics.quantiles(found, n=20)[-1]
        sys.stdout.write(f"| {name} | {median * 1000:.2f} ms | {high * 1000:.2f} ms | {median / base:.2f} |\n")
    return 0


async def _measure(plane: ControlPlane) -> Times:
    tls = ssl.create_default_context(cafile=plane.ca_file)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls)) as http:
        api = RestClient(http=http, url=plane.url, token=plane.admin_token)
        teams = {"opted in": await create_team(api, {"enabled": "true"}), "not opted in": await create_team(api)}
        times: Times = {}
        for _ in range(_TURNS):
            await _turn(teams, times, {"opted in": "without the policy"}, injected=False)
            with applied(plane, "admission-injection.yaml", _VALUES):
                named = {name: f"with it, in a namespace that is {name}" for name in teams}
                await _turn(teams, times, named, injected=True)
        return times


async def _turn(teams: Mapping[str, Team], times: Times, named: Mapping[str, str], *, injected: bool) -> None:
    await until(_settled(teams["opted in"], injected=injected), f"the policy to be there: {injected}")
    for _ in range(_PODS):
        for team, name in named.items():
            started = time.perf_counter()
            (await teams[team].ask(_IMAGE, dry_run=False, metadata={"generateName": "app-"})).ok()
            times.setdefault(name, []).append(time.perf_counter() - started)


def _settled(team: Team, *, injected: bool) -> Callable[[], Awaitable[bool]]:
    async def settled() -> bool:
        return bool(await team.pulls_with(_IMAGE)) == injected

    return settled


if __name__ == "__main__":
    sys.exit(main())
