"""Pods would show a rule of the injection's policy that is broken: each, one by one."""

import asyncio
import copy
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from testsupport.control_plane.plane import ControlPlane
from testsupport.control_plane.policies import applied_objects, rendered
from testsupport.injected_pods import create_team
from testsupport.installation import IRELAND, VIRGINIA
from testsupport.rest import RestClient
from testsupport.waiting import until

SECRET = "ecr-pull-secret"
LABEL = "broken"
ON = {"enabled": "true"}
OURS, OTHERS = f"{IRELAND}/app", "docker.io/library/nginx"
SETTINGS = {"registries": [IRELAND], "optIn": {"namespaces": ["auto-*"]}, "excludedNamespaces": ["shut-*"]}


@dataclass(frozen=True, kw_only=True, slots=True)
class Break:
    """What is put in the place of what in the policy, and a pod that tells, with the Secrets that it should get."""

    found: str = ""
    put: str = ""
    annotations: Mapping[str, str] = field(default_factory=lambda: ON)
    name: str = "team-{}"
    image: str = OURS
    spec: Mapping[str, Any] = field(default_factory=dict)
    expected: Sequence[str] = (SECRET,)


MINE = {"imagePullSecrets": [{"name": "mine"}]}
NAMED = {"imagePullSecrets": [{"name": SECRET}, {"name": "mine"}]}
INIT = {"initContainers": [{"name": "one", "image": OURS}]}
VOLUME = {"volumes": [{"name": "models", "image": {"reference": f"{IRELAND}/models"}}]}
BREAKS: Mapping[str, Break] = {
    "it is named twice": Break(
        found=f'each.?name.orValue("") == "{SECRET}"', put="false", spec=NAMED, expected=(SECRET, "mine")
    ),
    "patterns exclude nobody": Break(found="^(?:shut-.*)$", put="^$", name="shut-{}", expected=()),
    "nobody declines": Break(
        found='.orValue("true") != "false"',
        put='.orValue("true") != "-"',
        annotations={**ON, "inject": "false"},
        expected=(),
    ),
    "nobody opts out": Break(
        found='"pullkeeper.dev/enabled"] != "false"',
        put='"pullkeeper.dev/enabled"] != "-"',
        annotations={"enabled": "false"},
        expected=(),
    ),
    "the settings opt nobody in": Break(found="^(?:auto-.*)$", put="^$", annotations={}, name="auto-{}"),
    "the settings opt everybody in": Break(found="^(?:auto-.*)$", put=".", annotations={}, expected=()),
    "lines are no separators": Break(
        found=r'.replace("\n", ",")',
        put="",
        annotations={**ON, "registries": f"{VIRGINIA}\n{IRELAND}"},
        image="public.ecr.aws/x",
        expected=(),
    ),
    "hosts are not trimmed": Break(
        found=".map(part, part.trim())", put="", annotations={**ON, "registries": f"{VIRGINIA} "}, expected=()
    ),
    "registries are always known": Break(
        found="variables.registries.all(host",
        put="variables.registries.exists(host",
        annotations={**ON, "registries": f"{VIRGINIA},x"},
    ),
    "every registry counts": Break(found="in variables.registries", put="!= ''", image=OTHERS, expected=()),
    "init containers do not count": Break(
        found="object.spec.?initContainers.orValue([])",
        put="object.spec.?ephemeralContainers.orValue([])",
        image=OTHERS,
        spec=INIT,
    ),
    "volumes do not count": Break(
        found="object.spec.?volumes.orValue([])",
        put="object.spec.?volumes.orValue([]).filter(each, false)",
        image=OTHERS,
        spec=VOLUME,
    ),
    "the pod's own are replaced": Break(
        found="has(object.spec.imagePullSecrets)", put="false", spec=MINE, expected=("mine", SECRET)
    ),
}


def _for_label(whole: Sequence[Any], name: str, broken: Break) -> list[Any]:
    """Return the policy with one rule broken, for pods with a label that names it."""
    text = json.dumps([each["spec"] for each in whole])
    found, put = (json.dumps(each)[1:-1] for each in (broken.found, broken.put))
    assert found in text, broken
    policy, binding = copy.deepcopy(whole)
    policy["spec"] = json.loads(text.replace(found, put))[0] if found else policy["spec"]
    policy["metadata"] = binding["metadata"] = {"name": name}
    policy["spec"]["matchConstraints"]["objectSelector"] = {"matchLabels": {LABEL: name}}
    binding["spec"]["policyName"] = name
    return [policy, binding]


async def _injected(api: RestClient, name: str, pod: Break) -> list[str]:
    team = await create_team(api, pod.annotations, name=pod.name.format(secrets.token_hex(4)))
    return await team.pulls_with(pod.image, metadata={"name": "app", "labels": {LABEL: name}}, **pod.spec)


async def test_each_rule_that_is_broken_is_noticed(api: RestClient, plane: ControlPlane) -> None:
    """A pod gets other Secrets than it should; without the break it gets those."""
    whole = rendered("admission-injection.yaml", {"settings": SETTINGS})
    names = {what: f"{LABEL}-injection-{number}" for number, what in enumerate(["none", *BREAKS])}
    many = [_for_label(whole, name, BREAKS.get(what, Break())) for what, name in names.items()]
    plain = Break(annotations={**ON, "registries": IRELAND})
    with applied_objects(plane, [each for policy in many for each in policy]):
        for name in names.values():

            async def in_force(name: str = name) -> bool:
                return bool(await _injected(api, name, plain))

            await until(in_force, "the policy to be in force")
        whole_said = await asyncio.gather(*(_injected(api, names["none"], each) for each in BREAKS.values()))
        assert dict(zip(BREAKS, whole_said, strict=True)) == {what: [*each.expected] for what, each in BREAKS.items()}
        said = await asyncio.gather(*(_injected(api, names[what], each) for what, each in BREAKS.items()))
        assert [what for what, found in zip(BREAKS, said, strict=True) if found == [*BREAKS[what].expected]] == []
