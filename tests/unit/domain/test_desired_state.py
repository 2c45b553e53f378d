"""What a Namespace requests, or every problem with its annotations."""

import itertools
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullkeeper.domain.config.policy import Policy
from pullkeeper.domain.ecr.registry_host import FORM, MAX_REGISTRIES, RegistryHost
from pullkeeper.domain.errors.validation import InvalidInputError, Problem
from pullkeeper.domain.iam.identity import CONTROLLER
from pullkeeper.domain.namespace.installation_class import CLASS_FORM
from pullkeeper.domain.namespace.namespace import ObservedNamespace, own_annotations
from pullkeeper.domain.namespace.opt_in import OptIn
from pullkeeper.domain.namespace.service_account_names import ServiceAccountNames
from pullkeeper.domain.secret.desired_state import DesiredState
from pullkeeper.domain.secret.desired_state import desired_state as read_desired_state
from testsupport.examples import EU, HOSTS, PUBLIC, US, wanted

DEFAULTS = (EU,)
KNOWN = "one of " + ", ".join(
    f"pullkeeper.dev/{key}"
    for key in (
        "enabled",
        "registries",
        "role-arn",
        "service-account-name",
        "attach-to-service-accounts",
        "inject",
        "class",
        "refresh-requested-at",
    )
)
ON = {"enabled": "true"}


def desired_state(annotations: Mapping[str, str], defaults: tuple[RegistryHost, ...]) -> DesiredState | None:
    view = ObservedNamespace(name="team", resource_version=1, annotations=annotations)
    return read_desired_state(view, Policy(registries=defaults))


def problem(key: str, found: str, expected: str) -> Problem:
    return Problem(where=f"pullkeeper.dev/{key}", found=found, expected=expected)


WRONG: list[tuple[Mapping[str, str], Problem]] = [
    ({"enabled": "True"}, problem("enabled", '"True"', '"true" or "false"')),
    ({"enabled": ""}, problem("enabled", '""', '"true" or "false"')),
    ({"enabled": "true\n"}, problem("enabled", '"true\\n"', '"true" or "false"')),
    ({**ON, "inject": "no"}, problem("inject", '"no"', '"true" or "false"')),
    ({**ON, "inject": ""}, problem("inject", '""', '"true" or "false"')),
    ({"class": "-"}, problem("class", '"-"', CLASS_FORM)),
    ({"class": "-" * 63}, problem("class", f'"{"-" * 63}"', CLASS_FORM)),
    ({"class": "-" * 64}, problem("class", f'"{"-" * 64}"', "at most 63 characters")),
    ({"inject": "False"}, problem("inject", '"False"', '"true" or "false"')),
    ({"registry": "x"}, problem("registry", "a key that this version does not know", KNOWN)),
    ({"": "x"}, problem("", "a key that this version does not know", KNOWN)),
    ({**ON, "registries": "docker.io"}, problem("registries", '"docker.io"', FORM)),
    ({**ON, "registries": ""}, problem("registries", "no registry host", f"at least one host: {FORM}")),
    ({**ON, "registries": " ,\n ,"}, problem("registries", "no registry host", f"at least one host: {FORM}")),
    (
        {**ON, "registries": f"https://{EU}/v2/"},
        problem("registries", f'"https://{EU}/v2/"', f'only the host, in lower case: "{EU}"'),
    ),
]


def problems(annotations: Mapping[str, str], defaults: tuple[RegistryHost, ...] = DEFAULTS) -> tuple[Problem, ...]:
    with pytest.raises(InvalidInputError) as raised:
        desired_state(annotations, defaults)
    return raised.value.problems


@pytest.mark.parametrize(("annotations", "expected"), WRONG)
def test_each_invalid_annotation_is_a_problem(annotations: Mapping[str, str], expected: Problem) -> None:
    """With its key, its value and the expected form."""
    assert problems(annotations) == (expected,)


def test_all_problems_are_reported_together() -> None:
    """Several mistakes can be fixed at once."""
    found = problems({"enabled": "yes", "zone": "x", "registry": "y", "registries": "docker.io,quay.io"})
    assert [(each.where, each.found) for each in found] == [
        ("pullkeeper.dev/registry", "a key that this version does not know"),
        ("pullkeeper.dev/zone", "a key that this version does not know"),
        ("pullkeeper.dev/enabled", '"yes"'),
        ("pullkeeper.dev/registries", '"docker.io"'),
        ("pullkeeper.dev/registries", '"quay.io"'),
    ]


@pytest.mark.parametrize(
    "annotations",
    [{}, {"registries": str(EU)}, {"registries": "docker.io"}, {"refresh-requested-at": "1"}, {"enabled": "false"}],
)
def test_namespace_without_opt_in_requests_nothing(annotations: Mapping[str, str]) -> None:
    """Without `enabled`, or with "false"."""
    assert desired_state(annotations, DEFAULTS) is None


