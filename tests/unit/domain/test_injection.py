"""Which pods get the pull Secret when they are created."""

from collections.abc import Mapping

import pytest

from pullkeeper.domain.config.injection import Injection, injection, injects
from pullkeeper.domain.config.policy import Matcher, Policy
from pullkeeper.domain.namespace.annotations import MAX_LENGTHS
from pullkeeper.domain.namespace.namespace import PREFIX, ObservedNamespace, observe_namespace
from testsupport.examples import EU, PUBLIC, US

POLICY = Policy(
    registries=(EU,),
    opt_in=Matcher(names=("auto-*",)),
    opt_in_exclude=Matcher(names=("auto-x",)),
    excluded_namespaces=("kube-*",),
    pod_injection=True,
)
ON = {"enabled": "true"}
OWN, OTHER = f"{EU}/app:1", "docker.io/library/nginx"


def observed(annotations: Mapping[str, str], name: str = "team") -> ObservedNamespace:
    given = {f"{PREFIX}{key}": value for key, value in annotations.items()}
    return observe_namespace({"name": name, "resourceVersion": "1", "annotations": given})


@pytest.mark.parametrize(
    ("name", "annotations", "expected"),
    [
        ("team", ON, Injection.INJECTED),
        ("team", {"enabled": "yes"}, Injection.INJECTED),
        ("team", {**ON, "colour": "red", "inject": "no"}, Injection.INJECTED),
        ("team", {}, Injection.OPTED_OUT),
        ("team", {"registries": str(EU)}, Injection.OPTED_OUT),
        ("auto-1", {}, Injection.INJECTED),
        ("auto-1", {"enabled": "false"}, Injection.OPTED_OUT),
        ("auto-1", {"inject": "false"}, Injection.DECLINED),
        ("auto-x", {}, Injection.OPTED_OUT),
        ("auto-x", ON, Injection.INJECTED),
        ("kube-1", ON, Injection.EXCLUDED),
    ],
)
def test_what_is_opted_in_is_injected(name: str, annotations: Mapping[str, str], expected: Injection) -> None:
    """By the namespace or by the settings; a slip in an annotation opts nobody out."""
    namespace = observed(annotations, name)
    assert injection(namespace, POLICY) is expected
    assert injects(namespace, POLICY, [OWN]) == (expected is Injection.INJECTED)


def test_an_installation_without_the_policy_injects_nothing() -> None:
    """As on clusters before Kubernetes 1.36."""
    assert injection(observed(ON), Policy(registries=(EU,))) is Injection.OFF


@pytest.mark.parametrize("image", [OWN, f"{EU}/a/b@sha256:{'0' * 64}", f"{EU}/"])
def test_an_image_of_a_registry_begins_with_its_host_and_a_slash(image: str) -> None:
    """Whatever the other images of the pod are."""
    assert injects(observed(ON), POLICY, [OTHER, image])


@pytest.mark.parametrize(
    "image",
    [
        f"{EU}",
        f"{EU}:443/app",
        f"{EU}.evil.example/app",
        f"x{EU}/app",
        f"https://{EU}/app",
        f"docker.io/{EU}/app",
        str(EU).upper() + "/app",
        f"{US}/app",
        "nginx",
        "",
    ],
)
def test_other_images_need_no_secret(image: str) -> None:
    """The kubelet compares the host with its port, in its case."""
    assert not injects(observed(ON), POLICY, [OTHER, image])


@pytest.mark.parametrize(
    "value",
    [
        f"{US},{PUBLIC}",
        f" {US} ,\n,{PUBLIC}\n",
        "\n".join([f"{US},"] * 199 + [str(US)]),
        "," * 400 + str(US),
        str(US).ljust(MAX_LENGTHS["registries"]),
    ],
)
def test_the_annotation_replaces_the_registries_of_the_settings(value: str) -> None:
    """Separated and padded as the controller reads it, up to as many hosts as it takes."""
    namespace = observed({**ON, "registries": value})
    assert injects(namespace, POLICY, [f"{US}/app"])
    assert not injects(namespace, POLICY, [OWN])


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ,\n",
        f"https://{US}",
        f"{US},docker.io",
        ",".join([str(US)] * 201),
        "," * 401 + str(US),
        str(US).ljust(MAX_LENGTHS["registries"] + 1),
    ],
)
def test_where_the_registries_cannot_be_told_any_of_ecr_counts(value: str) -> None:
    """The pull Secret keeps its entries when the annotation becomes invalid, so new pods keep the Secret."""
    namespace = observed({**ON, "registries": value})
    assert [injects(namespace, POLICY, [image]) for image in (OWN, f"{US}/app", OTHER)] == [True, True, False]


def test_without_any_registry_any_of_ecr_counts() -> None:
    """The same where neither the namespace nor the settings name one."""
    policy = Policy(pod_injection=True)
    assert [injects(observed(ON), policy, [image]) for image in (OWN, OTHER)] == [True, False]
