"""The patch that attaches or detaches the pull Secret without changing the entries of others."""

import copy
import json
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullkeeper.domain.iam import principal
from pullkeeper.domain.iam.role_arn import ROLE_ANNOTATION
from pullkeeper.domain.secret.service_account_patch import (
    MARK,
    AttachmentOutcome,
    ObservedServiceAccount,
    observe_role,
    observe_service_account,
    plan_patch,
)
from testsupport.fake_kube.patches import json_patch

OURS, OLD = "ecr-pull-secret", "old-name"
Account = dict[str, Any]


def account(
    *entries: str | None, mark: str | None = None, annotations: dict[str, str] | None = None, **metadata: object
) -> Account:
    """Return a ServiceAccount; empty fields are omitted, as in Kubernetes."""
    written = {**(annotations or {}), **({} if mark is None else {MARK: mark})}
    found: Account = {
        "metadata": {
            "name": "builder",
            "namespace": "team-a",
            "uid": "uid-1",
            "resourceVersion": "7",
            **({"annotations": written} if written else {}),
            **metadata,
        }
    }
    return found | ({"imagePullSecrets": [entry_of(name) for name in entries]} if entries else {})


def entry_of(name: str | None) -> dict[str, str]:
    return {} if name is None else {"name": name}


def names(found: Account) -> list[str | None]:
    return [entry.get("name") for entry in found.get("imagePullSecrets") or ()]


def mark_of(found: Account) -> str | None:
    mark: str | None = (found["metadata"].get("annotations") or {}).get(MARK)
    return mark


def patched(found: Account, *, wanted: bool = True, exists: bool = True) -> tuple[AttachmentOutcome | None, Account]:
    """Plan and apply the patch as the API server would: empty fields are removed."""
    change = plan_patch(observe_service_account(found, OURS), OURS, wanted=wanted, exists=exists)
    if change is None:
        return None, found
    result = json_patch(copy.deepcopy(found), [dict(operation) for operation in change.operations])
    if not result["metadata"].get("annotations"):
        result["metadata"].pop("annotations", None)
    if not result.get("imagePullSecrets"):
        result.pop("imagePullSecrets", None)
    return change.outcome, result


@pytest.mark.parametrize(
    ("before", "outcome", "after"),
    [
        (account(), AttachmentOutcome.ATTACHED, account(OURS, mark=OURS)),
        (account("a", "b"), AttachmentOutcome.ATTACHED, account("a", "b", OURS, mark=OURS)),
        (account("a", None, "a"), AttachmentOutcome.ATTACHED, account("a", None, "a", OURS, mark=OURS)),
        (account(annotations={"x": "y"}), AttachmentOutcome.ATTACHED, account(OURS, mark=OURS, annotations={"x": "y"})),
        (account("a", mark=OURS), AttachmentOutcome.RESTORED, account("a", OURS, mark=OURS)),
        (account(mark=OURS), AttachmentOutcome.RESTORED, account(OURS, mark=OURS)),
        (account(OLD, "a", mark=OLD), AttachmentOutcome.RENAMED, account("a", OURS, mark=OURS)),
        (account(OLD, mark=OLD), AttachmentOutcome.RENAMED, account(OURS, mark=OURS)),
        (account("a", mark=OLD), AttachmentOutcome.RENAMED, account("a", OURS, mark=OURS)),
        (account("a", OLD, OURS, mark=OLD), AttachmentOutcome.DETACHED, account("a", OURS)),
        (account("a", OURS, mark=OLD), AttachmentOutcome.FORGOTTEN, account("a", OURS)),
        (account("a", OURS, mark=OURS), None, account("a", OURS, mark=OURS)),
        (account(OURS, "a"), None, account(OURS, "a")),
    ],
)
def test_attached_service_account_names_the_pull_secret(
    before: Account, outcome: AttachmentOutcome | None, after: Account
) -> None:
    """Our entry is appended with the mark, or replaces an earlier name; an entry of others is sufficient."""
    assert patched(before) == (outcome, after)


