"""What people and tenants write: annotations, hosts, ARNs, settings, Secrets and ServiceAccounts."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

import yaml
from hypothesis import strategies as st

from pullkeeper.app import config_loader
from pullkeeper.domain.config.policy import Policy
from pullkeeper.domain.config.settings import Settings, parse_settings
from pullkeeper.domain.ecr import image_reference, registry_host
from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.errors.failures import FailureError
from pullkeeper.domain.errors.validation import InvalidInputError
from pullkeeper.domain.iam import principal, role_arn, web_identity
from pullkeeper.domain.namespace.namespace import PREFIX, observe_namespace
from pullkeeper.domain.secret.desired_state import DesiredState, desired_state, ignored_annotations
from pullkeeper.domain.secret.observed_secret import ObservedSecret, observe
from pullkeeper.domain.secret.plan import fallback_state, plan
from pullkeeper.domain.secret.pull_secret import DATA_KEY, read_auths
from pullkeeper.domain.secret.service_account_patch import observe_service_account, plan_patch
from testsupport import annotation_examples, wild_text
from testsupport.annotation_examples import HOST
from testsupport.examples import NOW, published
from testsupport.fuzzing import Fuzzer, check_text
from testsupport.settings_examples import documents

POLICY = parse_settings(
    {
        "registries": [HOST],
        "clusterName": "blue",
        "serviceAccountAttachment": True,
        "roles": [{"role": "arn:aws:iam::*:role/*", "namespaces": ["team-*"], "sessionTags": True}],
        "serviceAccountIdentity": {"namespaces": ["*"]},
        "excludedNamespaces": ["kube-*"],
    },
    {},
).policy
ROTATION = Settings().rotation
KEYS = st.one_of(
    st.sampled_from(["enabled", "registries", "a", "x-1", "kubernetes.io/metadata.name", "a" * 63]),
    st.text("abcXYZ019", min_size=1, max_size=20),
)
NAMES = st.sampled_from(["team-a", "team-a", "team-a", "other", "kube-system"])


@st.composite
def namespaces(draw: st.DrawFn) -> dict[str, Any]:
    """Draw the metadata of a Namespace, as the API server would have taken it."""
    ours = draw(st.one_of(annotation_examples.any_annotations, st.dictionaries(KEYS, wild_text.any_text, max_size=4)))
    others = draw(st.dictionaries(KEYS, wild_text.any_text, max_size=3))
    return {
        "name": draw(NAMES),
        "uid": draw(wild_text.text),
        "resourceVersion": str(draw(st.integers(0, 2**63 - 1))),
        "annotations": others | {PREFIX + key: value for key, value in ours.items()},
        "labels": draw(st.dictionaries(KEYS, wild_text.text, max_size=3)),
    }


def desired(metadata: dict[str, Any]) -> DesiredState | None:
    namespace = observe_namespace(metadata)
    for failure in ignored_annotations(namespace):
        check_text(str(failure))
    try:
        found = desired_state(namespace, POLICY)
    except InvalidInputError as error:
        check_text(str(error))
        return None
    except FailureError as error:
        check_text(str(error))
        return None
    assert found is None or set(found.registries) <= set(map(registry_host.parse, map(str, found.registries)))
    return found


def test_annotations(fuzzer: Fuzzer) -> None:
    fuzzer.hold("annotations", 0.12, namespaces(), desired)


HOSTS = st.one_of(
    annotation_examples.any_host,
    annotation_examples.any_host,
    wild_text.any_text,
    st.text("0123456789.dkrecamzonws-", max_size=80),
)


def host(text: str) -> None:
    try:
        found = registry_host.parse(text)
    except ValueError as error:
        check_text(str(error))
        return
    assert isinstance(found, RegistryHost)
    assert registry_host.parse(found.name) == found, "what is read of a host is a host itself"


def test_hosts(fuzzer: Fuzzer) -> None:
    fuzzer.hold("registry hosts", 0.14, HOSTS, host)


def image(text: str) -> None:
    found = image_reference.parse(text)
    check_text(str(found)[:1000])


def test_images(fuzzer: Fuzzer) -> None:
    images = st.builds("{}/{}{}".format, HOSTS, wild_text.text, st.sampled_from(["", ":1", "@sha256:0", ":", "@", "/"]))
    fuzzer.hold("images", 0.05, st.one_of(images, wild_text.any_text), image)


def arn(text: str) -> None:
    try:
        found = role_arn.parse(text)
    except ValueError as error:
        check_text(str(error))
        return
    assert role_arn.parse(str(found)) == found


def principals(text: str) -> None:
    name = principal.parse(text)
    check_text(name)
    assert principal.parse(name) == name
    for told in (principal.of_caller, principal.of_role, principal.of_access_key):
        check_text(told(text))


def test_arns(fuzzer: Fuzzer) -> None:
    arns = st.one_of(annotation_examples.any_arn, wild_text.any_text)
    fuzzer.hold("ARNs of roles", 0.11, arns, arn)
    fuzzer.hold("principals", 0.05, arns, principals)


def settings(document: Any) -> None:
    try:
        found = parse_settings(document, {})
    except InvalidInputError as error:
        check_text(str(error))
        return
    assert isinstance(found.policy, Policy)


def test_settings(fuzzer: Fuzzer) -> None:
    fuzzer.hold("settings", 0.08, documents(), settings)


def settings_file(content: bytes) -> None:
    try:
        config_loader.parse("--config settings.yaml", content)
    except InvalidInputError as error:
        check_text(str(error))


FILES = st.one_of(
    st.binary(max_size=300),
    st.sampled_from([b"httpPort: 0x" + b"f" * 5000, b"0x" + b"f" * 5000 + b": 1", b"roles: [0x" + b"f" * 5000 + b"]"]),
    wild_text.any_text.map(str.encode),
    documents().map(lambda document: yaml.safe_dump(document, allow_unicode=True).encode()),
    st.builds(
        lambda part, count: part * count,
        st.sampled_from([b"[", b"{a: ", b"- ", b"? ", b"!!python/object:os "]),
        st.sampled_from([1, 20, 900, 3000]),
    ),
    st.integers(1, 40).map(
        lambda depth: "\n".join(
            ["a0: &a0 [x, x]", *(f"a{each}: &a{each} [*a{each - 1}, *a{each - 1}]" for each in range(1, depth))]
        ).encode()
    ),
)


def test_settings_files(fuzzer: Fuzzer) -> None:
    fuzzer.hold("settings files", 0.01, FILES, settings_file)


@st.composite
def secrets(draw: st.DrawFn) -> dict[str, Any]:
    """Draw the metadata of a Secret: often one of ours in which somebody has changed something."""
    record = published(registry_host.parse(HOST), issued=NOW - draw(st.integers(-30, 30)) * timedelta(hours=1))
    annotations = record.annotations()
    for key in draw(st.lists(st.sampled_from(sorted(annotations)), max_size=2)):
        changed = draw(
            st.one_of(wild_text.any_text, st.sampled_from(["", "{}", "[]", "null", "{", "0", "1e999", '{"a":{}}']))
        )
        annotations[key] = changed if draw(st.booleans()) else annotations[key] + changed
    labels = {"app.kubernetes.io/managed-by": draw(st.sampled_from(["pullkeeper", "pullkeeper", "helm"]))}
    return {
        "name": "ecr-pull-secret",
        "namespace": "team-a",
        "uid": draw(wild_text.text),
        "resourceVersion": str(draw(st.integers(0, 2**63 - 1))),
        "labels": draw(st.sampled_from([labels, labels, {}, None])),
        "annotations": draw(st.sampled_from([annotations, annotations, None])),
        "managedFields": draw(st.one_of(st.none(), st.lists(managers, max_size=3))),
    }


managers = st.fixed_dictionaries(
    {"manager": st.one_of(st.just("pullkeeper"), wild_text.any_text)},
    optional={
        "operation": st.sampled_from(["Apply", "Update"]),
        "time": st.one_of(st.just("2026-03-01T12:00:00Z"), wild_text.text),
        "subresource": wild_text.text,
        "fieldsV1": st.dictionaries(
            st.sampled_from(["f:data", "f:metadata", "f:type", "f:imagePullSecrets"]),
            st.dictionaries(
                st.sampled_from([f"f:{DATA_KEY}", "f:annotations", "f:labels", "."]),
                st.dictionaries(wild_text.text, st.just({}), max_size=3),
                max_size=3,
            ),
        ),
    },
)


def secret(given: tuple[dict[str, Any], dict[str, Any]]) -> None:
    found = observe(given[0])
    assert isinstance(found.as_of(NOW), ObservedSecret)
    for text in (found.writer, found.written_by):
        check_text(text)
    if found.record is not None:
        assert observe({**given[0], "annotations": found.record.annotations()}).record == found.record
    namespace = observe_namespace(given[1])
    wanted = desired(given[1]) or fallback_state(namespace, found, POLICY, None)
    plan(namespace=namespace, desired=wanted, secret=found.as_of(NOW), now=NOW, rotation=ROTATION)


def test_secrets(fuzzer: Fuzzer) -> None:
    fuzzer.hold("pull Secrets", 0.05, st.tuples(secrets(), namespaces()), secret)


ENTRIES = st.one_of(
    wild_text.json_values,
    st.dictionaries(
        HOSTS, st.one_of(st.fixed_dictionaries({"auth": wild_text.text}), wild_text.json_values), max_size=4
    ),
)


def test_data_of_secrets(fuzzer: Fuzzer) -> None:
    encoded = st.one_of(wild_text.any_text, wild_text.configurations(ENTRIES))
    fuzzer.hold("data of Secrets", 0.05, st.dictionaries(st.just(DATA_KEY), encoded), read_auths)


accounts = st.fixed_dictionaries(
    {
        "metadata": st.fixed_dictionaries(
            {
                "namespace": st.just("team-a"),
                "name": wild_text.text,
                "uid": wild_text.text,
                "resourceVersion": st.integers(0, 2**63 - 1).map(str),
            },
            optional={
                "annotations": st.dictionaries(
                    st.sampled_from(["eks.amazonaws.com/role-arn", f"{PREFIX}attached-secret", "x"]), wild_text.any_text
                ),
                "managedFields": st.lists(managers, max_size=2),
            },
        )
    },
    optional={
        "imagePullSecrets": st.lists(
            st.fixed_dictionaries({}, optional={"name": st.one_of(st.just("ecr-pull-secret"), wild_text.text)}),
            max_size=5,
        )
    },
)


def account(given: dict[str, Any]) -> None:
    found = observe_service_account(given, "ecr-pull-secret")
    for text in (found.principal, found.writer):
        check_text(text)
    for wanted in (True, False):
        plan_patch(found, "ecr-pull-secret", wanted=wanted, exists=True)


def test_service_accounts(fuzzer: Fuzzer) -> None:
    fuzzer.hold("ServiceAccounts", 0.04, accounts, account)


def token(text: str) -> None:
    with suppress(ValueError):
        check_text(str(web_identity.decode(text)))


def test_projected_tokens(fuzzer: Fuzzer) -> None:
    claims = st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("iss", "sub", "aud", "exp", "kubernetes.io"), wild_text.json_values)
    )
    fuzzer.hold("projected tokens", 0.06, st.one_of(wild_text.any_text, wild_text.web_tokens(claims)), token)
