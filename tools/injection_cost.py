"""Measure what the injection costs a pod's creation: `make bench-injection`.

Pods of each kind are created on a real API server in short turns: where no policy applies, where the chart's does, and
where one does whose mutation is a constant, which is the least that any takes. Times depend on the machine; what is
told is their ratio in one run, and the time that the API server itself says it spends on mutating policies.
"""

import argparse
import asyncio
import re
import ssl
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from testsupport.control_plane.plane import ControlPlane, start
from testsupport.control_plane.policies import applied_objects, rendered
from testsupport.injected_pods import Team, create_team
from testsupport.installation import IRELAND
from testsupport.rest import RestClient
from testsupport.waiting import until

_TURNS = 24
_PODS = 25
"""Pods of each kind in each turn."""
_OURS, _OTHERS = f"{IRELAND}/app", "docker.io/library/nginx"
_SETTINGS = {"registries": [IRELAND], "optIn": {"namespaces": ["auto-*"], "exclude": "auto-not-*"}}
_CONSTANT = '[JSONPatch{op: "add", path: "/spec/imagePullSecrets", value: [{"name": "x"}]}]'
_SPENT = re.compile(
    r"^apiserver_admission_controller_admission_duration_seconds_sum"
    r'\{name="MutatingAdmissionPolicy",operation="CREATE",rejected="false",type="admit"\} (\S+)$',
    re.MULTILINE,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """Pods of one kind; what was measured of them, in seconds."""

    name: str
    team: Team
    image: str = _OURS
    took: list[float] = field(default_factory=list)
    admitted: list[float] = field(default_factory=list)
    """Of each turn, the mean that the API server spent on mutating policies."""

    def row(self, base: float) -> str:
        """Return a row of the table."""
        median, high = statistics.median(self.took), statistics.quantiles(self.took, n=20)[-1]
        figures = (median * 1000, high * 1000, median / base, statistics.median(self.admitted) * 1000)
        return "| {} | {:.2f} ms | {:.2f} ms | {:.2f} | {:.2f} ms |\n".format(self.name, *figures)


def main() -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=_TURNS, help=f"of {_PODS} pods of each kind")
    with start() as plane:
        kinds = asyncio.run(_measure(plane, parser.parse_args().turns))
    base = statistics.median(kinds[0].took)
    sys.stdout.write("| pods created | median | 95th percentile | ratio | in policies |\n|---|---|---|---|---|\n")
    sys.stdout.writelines(kind.row(base) for kind in kinds)
    return 0


async def _measure(plane: ControlPlane, turns: int) -> list[Kind]:
    tls = ssl.create_default_context(cafile=plane.ca_file)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls)) as http:
        api = RestClient(http=http, url=plane.url, token=plane.admin_token)
        opted_in, not_opted_in = await create_team(api, {"enabled": "true"}), await create_team(api)
        without, constant = await create_team(api, {"enabled": "true"}), await create_team(api)
        kinds = [
            Kind(name="where the policy is not evaluated", team=without),
            Kind(name="with it, of an image that is not of ECR", team=opted_in, image=_OTHERS),
            Kind(name="with it, in a namespace that is opted in", team=opted_in),
            Kind(name="with it, in a namespace that is not opted in", team=not_opted_in),
            Kind(name="with a policy that adds a constant", team=constant),
        ]
        settings = {**_SETTINGS, "excludedNamespaces": [without.name, constant.name]}
        ours = rendered("admission-injection.yaml", {"settings": settings})
        with applied_objects(plane, [*ours, *_constant(ours, constant.name)]):
            for team in (opted_in, constant):
                await until(_in_force(team), "the policies to be in force")
            for _ in range(turns):
                for kind in kinds:
                    await _turn(api, kind)
        return kinds


def _in_force(team: Team) -> Callable[[], Awaitable[bool]]:
    async def in_force() -> bool:
        return bool(await team.pulls_with(_OURS))

    return in_force


def _constant(policies: Sequence[Any], namespace: str) -> list[Any]:
    """Return policies that decide nothing, for one namespace."""
    name = "constant"
    policy, binding = ({**each, "metadata": {"name": name}} for each in policies)
    selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    spec = {
        "failurePolicy": "Ignore",
        "reinvocationPolicy": "IfNeeded",
        "matchConstraints": {**policy["spec"]["matchConstraints"], "namespaceSelector": selector},
        "matchConditions": [{"name": "once", "expression": "!has(object.spec.imagePullSecrets)"}],
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": _CONSTANT}}],
    }
    return [{**policy, "spec": spec}, {**binding, "spec": {"policyName": name}}]


async def _turn(api: RestClient, kind: Kind) -> None:
    before = await _spent(api)
    for _ in range(_PODS):
        started = time.perf_counter()
        (await kind.team.ask(kind.image, dry_run=False, metadata={"generateName": "app-"})).ok()
        kind.took.append(time.perf_counter() - started)
    kind.admitted.append((await _spent(api) - before) / _PODS)


async def _spent(api: RestClient) -> float:
    """Return the seconds that the API server has spent on mutating policies."""
    found = _SPENT.search((await api.get("/metrics")).ok())
    return float(found[1]) if found else 0.0


if __name__ == "__main__":
    sys.exit(main())