@pytest.mark.parametrize(
    ("before", "outcome", "after"),
    [
        (account(OURS, mark=OURS), AttachmentOutcome.DETACHED, account()),
        (account("a", OURS, "b", mark=OURS), AttachmentOutcome.DETACHED, account("a", "b")),
        (account(OURS, mark=OURS, annotations={"x": "y"}), AttachmentOutcome.DETACHED, account(annotations={"x": "y"})),
        (account("a", OLD, mark=OLD), AttachmentOutcome.DETACHED, account("a")),
        (account("a", OLD, OURS, mark=OLD), AttachmentOutcome.DETACHED, account("a", OURS)),
        (account(OURS, "a", OURS, mark=OURS), AttachmentOutcome.DETACHED, account("a", OURS)),
        (account("a", mark=OURS), AttachmentOutcome.FORGOTTEN, account("a")),
        (account("a", mark=OLD), AttachmentOutcome.FORGOTTEN, account("a")),
        (account("a", OURS), None, account("a", OURS)),
        (account("a"), None, account("a")),
        (account(), None, account()),
    ],
)
@pytest.mark.parametrize("exists", [True, False])
def test_detaching_keeps_the_entries_of_others(
    before: Account,
    outcome: AttachmentOutcome | None,
    after: Account,
    exists: bool,  # noqa: FBT001 -- a table's column
) -> None:
    """Only the entry that the mark names is removed, with the mark."""
    assert patched(before, wanted=False, exists=exists) == (outcome, after)


@pytest.mark.parametrize("mark", [None, OURS, OLD])
@pytest.mark.parametrize("entries", [(), ("a",), (OURS,), (OLD,)])
def test_nothing_changes_without_a_pull_secret(entries: Sequence[str], mark: str | None) -> None:
    """Nothing is attached, and what is attached stays."""
    before = account(*entries, mark=mark)
    assert patched(before, exists=False) == (None, before)


@pytest.mark.parametrize("wanted", [True, False])
@pytest.mark.parametrize("entries", [(), (OURS,)])
def test_terminating_service_account_is_left_alone(entries: Sequence[str], wanted: bool) -> None:  # noqa: FBT001 -- a table's column
    """Even if a finalizer of others holds it."""
    before = account(*entries, mark=OURS, deletionTimestamp="2026-01-01T00:00:00Z")
    assert patched(before, wanted=wanted) == (None, before)


@pytest.mark.parametrize("wanted", [True, False])
def test_patch_applies_only_to_the_observed_version(wanted: bool) -> None:  # noqa: FBT001 -- a table's column
    """Its first operation tests the resourceVersion, so any change in between makes it fail."""
    change = plan_patch(observe_service_account(account("a", mark=OURS), OURS), OURS, wanted=wanted, exists=True)
    assert change is not None
    assert change.operations[0] == {"op": "test", "path": "/metadata/resourceVersion", "value": "7"}


@pytest.mark.parametrize("empty", [{"imagePullSecrets": None}, {"imagePullSecrets": []}, {}])
def test_empty_list_may_be_missing_or_null(empty: Account) -> None:
    """Go encodes an empty list as null or omits it."""
    outcome, result = patched(account() | empty)
    assert (outcome, names(result)) == (AttachmentOutcome.ATTACHED, [OURS])


def test_annotations_may_be_null() -> None:
    """Like an empty list."""
    _, result = patched(account(annotations=None) | {"metadata": {**account()["metadata"], "annotations": None}})
    assert result["metadata"]["annotations"] == {MARK: OURS}


class Cluster:
    """A ServiceAccount with its version, the entries of others, and our last observation."""

    def __init__(self, found: Account) -> None:
        self.found = found
        self.seen = copy.deepcopy(found)
        self.theirs = names(found)

    def edit_others(self, theirs: Iterable[str | None]) -> None:
        """Replace the entries of others, keeping ours."""
        self.theirs = list(theirs)
        ours = [OURS] if mark_of(self.found) and OURS in names(self.found) else []
        self._write([*self.theirs, *ours])

    def remove_our_entry(self) -> None:
        if mark_of(self.found):
            self._write(self.theirs)

    def observe(self) -> None:
        self.seen = copy.deepcopy(self.found)

    def patch(self, *, wanted: bool) -> None:
        change = plan_patch(observe_service_account(self.seen, OURS), OURS, wanted=wanted, exists=True)
        version = str(self.found["metadata"]["resourceVersion"])
        if change is None or change.operations[0]["value"] != version:
            return
        result = json_patch(copy.deepcopy(self.found), [dict(operation) for operation in change.operations])
        self.found = result
        self._bump()

    def _write(self, entries: Iterable[str | None]) -> None:
        self.found["imagePullSecrets"] = [entry_of(name) for name in entries]
        self._bump()

    def _bump(self) -> None:
        self.found["metadata"]["resourceVersion"] = str(int(self.found["metadata"]["resourceVersion"]) + 1)


entries = st.lists(st.none() | st.sampled_from(["a", "b", "c", OLD]) | st.text(max_size=3), max_size=5)
steps = st.one_of(
    st.tuples(st.just("others"), entries),
    st.sampled_from([("take",), ("look",), ("want",), ("drop",)]),
)


