"""The annotation check: the API server says at once what the controller would report, in the same words."""

import asyncio
import re
import secrets
import ssl
import subprocess
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
import pytest

from pullkeeper.domain.config.policy import ANYBODY, Policy, RoleGrant
from pullkeeper.domain.config.settings import parse_settings
from pullkeeper.domain.errors.text import shortened
from pullkeeper.domain.namespace.namespace import observe_namespace
from pullkeeper.domain.secret.judgement import judge
from testsupport.annotation_examples import HOST, LARGE, Annotations, drawn
from testsupport.control_plane.plane import ControlPlane
from testsupport.control_plane.policies import applied
from testsupport.helm_tools import find
from testsupport.installation import written
from testsupport.rest import Answer, RestClient
from testsupport.waiting import until
from tools.admission_policies import MAX_MESSAGE

EXAMPLES = 2_500
NAMESPACES = "/api/v1/namespaces"
CHINA = "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn"
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "plain": {},
    "attaching": {
        "registries": [HOST, "public.ecr.aws"],
        "serviceAccountAttachment": True,
        "excludedNamespaces": ["*x"],
    },
    "opting-in": {
        "class": "canary",
        "registries": [CHINA, HOST],
        "optIn": {"namespaces": ["auto-*"], "namespaceSelector": {"matchLabels": {"tier": "gold"}}},
    },
}
"""Installations whose policies judge each request side by side; more warnings would be cut by the API server."""
DENYING: Mapping[str, Any] = {
    "fullnameOverride": "denying",
    "settings": {"registries": [HOST]},
    "admission": {"validation": "Deny", "injection": False},
}
NAMES = ("team", "auto-a", "auto-x")
_WARNING = re.compile(
    r"299 - \"Validation failed for ValidatingAdmissionPolicy '(?P<name>[^']+)' with binding '[^']+': (?P<text>.*)\""
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Installation:
    """What the controller would judge by."""

    policy: Policy
    attaches: bool

    def report(self, metadata: Mapping[str, Any]) -> str:
        """Return what it would report as InvalidAnnotation, as an Event shows it; "" if that is nothing."""
        namespace = observe_namespace({"resourceVersion": "1", **metadata})
        judgement = judge(namespace, None, self.policy, attaches=self.attaches)
        texts = [str(judgement.error)] if judgement.error else [each.message for each in judgement.ignored]
        return shortened("".join(texts).removeprefix(f"namespace/{namespace.name}: "), MAX_MESSAGE)


def _installation(given: Mapping[str, Any]) -> Installation:
    settings = parse_settings(given, {})
    # Who may use which role is not the annotation's fault, and is reported under another reason.
    policy = replace(settings.policy, roles=(RoleGrant(role="*"),), service_accounts=ANYBODY)
    return Installation(policy=policy, attaches=settings.service_account_attachment)


INSTALLATIONS = {name: _installation(given) for name, given in SETTINGS.items()}


def _connector(plane: ControlPlane) -> aiohttp.TCPConnector:
    return aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=plane.ca_file), limit=6)


@pytest.fixture(scope="module")
def _policies(plane: ControlPlane) -> Iterator[None]:
    # Registries of several partitions: a role in aws.roleArn would be of one.
    common = {"aws": {"credentials": "podIdentity"}}
    many = ({**common, "fullnameOverride": name, "settings": dict(given)} for name, given in SETTINGS.items())
    with applied(plane, "admission-validation.yaml", *many):
        asyncio.run(_in_force(plane))
        yield


async def _in_force(plane: ControlPlane) -> None:
    async with aiohttp.ClientSession(connector=_connector(plane)) as http:
        api = RestClient(http=http, url=plane.url, token=plane.admin_token)

        async def all_of_them() -> bool:
            return SETTINGS.keys() == warnings(await create(api, {"class": "any of them"})).keys()

        await until(all_of_them, "the policies to be in force")


async def create(
    api: RestClient, annotations: Annotations, *, name: str = "team", labels: Mapping[str, str] | None = None
) -> Answer:
    metadata = {"name": name, "annotations": written(annotations), "labels": dict(labels or {})}
    return await api.post(NAMESPACES, {"metadata": metadata}, dryRun="All")


def warnings(answer: Answer) -> dict[str, str]:
    """Return what each installation's policy says, by its name."""
    assert answer.status in {200, 201}, answer.body
    found = [_WARNING.fullmatch(each) for each in _all(answer, "Warning")]
    assert None not in found, answer.headers
    return {match["name"].removesuffix("-validation"): _unescaped(match["text"]) for match in found if match}


def _all(answer: Answer, name: str) -> list[str]:
    return list(answer.headers.getall(name, []))  # type: ignore[attr-defined] # aiohttp's multidict


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


async def compare(api: RestClient, annotations: Annotations, name: str, labels: Mapping[str, str]) -> None:
    """Assert that each policy says what its controller would report; the text as far as it can be shown."""
    found = warnings(await create(api, annotations, name=name, labels=labels))
    shown = all(each.isprintable() or each in "\n\r\t" for value in annotations.values() for each in value)
    for installation, judging in INSTALLATIONS.items():
        metadata = {"name": name, "annotations": written(annotations), "labels": labels}
        expected, said = judging.report(metadata), found.get(installation, "")
        context = (installation, name, labels, {key: value[:300] for key, value in annotations.items()})
        if shown and annotations:
            assert said == expected, context
        else:
            assert bool(said) == bool(expected and annotations), (context, said, expected)
            # The API server may know characters that this Python does not: what is not assigned (Cn) is let pass.
            assert not {unicodedata.category(each) for each in said} & {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}


