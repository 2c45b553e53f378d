"""What a Secret's metadata tells: whose it is, and whether anybody has changed it."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from pullkeeper.domain.iam.identity import CONTROLLER
from pullkeeper.domain.secret.observed_secret import ObservedSecret, observe
from pullkeeper.domain.secret.pull_secret import Target
from testsupport.examples import EU, PUBLIC, managed, published

HELD = published(EU, PUBLIC, refresh_requested_at="1")
ANNOTATIONS = HELD.annotations()
LABEL = "app.kubernetes.io/managed-by"

Metadata = dict[str, Any]


def applied() -> Metadata:
    """Give the metadata as an API server gives it after our apply."""
    fields = {
        "f:data": {"f:.dockerconfigjson": {}},
        "f:metadata": {
            "f:annotations": {f"f:{key}": {} for key in ANNOTATIONS},
            "f:labels": {f"f:{LABEL}": {}},
        },
        "f:type": {},
    }
    ours = {
        "manager": "pullkeeper",
        "operation": "Apply",
        "apiVersion": "v1",
        "time": "2026-03-01T12:00:00Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }
    return {
        "name": "ecr-pull-secret",
        "namespace": "team-a",
        "uid": "uid-1",
        "resourceVersion": "7",
        "labels": {LABEL: "pullkeeper"},
        "annotations": dict(ANNOTATIONS),
        "managedFields": [ours],
    }


def entry_of(manager: str, fields: Metadata) -> Metadata:
    return {"manager": manager, "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": fields}


def ours(metadata: Metadata) -> Metadata:
    found: Metadata = metadata["managedFields"][0]["fieldsV1"]
    return found


def data_taken_over(metadata: Metadata) -> None:
    del ours(metadata)["f:data"]
    metadata["managedFields"].append(entry_of("kubectl-edit", {"f:data": {"f:.dockerconfigjson": {}}}))


def data_emptied(metadata: Metadata) -> None:
    ours(metadata)["f:data"] = {}


def type_taken_over(metadata: Metadata) -> None:
    del ours(metadata)["f:type"]


def label_taken_over(metadata: Metadata) -> None:
    del ours(metadata)["f:metadata"]["f:labels"]
    metadata["managedFields"].append(entry_of("kubectl-label", {"f:metadata": {"f:labels": {f"f:{LABEL}": {}}}}))


def annotation_taken_over(metadata: Metadata) -> None:
    del ours(metadata)["f:metadata"]["f:annotations"]["f:pullkeeper.dev/tokens"]


def answered_request_taken_over(metadata: Metadata) -> None:
    del ours(metadata)["f:metadata"]["f:annotations"]["f:pullkeeper.dev/refresh-requested-at"]


def headline_removed(metadata: Metadata) -> None:
    del metadata["annotations"]["pullkeeper.dev/expires-at"]
    del ours(metadata)["f:metadata"]["f:annotations"]["f:pullkeeper.dev/expires-at"]


def all_metadata_taken_over(metadata: Metadata) -> None:
    del ours(metadata)["f:metadata"]


def no_managed_fields(metadata: Metadata) -> None:
    del metadata["managedFields"]


def null_managed_fields(metadata: Metadata) -> None:
    metadata["managedFields"] = None


def empty_managed_fields(metadata: Metadata) -> None:
    metadata["managedFields"] = []


def fieldless_entry(metadata: Metadata) -> None:
    del metadata["managedFields"][0]["fieldsV1"]


def by_update(metadata: Metadata) -> None:
    metadata["managedFields"][0]["operation"] = "Update"


def by_somebody_else(metadata: Metadata) -> None:
    metadata["managedFields"][0]["manager"] = "argocd-controller"


EDITS = [
    data_taken_over,
    data_emptied,
    type_taken_over,
    label_taken_over,
    annotation_taken_over,
    answered_request_taken_over,
    headline_removed,
    all_metadata_taken_over,
    no_managed_fields,
    null_managed_fields,
    empty_managed_fields,
    fieldless_entry,
    by_update,
    by_somebody_else,
]


def test_what_we_applied_is_intact() -> None:
    """As long as each of our fields belongs to us, nobody has changed one."""
    assert observe(applied()) == managed(HELD)


@pytest.mark.parametrize("edit", EDITS)
def test_a_field_that_changed_hands_has_been_edited(edit: Callable[[Metadata], None]) -> None:
    """Whoever changes a field takes it over, or the bookkeeping does not say so: then it is put right."""
    metadata = applied()
    edit(metadata)
    found = observe(metadata)
    assert found.managed
    assert not found.intact
    assert found.record == HELD


def test_what_others_add_beside_ours_is_theirs() -> None:
    """Another label, annotation or data key is none of our business, whoever stands first in the bookkeeping."""
    metadata = applied()
    theirs = {"f:metadata": {"f:labels": {"f:team": {}}, "f:annotations": {"f:note": {}}}, "f:data": {"f:x": {}}}
    metadata["labels"]["team"] = "a"
    metadata["annotations"]["note"] = "x"
    metadata["managedFields"].insert(0, entry_of("kubectl-edit", theirs))
    metadata["managedFields"].append(entry_of("pullkeeper", {"f:immutable": {}}))
    assert observe(metadata) == managed(HELD)


@pytest.mark.parametrize("value", [None, "", "Helm", "Pullkeeper", "pullkeeper2"])
def test_without_our_label_it_is_not_ours(value: str | None) -> None:
    """Only the label makes it ours: without it, our own annotations and fields mean nothing."""
    metadata = applied() | {"labels": {} if value is None else {LABEL: value}}
    assert observe(metadata) == ObservedSecret(
        namespace="team-a", uid="uid-1", resource_version=7, managed=False, intact=False
    )


@pytest.mark.parametrize(
    ("entries", "written"),
    [
        ([], False),
        ([entry_of("kubectl-create", {"f:data": {}}), entry_of("kubectl-label", {"f:metadata": {}})], False),
        ([entry_of("pullkeeper", {"f:data": {}})], False),
        ([entry_of("kubectl-label", {"f:metadata": {}}), {"manager": "pullkeeper", "operation": "Apply"}], True),
    ],
)
def test_what_was_merely_labelled_has_not_been_written_by_us(entries: list[Metadata], *, written: bool) -> None:
    """The label makes it ours to write; whether we ever have is told by the API server's own bookkeeping."""
    found = observe(applied() | {"managedFields": entries})
    assert (found.managed, found.written) == (True, written)