@given(entries, st.lists(steps, max_size=30))
def test_entries_of_others_survive(before: list[str | None], actions: list[tuple[Any, ...]]) -> None:
    """Patches from current and stale observations, between the edits of others, keep their entries and order."""
    cluster = Cluster(account(*before, annotations={"x": "y"}))
    for kind, *rest in actions:
        match kind:
            case "others":
                cluster.edit_others(*rest)
            case "take":
                cluster.remove_our_entry()
            case "look":
                cluster.observe()
            case _:
                cluster.patch(wanted=kind == "want")
        left = [name for name in names(cluster.found) if name != OURS]
        assert left == cluster.theirs
        assert names(cluster.found).count(OURS) <= 1
    cluster.observe()
    cluster.patch(wanted=False)
    after = json.dumps(cluster.found.get("imagePullSecrets") or [])
    assert after == json.dumps([entry_of(name) for name in cluster.theirs])
    assert cluster.found["metadata"]["annotations"] == {"x": "y"}


@given(entries, entries)
def test_unmarked_entry_of_our_name_stays(front: list[str | None], back: list[str | None]) -> None:
    """Without the mark it is not ours: nothing is written."""
    before = account(*front, OURS, *back)
    assert patched(before) == patched(before, wanted=False) == (None, before)


@given(entries, st.sampled_from([None, OURS, OLD]), st.booleans(), st.booleans())
def test_one_patch_is_enough(listed: list[str | None], mark: str | None, has_ours: bool, wanted: bool) -> None:  # noqa: FBT001 -- drawn
    """Afterwards there is nothing left to do, so a crash before or after it is harmless."""
    _, after = patched(account(*listed, *([OURS] if has_ours else []), mark=mark), wanted=wanted)
    assert patched(after, wanted=wanted) == (None, after)
    assert (OURS in names(after)) >= wanted
    assert mark_of(after) in ({None, OURS} if wanted else {None})


@pytest.mark.parametrize(
    ("role", "principal"),
    [
        ("arn:aws:iam::123456789012:role/a/puller", "arn:aws:sts::123456789012:assumed-role/puller"),
        ("admin", "nobody"),
        ("", "nobody"),
        ("a" * 200_000, "nobody"),
        (None, "nobody"),
    ],
)
def test_principal_is_that_of_the_role_in_its_annotation(role: str | None, principal: str) -> None:
    """What is no role is nobody, so that it is noticed, and not kept."""
    written = {} if role is None else {"eks.amazonaws.com/role-arn": role}
    assert observe_service_account(account(annotations=written), OURS).principal == principal


def test_service_account_is_observed_with_whoever_changed_its_entries() -> None:
    """Whatever else others have changed since; our own name is that of no installation in particular."""
    found = account("a", OLD, OURS, mark=OLD, annotations={ROLE_ANNOTATION: "arn:aws:iam::111111111111:role/x"})
    expected = ObservedServiceAccount(
        namespace="team-a",
        name="builder",
        uid="uid-1",
        resource_version=7,
        entry_index=2,
        mark=OLD,
        marked_index=1,
        has_entries=True,
        has_annotations=True,
        principal="arn:aws:sts::111111111111:assumed-role/x",
    )
    assert observe_service_account(found, OURS) == expected
    for manager in ("argocd", "pullkeeper"):
        found["metadata"]["managedFields"] = [
            {"manager": manager, "time": "2026-03-01T12:00:00Z", "fieldsV1": {"f:imagePullSecrets": {}}},
            {"manager": "kubectl", "time": "2026-03-01T13:00:00Z", "fieldsV1": {"f:secrets": {}}},
        ]
        observed = observe_service_account(found, OURS)
        assert (observed, observed.writer) == (expected, manager)


@pytest.mark.parametrize(
    ("annotations", "behind"),
    [
        ({ROLE_ANNOTATION: "arn:aws:iam::111111111111:role/x"}, "arn:aws:sts::111111111111:assumed-role/x"),
        ({ROLE_ANNOTATION: "admin"}, principal.NOBODY),
        ({"note": "a"}, principal.NOBODY),
        (None, principal.NOBODY),
    ],
)
def test_role_is_observed_from_the_metadata_alone(annotations: dict[str, str] | None, behind: str) -> None:
    """As it is from the whole object; whatever else a tenant wrote there takes no memory."""
    found = account(mark="a" * 1000, annotations=annotations)
    role = observe_role(found["metadata"])
    assert role == ObservedServiceAccount(
        namespace="team-a", name="builder", uid="uid-1", resource_version=7, principal=behind
    )
    assert role.principal == observe_service_account(found, OURS).principal
    assert observe_role(account(annotations=annotations)["metadata"]) == role
