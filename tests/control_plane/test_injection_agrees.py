"""The injection's policy on a real API server decides as its model in Python, whatever is written on a namespace."""

import asyncio
import itertools
import secrets
import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pullkeeper.domain.config.injection import injects
from pullkeeper.domain.config.policy import Policy
from pullkeeper.domain.config.settings import parse_settings
from pullkeeper.domain.ecr.registry_host import MAX_REGISTRIES
from pullkeeper.domain.namespace.annotations import MAX_LABELS
from pullkeeper.domain.namespace.namespace import observe_namespace
from testsupport.control_plane.plane import ControlPlane
from testsupport.control_plane.policies import applied
from testsupport.injected_pods import create_team
from testsupport.installation import IRELAND, VIRGINIA, written
from testsupport.rest import RestClient
from testsupport.waiting import until

PUBLIC = "public.ecr.aws"
HOSTS = [
    IRELAND,
    VIRGINIA,
    PUBLIC,
    "123456789012.dkr-ecr.eu-west-1.on.aws",
    "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn",
]
NEAR = [
    IRELAND.upper(),
    f"{IRELAND}.",
    f"{IRELAND}:443",
    f"https://{IRELAND}",
    f"x{IRELAND}",
    IRELAND[:-1],
    "docker.io",
    "x",
]
REQUIREMENTS = [
    {"key": "a", "operator": "In", "values": ["1", "2"]},
    {"key": "b", "operator": "NotIn", "values": ["1", ""]},
    {"key": "example.com/c", "operator": "Exists"},
    {"key": "d", "operator": "DoesNotExist"},
]
VARIANTS: Sequence[Mapping[str, Any]] = [
    {},
    {"optIn": {"namespaces": ["auto-*"]}, "registries": [IRELAND, PUBLIC]},
    {"optIn": {"namespaces": ["a*-*x", "*-y", "b"], "exclude": ["*-not-*", "auto-*-x"]}, "registries": [VIRGINIA]},
    {"optIn": {"namespaces": "*", "exclude": "auto-*"}, "registries": [IRELAND], "excludedNamespaces": []},
    {"class": "canary", "optIn": {"namespaces": "*"}, "registries": HOSTS},
    {"optIn": {"namespaceSelector": {}}, "registries": HOSTS, "excludedNamespaces": ["*-x", "kube-*"]},
    {"optIn": {"namespaceSelector": {"matchLabels": {"a": "1", "b": ""}}}, "registries": [IRELAND]},
    {"optIn": {"namespaceSelector": {"matchExpressions": REQUIREMENTS}}, "registries": [IRELAND]},
    {"optIn": {"namespaces": [], "namespaceSelector": {}}, "registries": [IRELAND]},
    *(
        {"optIn": {"namespaces": ["*o*"], "namespaceSelector": {"matchExpressions": [each]}}, "registries": [PUBLIC]}
        for each in REQUIREMENTS
    ),
]
"""Settings whose policies are in force side by side, each with a Secret of its own name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """A namespace and the pods that are asked for in it, by their images."""

    start: str
    end: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    pods: Sequence[Sequence[str]]


BLANKS = ["", " ", "\t", "\u2003", "\x85", "\x1c", "\u200b"]
SEPARATORS = [",", "\n", ",\n", ",,", " , ", ";", " "]
part = st.builds(
    "{}{}{}".format, st.sampled_from(BLANKS), st.sampled_from([*HOSTS, *HOSTS, *HOSTS, *NEAR]), st.sampled_from(BLANKS)
)
written_hosts = st.lists(st.tuples(part, st.sampled_from(SEPARATORS)), max_size=4).map(
    lambda each: "".join(itertools.chain(*each))
)
many = st.builds(
    lambda host, separator, count: separator.join([host] * count),
    st.sampled_from(HOSTS),
    st.sampled_from([",", ",\n"]),
    st.sampled_from([MAX_REGISTRIES - 1, MAX_REGISTRIES, MAX_REGISTRIES + 1, 700, 1000]),
)
registries = st.one_of(
    part,
    written_hosts,
    written_hosts,
    many,
    st.sampled_from(["", ",", "x" * 40_000, IRELAND + " " * 33_000, "," * 500 + IRELAND]),
)
flag = st.sampled_from(["true", "false", "", "yes", "True"])
named = st.sampled_from(["canary", "canary", "", "Canary", "-", "a" * 63, "a" * 64])
annotations = st.fixed_dictionaries(
    {}, optional={"enabled": flag, "inject": flag, "registries": registries, "class": named, "x": flag}
)
host = st.sampled_from([*HOSTS, *HOSTS, *NEAR])
image = st.builds("{}{}".format, host, st.sampled_from(["/app", "/app", "/a/b:1", "", "/", ":1"]))
few = st.dictionaries(st.sampled_from(["a", "b", "example.com/c", "d", "e"]), st.sampled_from(["", "1", "2"]))
full = st.sampled_from([MAX_LABELS - 2, MAX_LABELS - 1, MAX_LABELS]).map(
    lambda number: {f"l{n}": "" for n in range(number)}
)
examples = st.builds(
    Example,
    start=st.sampled_from(["auto-", "o", "kube-", "b"]),
    end=st.sampled_from(["", "-x", "-y", "-not-x"]),
    labels=st.one_of(few, few, few, full),
    annotations=annotations,
    pods=st.lists(st.lists(image.filter(bool), min_size=1, max_size=3), min_size=1, max_size=3),
)


def _policy(variant: Mapping[str, Any]) -> Policy:
    return parse_settings({**variant, "podInjection": True}, {}).policy


def _name(variant: int) -> str:
    return f"agrees-{variant}"


POLICIES = {_name(number): _policy(variant) for number, variant in enumerate(VARIANTS)}


@pytest.fixture(scope="module")
def _policies(plane: ControlPlane) -> Iterator[None]:
    many = (
        {
            "fullnameOverride": _name(number),
            # Registries of several partitions: a role in aws.roleArn would be of one.
            "aws": {"credentials": "podIdentity"},
            "settings": {**variant, "secretName": _name(number)},
        }
        for number, variant in enumerate(VARIANTS)
    )
    with applied(plane, "admission-injection.yaml", *many):
        asyncio.run(_in_force(plane))
        yield


async def _in_force(plane: ControlPlane) -> None:
    async with aiohttp.ClientSession(connector=_connector(plane)) as http:
        team = await create_team(
            RestClient(http=http, url=plane.url, token=plane.admin_token),
            {"enabled": "true", "registries": PUBLIC, "class": "any of them"},
        )

        async def all_of_them() -> bool:
            return POLICIES.keys() <= set(await team.pulls_with(f"{PUBLIC}/app"))

        await until(all_of_them, "the policies to be in force")


def _connector(plane: ControlPlane) -> aiohttp.TCPConnector:
    return aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=plane.ca_file), limit=6)


@pytest.mark.usefixtures("_policies")
@settings(
    max_examples=4, derandomize=True, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)
@given(batch=st.lists(examples, min_size=50, max_size=50))
def test_the_policy_and_its_model_agree(plane: ControlPlane, batch: list[Example]) -> None:
    """On some 400 pods in 200 namespaces, under each of the settings."""
    asyncio.run(_compare(plane, batch))


async def _compare(plane: ControlPlane, batch: list[Example]) -> None:
    async with aiohttp.ClientSession(connector=_connector(plane)) as http:
        api = RestClient(http=http, url=plane.url, token=plane.admin_token)
        await asyncio.gather(*(_compare_one(api, example) for example in batch))


async def _compare_one(api: RestClient, example: Example) -> None:
    name = f"{example.start}{secrets.token_hex(4)}{example.end}"
    team = await create_team(api, example.annotations, name=name, labels=example.labels)
    labels = {**example.labels, "kubernetes.io/metadata.name": name}
    metadata = {"name": name, "resourceVersion": "1", "annotations": written(example.annotations), "labels": labels}
    namespace = observe_namespace(metadata)
    for images in example.pods:
        found = await team.pulls_with(*images)
        expected = [secret for secret, policy in POLICIES.items() if injects(namespace, policy, images)]
        assert sorted(each for each in found if each.startswith("agrees-")) == sorted(expected), (example, images)
