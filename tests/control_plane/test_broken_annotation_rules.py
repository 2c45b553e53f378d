"""The comparison of test_annotation_check.py would notice a rule of the policy that is broken: each, one by one."""

import asyncio
import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pullkeeper.domain.ecr.registry_host import MAX_REGISTRIES
from pullkeeper.domain.errors.validation import MAX_REPORTED
from pullkeeper.domain.namespace.annotations import MAX_UNKNOWN
from pullkeeper.domain.secret.role_annotation import MAX_ROLES
from tests.control_plane.test_annotation_check import INSTALLATIONS, SETTINGS, create, warnings
from testsupport.annotation_examples import HOST, LARGE, ROLE, Annotations
from testsupport.control_plane.plane import ControlPlane
from testsupport.control_plane.policies import rendered
from testsupport.installation import written
from testsupport.rest import RestClient
from testsupport.waiting import until

ON = {"enabled": "true"}
LABEL = "broken"
CHINA_ROLE = ROLE.replace("aws", "aws-cn", 1)
OTHER_ROLE, THIRD_ROLE = (ROLE.replace("123456789012", other) for other in ("210987654321", "321098765432"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Break:
    """A rule, what is put in the place of what, and annotations that tell."""

    rule: str
    found: str
    put: str
    told_by: Annotations
    name: str = "team"


BREAKS: Mapping[str, Break] = {
    "known keys are unknown": Break(
        rule="unknown", found="'pullkeeper.dev/inject'", put="'x'", told_by={**ON, "inject": "true"}
    ),
    "any number of unknown keys is named": Break(
        rule="of_keys",
        found=f"variables.unknown.size() > {MAX_UNKNOWN}",
        put="false",
        told_by={f"x{number}": "" for number in range(MAX_UNKNOWN + 1)},
    ),
    "a flag may be empty": Break(
        rule="of_keys", found="in ['true', 'false'])", put="in ['true', 'false', ''])", told_by={"enabled": ""}
    ),
    "an inject that nobody judges": Break(
        rule="of_keys",
        found="'pullkeeper.dev/inject' in variables.annotations",
        put="false",
        told_by={**ON, "inject": "maybe"},
    ),
    "no value is too long": Break(
        rule="too_long", found=".size() >", put=".size() > 9 *", told_by={**ON, **LARGE["each value beyond its limit"]}
    ),
    "lines are no separators": Break(
        rule="registries", found=r"'\n'", put=r"'\t'", told_by={**ON, "registries": f"{HOST}\npublic.ecr.aws"}
    ),
    "hosts are not trimmed": Break(
        rule="hosts", found="p.trim())", put="p)", told_by={**ON, "registries": f" {HOST} "}
    ),
    "another domain is valid": Break(
        rule="not_hosts",
        found=r"amazonaws\.com",
        put=r"amazonaws\.[a-z]+",
        told_by={**ON, "registries": f"{HOST[:-3]}org"},
    ),
    "a host goes on after its end": Break(
        rule="not_hosts", found=")$'", put=")'", told_by={**ON, "registries": f"{HOST}.evil.example.com"}
    ),
    "no host is meant": Break(
        rule="invalid_hosts", found=".lowerAscii()", put="", told_by={**ON, "registries": HOST.upper()}
    ),
    "a host too many": Break(
        rule="of_registries",
        found=f"variables.hosts.size() > {MAX_REGISTRIES}",
        put="false",
        told_by={**ON, **LARGE["a host too many"]},
    ),
    "no host at all": Break(
        rule="of_registries", found="variables.hosts.size() == 0", put="false", told_by={**ON, "registries": ","}
    ),
    "a role of another partition": Break(
        rule="of_roles", found="!= h.partition", put="== ''", told_by={**ON, "role-arn": CHINA_ROLE}
    ),
    "a role too many": Break(
        rule="of_identity",
        found=f"variables.named_roles.size() > {MAX_ROLES}",
        put="false",
        told_by={**ON, **LARGE["a role too many"]},
    ),
    "commas separate no roles": Break(
        rule="named_roles", found=",arn:", put=";arn:", told_by={**ON, "role-arn": f"{ROLE},{OTHER_ROLE}"}
    ),
    "two roles of an account": Break(
        rule="of_roles", found="j < i", put="j < 0", told_by={**ON, "role-arn": f"{ROLE}\n{ROLE}"}
    ),
    "a role for no registry": Break(
        rule="of_roles",
        found="variables.served.size() > 0",
        put="false",
        told_by={**ON, "role-arn": f"{ROLE}\n{OTHER_ROLE}"},
    ),
    "a registry without a role": Break(
        rule="of_roles",
        found="h.role == ''",
        put="h.role == '-'",
        told_by={**ON, "role-arn": f"{OTHER_ROLE}\n{THIRD_ROLE}"},
    ),
    "a role and a ServiceAccount": Break(
        rule="of_identity",
        found="'pullkeeper.dev/role-arn' in variables.annotations && 'pullkeeper.dev/service-account-name'",
        put="'x' in variables.annotations && 'pullkeeper.dev/service-account-name'",
        told_by={**ON, "role-arn": ROLE, "service-account-name": "blue"},
    ),
    "any role": Break(
        rule="not_roles",
        found=":role/",
        put=":(?:role|user)/",
        told_by={**ON, "role-arn": ROLE.replace("role", "user")},
    ),
    "any name of a ServiceAccount": Break(
        rule="of_identity", found="[a-z0-9]", put="[A-Za-z0-9]", told_by={**ON, "service-account-name": "Blue"}
    ),
    "any name that is attached to": Break(
        rule="not_accounts", found="[a-z0-9]", put="[A-Za-z0-9]", told_by={**ON, "attach-to-service-accounts": "Blue"}
    ),
    "names that are all": Break(
        rule="of_accounts",
        found="&& !variables.accounts.all(n, n == '*')",
        put="",
        told_by={**ON, **LARGE["all ServiceAccounts, many times"]},
    ),
    "who opts out is judged": Break(
        rule="may_ask", found="== 'false'", put="== '-'", told_by={"enabled": "false", "registries": "x"}
    ),
    "an excluded namespace": Break(rule="problems", found="variables.excluded", put="false", told_by=ON, name="auto-x"),
    "only the first problem": Break(
        rule="problems",
        found="+ variables.of_identity",
        put="",
        told_by={**ON, "registries": "x", "role-arn": "x"},
    ),
    "a text that is not cut": Break(
        rule="message",
        found="m.size() >",
        put="m.size() > 9 *",
        told_by={**ON, "registries": ",".join(["x" * 150] * MAX_REPORTED)},
    ),
}


_GROUP = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpol"


@dataclass(frozen=True, kw_only=True, slots=True)
class Judge:
    """The policy with one rule broken or none, in force for Namespaces with a label that names it."""

    api: RestClient
    name: str
    broken: Break | None

    async def put_up(self, whole: Sequence[Any]) -> None:
        """Put the policy in force, given as the chart renders it."""
        policy, binding = copy.deepcopy(whole)
        policy["metadata"] = binding["metadata"] = {"name": self.name}
        policy["spec"]["matchConstraints"]["objectSelector"] = {"matchLabels": {LABEL: self.name}}
        binding["spec"]["policyName"] = self.name
        if self.broken:
            (variable,) = [each for each in policy["spec"]["variables"] if each["name"] == self.broken.rule]
            assert self.broken.found in variable["expression"], self.broken
            variable["expression"] = variable["expression"].replace(self.broken.found, self.broken.put)
        (await self.api.post(f"{_GROUP}icies", policy)).ok()
        (await self.api.post(f"{_GROUP}icybindings", binding)).ok()

    async def take_down(self) -> None:
        for kind in ("icybindings", "icies"):
            await self.api.delete(f"{_GROUP}{kind}/{self.name}")

    async def in_force(self) -> bool:
        return bool(await self.says({"enabled": "yes"}, "team"))

    async def says(self, annotations: Annotations, name: str) -> str:
        """Return what the policy says of a Namespace."""
        answer = await create(self.api, annotations, name=name, labels={LABEL: self.name})
        return warnings(answer).get(self.name, "")

    async def agrees(self, told_by: Break) -> bool:
        """Return whether it says what the controller would report."""
        metadata = {"name": told_by.name, "annotations": written(told_by.told_by), "labels": {}}
        expected = INSTALLATIONS["attaching"].report(metadata)
        return await self.says(told_by.told_by, told_by.name) == expected


async def test_each_rule_that_is_broken_is_noticed(api: RestClient, plane: ControlPlane) -> None:  # noqa: ARG001 -- on the real server
    """What such a policy says is not what the controller would report; without the break it is."""
    whole = rendered("admission-validation.yaml", {"settings": dict(SETTINGS["attaching"])})
    sound = Judge(api=api, name=f"{LABEL}-none", broken=None)
    judges = {what: Judge(api=api, name=f"{LABEL}-{n}", broken=each) for n, (what, each) in enumerate(BREAKS.items())}
    every = [sound, *judges.values()]
    try:
        await asyncio.gather(*(judge.put_up(whole) for judge in every))
        for judge in every:
            await until(judge.in_force, "the policy to be in force")
        assert [what for what, each in BREAKS.items() if not await sound.agrees(each)] == []
        assert [what for what, each in BREAKS.items() if await judges[what].agrees(each)] == []
    finally:
        await asyncio.gather(*(judge.take_down() for judge in every))
