"""Whether a Secret is managed, and whether somebody has edited it, from its metadata."""

import copy
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from pullkeeper.domain.iam.identity import CONTROLLER
from pullkeeper.domain.secret.observed_secret import ObservedSecret, observe
from pullkeeper.domain.secret.secret_record import Target
from testsupport.examples import EU, NOW, PUBLIC, managed, published

HELD = published(EU, PUBLIC, refresh_requested_at="1")
ANNOTATIONS = HELD.annotations()
LABEL = "app.kubernetes.io/managed-by"

Metadata = dict[str, Any]


def applied_metadata() -> Metadata:
    """Return the metadata of a Secret after our apply."""
    fields = {
        "f:data": {"f:.dockerconfigjson": {}},
        "f:metadata": {
            "f:annotations": {f"f:{key}": {} for key in ANNOTATIONS},
            "f:labels": {f"f:{LABEL}": {}},
        },
        "f:type": {},
    }
    our_fields = {
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
        "managedFields": [our_fields],
    }


def entry_of(manager: str, fields: Metadata) -> Metadata:
    return {"manager": manager, "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": fields}


def our_fields(metadata: Metadata) -> Metadata:
    found: Metadata = metadata["managedFields"][0]["fieldsV1"]
    return found


def data_taken_over(metadata: Metadata) -> None:
    del our_fields(metadata)["f:data"]
    metadata["managedFields"].append(entry_of("kubectl-edit", {"f:data": {"f:.dockerconfigjson": {}}}))


def data_emptied(metadata: Metadata) -> None:
    our_fields(metadata)["f:data"] = {}


def type_taken_over(metadata: Metadata) -> None:
    del our_fields(metadata)["f:type"]


def label_taken_over(metadata: Metadata) -> None:
    del our_fields(metadata)["f:metadata"]["f:labels"]
    metadata["managedFields"].append(entry_of("kubectl-label", {"f:metadata": {"f:labels": {f"f:{LABEL}": {}}}}))


def annotation_taken_over(metadata: Metadata) -> None:
    del our_fields(metadata)["f:metadata"]["f:annotations"]["f:pullkeeper.dev/tokens"]


def answered_request_taken_over(metadata: Metadata) -> None:
    del our_fields(metadata)["f:metadata"]["f:annotations"]["f:pullkeeper.dev/refresh-requested-at"]


def headline_removed(metadata: Metadata) -> None:
    del metadata["annotations"]["pullkeeper.dev/expires-at"]
    del our_fields(metadata)["f:metadata"]["f:annotations"]["f:pullkeeper.dev/expires-at"]


def all_metadata_taken_over(metadata: Metadata) -> None:
    del our_fields(metadata)["f:metadata"]


def no_managed_fields(metadata: Metadata) -> None:
    del metadata["managedFields"]


def untimed(metadata: Metadata) -> None:
    del metadata["managedFields"][0]["time"]


def null_time(metadata: Metadata) -> None:
    metadata["managedFields"][0]["time"] = None


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


def test_applied_secret_is_intact() -> None:
    """As long as each of our fields belongs to us, nobody has changed one."""
    assert observe(applied_metadata()) == managed(HELD)


@pytest.mark.parametrize("edit", EDITS)
def test_field_of_another_manager_was_edited(edit: Callable[[Metadata], None]) -> None:
    """Server-side apply gives a field to whoever changes it; missing managedFields count as edited."""
    metadata = applied_metadata()
    edit(metadata)
    found = observe(metadata)
    assert found.managed
    assert not found.intact
    assert found.record == HELD


def test_additions_of_others_are_ignored() -> None:
    """Another label, annotation or data key does not matter, whatever the order of managedFields."""
    metadata = applied_metadata()
    theirs = {"f:metadata": {"f:labels": {"f:team": {}}, "f:annotations": {"f:note": {}}}, "f:data": {"f:x": {}}}
    metadata["labels"]["team"] = "a"
    metadata["annotations"]["note"] = "x"
    metadata["managedFields"].insert(0, entry_of("kubectl-edit", theirs))
    metadata["managedFields"].append(entry_of("pullkeeper", {"f:immutable": {}}))
    assert observe(metadata) == managed(HELD)


@pytest.mark.parametrize("value", [None, "", "Helm", "Pullkeeper", "pullkeeper2"])
def test_secret_without_our_label_is_not_managed(value: str | None) -> None:
    """Our annotations and fields do not count without the label."""
    metadata = applied_metadata() | {"labels": {} if value is None else {LABEL: value}}
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
def test_labelled_secret_was_not_written_by_us(entries: list[Metadata], *, written: bool) -> None:
    """The label allows us to write it; managedFields tell whether we ever have."""
    found = observe(applied_metadata() | {"managedFields": entries, "annotations": {}})
    assert (found.managed, found.written) == (True, written)


def test_secret_restored_from_a_backup_was_written_by_us() -> None:
    """A restore loses managedFields; our record is proof enough, and the Secret is not intact until it is rewritten."""
    found = observe(applied_metadata() | {"managedFields": [entry_of("velero-server", {"f:data": {}})]})
    assert (found.managed, found.written, found.intact) == (True, True, False)


@pytest.mark.parametrize("missing", [("labels",), ("annotations",), ("labels", "annotations", "managedFields")])
@pytest.mark.parametrize("null", [True, False])
def test_missing_and_null_maps_are_empty(missing: tuple[str, ...], *, null: bool) -> None:
    """An API server omits what is empty."""
    metadata = {key: value for key, value in applied_metadata().items() if key not in missing}
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
def test_corrupt_annotations_leave_the_secret_managed(tokens: str) -> None:
    """It will be repaired, and its target is still known."""
    metadata = copy.deepcopy(applied_metadata())
    metadata["annotations"] |= {"pullkeeper.dev/tokens": tokens, "pullkeeper.dev/registries": str(EU)}
    purpose = Target(identities=dict.fromkeys((EU,), CONTROLLER.name))
    assert observe(metadata) == managed(None, intact=False, purpose=purpose)


