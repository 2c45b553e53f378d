"""Namespaces that ask for the same hold one copy of it, and what a tenant writes at length is not remembered."""

from typing import Any

import pytest

from pullkeeper.domain.config.policy import Policy
from pullkeeper.domain.namespace.namespace import NAME_LABEL, PREFIX, observe_namespace, share_annotations
from pullkeeper.domain.secret.desired_state import desired_state, share_desired

IRELAND = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"


def _metadata(name: str, labels: dict[str, str] | None = None, **own: str) -> dict[str, Any]:
    annotations = {f"{PREFIX}{key}": value for key, value in own.items()}
    return {"name": name, "resourceVersion": "1", "annotations": annotations, "labels": labels or {}}


def test_the_same_annotations_are_one_object() -> None:
    """However often they arrive."""
    one = observe_namespace(_metadata("one", enabled="true", registries=IRELAND))
    other = observe_namespace(_metadata("other", enabled="true", registries=IRELAND))
    assert one.annotations == {"enabled": "true", "registries": IRELAND}
    assert one.annotations is other.annotations


def test_annotations_of_1024_characters_are_remembered() -> None:
    """Keys included; longer ones are not."""
    for characters, shared in ((1024, True), (1025, False)):
        own: dict[str, Any] = {"registries": "x" * (characters - len("registries"))}
        one, other = (observe_namespace(_metadata(name, **own)) for name in ("one", "other"))
        assert (one.annotations == other.annotations == own, one.annotations is other.annotations) == (True, shared)


def test_long_annotations_are_not_remembered() -> None:
    """They are read all the same."""
    share_annotations.cache_clear()
    hosts = ",".join([IRELAND] * 100)
    assert observe_namespace(_metadata("one", registries=hosts)).annotations == {"registries": hosts}
    assert share_annotations.cache_info().currsize == 0


def test_few_annotations_are_remembered() -> None:
    """Whoever writes others again and again pushes out others of the same kind, and nothing grows."""
    for number in range(2000):
        observe_namespace(_metadata("one", enabled=str(number)))
    assert share_annotations.cache_info().currsize == 512


def test_the_label_that_repeats_the_name_takes_no_memory() -> None:
    """The text is that of the name; a label that says something else is kept as it is."""
    team = "a"
    labels = {"team": team, NAME_LABEL: f"team-{team}"}
    found = observe_namespace(_metadata("team-a", labels))
    assert found.labels == labels
    assert found.labels[NAME_LABEL] is found.name
    assert observe_namespace(_metadata("team-b", labels)).labels == labels


def test_the_same_desired_state_is_one_object() -> None:
    """One that also asks for a refresh is its own."""
    asked = [
        desired_state(observe_namespace(_metadata(name, enabled="true", registries=IRELAND)), Policy())
        for name in ("one", "other")
    ]
    assert asked[0] is not None
    assert asked[0] is asked[1]
    asked_for: dict[str, Any] = {"enabled": "true", "registries": IRELAND, "refresh-requested-at": "now"}
    refreshed = desired_state(observe_namespace(_metadata("third", **asked_for)), Policy())
    assert refreshed is not None
    assert refreshed is not asked[0]
    assert refreshed.refresh_requested_at == "now"


@pytest.mark.parametrize(("count", "remembered"), [(16, 1), (17, 0)])
def test_a_desired_state_of_many_registries_is_not_remembered(count: int, remembered: int) -> None:
    """A tenant may name a hundred."""
    share_desired.cache_clear()
    hosts = ",".join(IRELAND.replace("123456789012", f"{number:012}") for number in range(count))
    asked_for = desired_state(observe_namespace(_metadata("one", enabled="true", registries=hosts)), Policy())
    assert asked_for is not None
    assert len(asked_for.registries) == count
    assert share_desired.cache_info().currsize == remembered