@pytest.mark.parametrize("missing", [("labels",), ("annotations",), ("labels", "annotations", "managedFields")])
@pytest.mark.parametrize("null", [True, False])
def test_absent_and_null_maps_are_empty(missing: tuple[str, ...], *, null: bool) -> None:
    """An API server leaves out what is empty."""
    metadata = {key: value for key, value in applied().items() if key not in missing}
    metadata |= dict.fromkeys(missing) if null else {}
    found = observe(metadata)
    assert found.managed is ("labels" not in missing)
    assert (found.intact, found.record, found.target) == (False, None, None)


@pytest.mark.parametrize(
    "tokens",
    [
        "rubbish",
        "[" * 100_000,
        json.dumps(
            {"eu-west-1": {"issued-at": "0001-01-01T00:00:00+23:00", "expires-at": "0001-01-01T01:00:00+23:00"}}
        ),
        json.dumps(
            {"eu-west-1": {"issued-at": "9999-12-31T23:59:59-23:00", "expires-at": "9999-12-31T23:59:59-23:00"}}
        ),
    ],
)
def test_annotations_that_cannot_be_read_leave_it_ours(tokens: str) -> None:
    """It is to be put right, what it is for is still known, and nobody else is harmed."""
    metadata = copy.deepcopy(applied())
    metadata["annotations"] |= {"pullkeeper.dev/tokens": tokens, "pullkeeper.dev/registries": str(EU)}
    purpose = Target(registries=(EU,), identity=CONTROLLER)
    assert observe(metadata) == managed(None, intact=False, purpose=purpose)