def test_record_from_the_future_is_none() -> None:
    """Its times were forged, or written by a wrong clock: the Secret is repaired as if nobody knew what it holds."""
    secret = managed(published(EU))
    assert secret.as_of(NOW) is secret
    assert secret.as_of(NOW - timedelta(minutes=4)) is secret
    earlier = secret.as_of(NOW - timedelta(minutes=6))
    assert (earlier.record, earlier.intact, earlier.target) == (None, False, secret.target)
    unreadable = managed(None, intact=False)
    assert unreadable.as_of(NOW) is unreadable


LATER, EARLIER = "2026-03-01T12:30:00Z", "2026-03-01T11:30:00Z"
SAME = "2026-03-01T12:00:00Z"
DATA: Metadata = {"f:data": {"f:.dockerconfigjson": {}}}
LABELLED: Metadata = {"f:metadata": {"f:labels": {f"f:{LABEL}": {}}}}
ANNOTATED: Metadata = {"f:metadata": {"f:annotations": {"f:pullkeeper.dev/tokens": {}}}}
UNRELATED: Metadata = {"f:metadata": {"f:labels": {"f:team": {}}}}


@pytest.mark.parametrize(
    ("fields", "time", "writer"),
    [
        (DATA, LATER, "argocd"),
        (LABELLED, LATER, "argocd"),
        (ANNOTATED, LATER, "argocd"),
        (DATA, SAME, "argocd"),
        (DATA, EARLIER, "pullkeeper"),
        (UNRELATED, LATER, "pullkeeper"),
    ],
)
def test_writer_is_who_changed_last_what_we_apply(fields: Metadata, time: str, writer: str) -> None:
    """Times have whole seconds: of two within one it is the other one, since we know of our own writes."""
    metadata = applied_metadata()
    metadata["managedFields"].append({**entry_of("argocd", fields), "time": time})
    assert observe(metadata).writer == writer


def test_writer_of_a_secret_that_holds_nothing_of_ours_is_whoever_changed_it() -> None:
    """Such as somebody who has taken everything off; a hint at least."""
    metadata = {**applied_metadata(), "managedFields": [{**entry_of("argocd", UNRELATED), "time": LATER}]}
    assert observe(metadata).writer == "argocd"
    assert observe({**metadata, "managedFields": None}).writer == ""


def test_writer_is_escaped_and_bounded() -> None:
    """Anybody may use any name."""
    metadata = applied_metadata()
    metadata["managedFields"].append({**entry_of("a\x1b[2J" * 1000, DATA), "time": LATER})
    writer = observe(metadata).writer
    assert writer.isprintable()
    assert len(writer) == 100


def test_the_installation_that_applied_it_is_a_hint() -> None:
    """Escaped, of limited length, not part of what is compared; a Secret that is not ours names none."""
    metadata = applied_metadata()
    plain = observe(metadata)
    metadata["annotations"]["pullkeeper.dev/written-by"] = "system/pullkeeper"
    found = observe(metadata)
    assert (found.written_by, found.written_at) == ("system/pullkeeper", "2026-03-01T12:00:00Z")
    assert (plain.written_by, plain == found, found.intact) == ("", True, True)
    assert found.writer == "pullkeeper of system/pullkeeper"
    metadata["annotations"]["pullkeeper.dev/written-by"] = "\x1b[31m" + "x" * 100_000
    hostile = observe(metadata).written_by
    assert (hostile[:8], len(hostile)) == ("\\x1b[31m", 317)
    metadata["labels"] = {}
    assert observe(metadata).written_by == ""


@pytest.mark.parametrize(("by_us", "expected"), [(True, "canary"), (False, "")])
def test_a_class_counts_only_if_we_wrote_it(*, by_us: bool, expected: str) -> None:
    """Somebody else's would stay when ours is taken away."""
    metadata = applied_metadata()
    metadata["annotations"]["pullkeeper.dev/class"] = "canary"
    if by_us:
        our_fields(metadata)["f:metadata"]["f:annotations"]["f:pullkeeper.dev/class"] = {}
    assert observe(metadata).installation_class == expected
    assert observe({**metadata, "labels": {}}).installation_class is None


def test_an_invalid_class_that_we_wrote_is_the_default() -> None:
    """Another version may have taken it for one."""
    metadata = applied_metadata()
    metadata["annotations"]["pullkeeper.dev/class"] = "-"
    our_fields(metadata)["f:metadata"]["f:annotations"]["f:pullkeeper.dev/class"] = {}
    found = observe(metadata)
    assert found.record is not None
    assert (found.installation_class, found.record.installation_class) == ("", "")


def test_what_secrets_that_say_the_same_are_for_is_in_memory_once() -> None:
    """Ten thousand namespaces with one token need one mapping of registries."""
    targets = [observe({**applied_metadata(), "namespace": name}).target for name in ("a", "b")]
    assert targets[0] is not None
    assert targets[1] is not None
    assert targets[0].identities is targets[1].identities


@pytest.mark.parametrize("edit", [untimed, null_time, no_managed_fields])
def test_without_a_time_nothing_says_when_it_was_applied(edit: Callable[[Metadata], None]) -> None:
    """It is a hint, and may be missing."""
    metadata = applied_metadata()
    edit(metadata)
    assert observe(metadata).written_at == ""