async def _compare_all(plane: ControlPlane, examples: Iterable[tuple[Annotations, str, Mapping[str, str]]]) -> None:
    async with aiohttp.ClientSession(connector=_connector(plane)) as http:
        api = RestClient(http=http, url=plane.url, token=plane.admin_token)
        await asyncio.gather(*(compare(api, *example) for example in examples))


@pytest.mark.usefixtures("_policies")
def test_the_api_server_says_what_the_controller_would_report(plane: ControlPlane) -> None:
    """Of thousands of Namespaces, in the words of the controller, under each of the settings."""
    labels: Sequence[Mapping[str, str]] = ({}, {"tier": "gold"}, {"tier": "lead"})
    examples = [
        (annotations, NAMES[number % 3], labels[number // 3 % 3]) for number, annotations in enumerate(drawn(EXAMPLES))
    ]
    reports = [
        INSTALLATIONS["attaching"].report({"name": "team", "annotations": written(each)}) for each, _, _ in examples
    ]
    assert EXAMPLES / 10 < reports.count("") < EXAMPLES * 9 / 10
    asyncio.run(_compare_all(plane, examples))


@pytest.mark.usefixtures("_policies")
def test_the_largest_annotations_are_judged_within_the_limits_on_cost(plane: ControlPlane) -> None:
    """A policy that exceeded them would say nothing."""
    none: Mapping[str, str] = {}
    examples: list[tuple[Annotations, str, Annotations]]
    examples = [({"enabled": "true", **annotations}, "team", none) for annotations in LARGE.values()]
    examples += [(annotations, "team", none) for annotations in LARGE.values()]
    # Of a namespace that is opted out, excluded or of another class no further problem is counted either.
    many = {"registries": ",".join(["x"] * 30), "attach-to-service-accounts": ",".join(["A"] * 30)}
    examples += [({**many, "enabled": flag}, name, none) for flag in ("true", "false") for name in ("team", "auto-x")]
    examples += [({**many, "enabled": "true", "class": name}, "team", none) for name in ("canary", "other", "no class")]
    asyncio.run(_compare_all(plane, examples))


@pytest.mark.usefixtures("_policies")
async def test_kubectl_shows_what_is_wrong(plane: ControlPlane, api: RestClient) -> None:
    """Where somebody writes it, and the annotation is there all the same."""
    name = f"team-{secrets.token_hex(4)}"
    (await api.post(NAMESPACES, {"metadata": {"name": name}})).ok()
    kubeconfig = ("--kubeconfig", str(plane.write_kubeconfig()))
    command = (str(find().kubectl), *kubeconfig, "annotate", "namespace", name, "pullkeeper.dev/enabled=yes")
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)
    assert 'pullkeeper.dev/enabled: found "yes", expected "true" or "false"' in done.stderr
    assert done.stdout == f"namespace/{name} annotated\n"


async def test_only_who_writes_a_wrong_annotation_is_refused(plane: ControlPlane, api: RestClient) -> None:
    """With Deny: not who changes something else, takes an annotation away, or deletes the Namespace."""
    name = f"team-{secrets.token_hex(4)}"
    path = f"{NAMESPACES}/{name}"
    wrong = {"metadata": {"name": name, "annotations": written({"enabled": "yes", "colour": "red"})}}
    (await api.post(NAMESPACES, wrong)).ok()

    async def refused() -> bool:
        return (
            await api.post(NAMESPACES, {"metadata": wrong["metadata"] | {"name": f"{name}-x"}}, dryRun="All")
        ).status == 422

    with applied(plane, "admission-validation.yaml", DENYING):
        await until(refused, "the policy to be in force")
        (await api.merge(path, {"metadata": {"labels": {"tier": "gold"}}})).ok()
        (await api.merge(path, {"metadata": {"annotations": written({"colour": None})}})).ok()
        answer = await api.merge(path, {"metadata": {"annotations": written({"enabled": "no"})}})
        assert (answer.status, 'found "no", expected "true" or "false"' in answer.message) == (422, True)
        (await api.merge(path, {"metadata": {"annotations": written({"enabled": "false"})}})).ok()
        (await api.delete(path)).ok()

    async def admitted() -> bool:
        return not await refused()

    await until(admitted, "the policy to be gone")  # others create such Namespaces here


@pytest.mark.usefixtures("_policies")
async def test_policies_are_typed_without_a_warning(api: RestClient) -> None:
    """The API server's own type checker finds nothing."""

    async def checked() -> list[Any] | None:
        found = (await api.get("/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies")).ok()["items"]
        ours = [each for each in found if each["metadata"]["name"].removesuffix("-validation") in SETTINGS]
        return ours if all(each.get("status", {}).get("observedGeneration") for each in ours) else None

    policies = await until(checked, "the policies to be checked")
    assert [each["status"].get("typeChecking") for each in policies] == [{}] * len(SETTINGS)