@given(
    st.dictionaries(
        st.text(max_size=12) | st.sampled_from(["registries", "refresh-requested-at"]), st.text(max_size=30)
    )
)
def test_opt_out_takes_precedence(others: dict[str, str]) -> None:
    """`enabled: "false"` opts out whatever the other annotations say, even if they are invalid."""
    assert desired_state({**others, "enabled": "false"}, ()) is None


def test_registries_default_to_the_settings() -> None:
    """A namespace that names none gets the settings' registries and the controller's identity."""
    assert desired_state(ON, (EU, US)) == wanted(EU, US, identity=CONTROLLER, refresh_requested_at=None)


@pytest.mark.parametrize("value", ["true", "false"])
def test_whether_pods_are_injected_does_not_change_the_secret(value: str) -> None:
    """The annotation is read by the API server."""
    assert desired_state({**ON, "inject": value}, (EU,)) == desired_state(ON, (EU,))


def test_missing_registries_are_a_problem() -> None:
    """Without a default a namespace must name at least one."""
    expected = problem("registries", "no annotation, and no default in the settings", f"at least one host: {FORM}")
    assert problems(ON, ()) == (expected,)


@pytest.mark.parametrize(
    ("separator", "padding"), list(itertools.product([",", "\n", ",\n", " , ", "\r\n", ",,"], ["", " ", "\n", ","]))
)
def test_registries_are_separated_by_commas_or_newlines(separator: str, padding: str) -> None:
    """Surrounding spaces and empty parts are ignored."""
    value = padding + separator.join(map(str, (US, EU, PUBLIC))) + padding
    found = desired_state({**ON, "registries": value}, ())
    assert found == wanted(*tuple(sorted((EU, US, PUBLIC))))


def test_of_one_registry_nothing_is_left_of_what_is_for_the_others() -> None:
    """A Secret of its own holds its token, for the same request of the same installation."""
    whole = replace(
        wanted(EU, US, refresh_requested_at="1", opted_in_by=OptIn.SETTINGS),
        service_accounts=ServiceAccountNames(names=frozenset({"a"})),
        installation_class="canary",
        refused={PUBLIC: "a"},
        left_out={PUBLIC: "b"},
    )
    alone = wanted(EU, refresh_requested_at="1", opted_in_by=OptIn.SETTINGS)
    assert whole.limited_to(EU) == replace(alone, installation_class="canary")
    assert whole.limited_to(PUBLIC) is None


@given(st.lists(st.sampled_from(HOSTS), min_size=1, max_size=MAX_REGISTRIES))
def test_order_and_repetition_of_registries_do_not_matter(hosts: list[RegistryHost]) -> None:
    """The same set of hosts is the same desired state."""
    found = desired_state({**ON, "registries": ",".join(map(str, hosts))}, ())
    assert found == wanted(*tuple(sorted(set(hosts))))


def hosts_of(count: int) -> str:
    return ",".join(f"{number:012}.dkr.ecr.eu-west-1.amazonaws.com" for number in range(count))


def test_maximum_number_of_registries() -> None:
    """As many as fit into a Secret."""
    found = desired_state({**ON, "registries": hosts_of(MAX_REGISTRIES)}, ())
    assert found is not None
    assert len(found.registries) == MAX_REGISTRIES


def test_too_many_registries_are_a_problem() -> None:
    """It is reported before any token is fetched."""
    found = problems({**ON, "registries": hosts_of(MAX_REGISTRIES + 1)})
    assert found == (problem("registries", "201 hosts", "at most 200, the number that fits into one Secret"),)


@pytest.mark.parametrize("value", ["1", "", "2026-03-01T12:00:00Z", "any text\nat all", "x" * 1024])
def test_refresh_request_may_be_any_text(value: str) -> None:
    """Each new value is a request."""
    found = desired_state({**ON, "refresh-requested-at": value}, DEFAULTS)
    assert found == wanted(*DEFAULTS, refresh_requested_at=value)


def test_only_annotations_with_our_prefix_count() -> None:
    """The prefix must match entirely, and is removed."""
    given_ = {
        "pullkeeper.dev/enabled": "true",
        "pullkeeper.dev/a/b": "x",
        "pullkeeper.dev": "x",
        "x.pullkeeper.dev/enabled": "x",
        "pullkeeper.device/enabled": "x",
    }
    assert own_annotations(given_) == ({"enabled": "true", "a/b": ""}, 1)


@pytest.mark.parametrize(("annotations", "is_requested"), [({}, False), (ON, True), ({"zone": "x"}, True)])
def test_any_annotation_of_ours_is_a_request(annotations: Mapping[str, str], *, is_requested: bool) -> None:
    """Even an unknown key, so that the mistake is reported."""
    assert ObservedNamespace(name="a", resource_version=1, annotations=annotations).is_requested is is_requested
