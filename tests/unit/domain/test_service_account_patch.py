"""One ServiceAccount: which patch brings it to what is wanted, and that it harms nobody's entries."""

import copy
import json
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullkeeper.domain.secret.service_account_patch import MARK, AttachmentOutcome, observe_service_account, plan_patch
from testsupport.fake_kube.patches import json_patch

OURS, OLD = "ecr-pull-secret", "old-name"
Account = dict[str, Any]


def account(
    *entries: str | None, mark: str | None = None, annotations: dict[str, str] | None = None, **metadata: object
) -> Account:
    """Make a ServiceAccount; without entries, or without annotations, it has no such field, as in Kubernetes."""
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


def settled(found: Account, *, wanted: bool = True, exists: bool = True) -> tuple[AttachmentOutcome | None, Account]:
    """Decide and patch, as the API server would: empty fields vanish."""
    change = plan_patch(observe_service_account(found, OURS), OURS, wanted=wanted, exists=exists)
    if change is None:
        return None, found
    patched = json_patch(copy.deepcopy(found), [dict(operation) for operation in change.operations])
    if not patched["metadata"].get("annotations"):
        patched["metadata"].pop("annotations", None)
    if not patched.get("imagePullSecrets"):
        patched.pop("imagePullSecrets", None)
    return change.outcome, patched


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
def test_a_wanted_account_names_the_pull_secret(
    before: Account, outcome: AttachmentOutcome | None, after: Account
) -> None:
    """Our entry comes last, with the mark, in place of one of an earlier name; somebody else's will do as well."""
    assert settled(before) == (outcome, after)


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
def test_an_account_that_is_not_wanted_keeps_what_others_put_there(
    before: Account,
    outcome: AttachmentOutcome | None,
    after: Account,
    exists: bool,  # noqa: FBT001 -- a table's column
) -> None:
    """Just the entry that the mark names goes, with the mark; an entry without a mark is somebody else's."""
    assert settled(before, wanted=False, exists=exists) == (outcome, after)


@pytest.mark.parametrize("mark", [None, OURS, OLD])
@pytest.mark.parametrize("entries", [(), ("a",), (OURS,), (OLD,)])
def test_an_account_waits_for_the_pull_secret(entries: Sequence[str], mark: str | None) -> None:
    """While there is no pull Secret nothing is attached, and what is attached stays for the one that will come."""
    before = account(*entries, mark=mark)
    assert settled(before, exists=False) == (None, before)


@pytest.mark.parametrize("wanted", [True, False])
@pytest.mark.parametrize("entries", [(), (OURS,)])
def test_an_account_on_its_way_out_is_left_alone(entries: Sequence[str], wanted: bool) -> None:  # noqa: FBT001 -- a table's column
    """A finalizer of others may hold it; nothing is written to it any more."""
    before = account(*entries, mark=OURS, deletionTimestamp="2026-01-01T00:00:00Z")
    assert settled(before, wanted=wanted) == (None, before)


@pytest.mark.parametrize("wanted", [True, False])
def test_every_patch_holds_for_just_the_observed_version(wanted: bool) -> None:  # noqa: FBT001 -- a table's column
    """The first operation is a test of the resourceVersion: whatever came in between makes all of it fail."""
    change = plan_patch(observe_service_account(account("a", mark=OURS), OURS), OURS, wanted=wanted, exists=True)
    assert change is not None
    assert change.operations[0] == {"op": "test", "path": "/metadata/resourceVersion", "value": "7"}


@pytest.mark.parametrize("empty", [{"imagePullSecrets": None}, {"imagePullSecrets": []}, {}])
def test_a_list_may_be_absent_or_empty(empty: Account) -> None:
    """Go writes an empty list as null, or not at all."""
    outcome, patched = settled(account() | empty)
    assert (outcome, names(patched)) == (AttachmentOutcome.ATTACHED, [OURS])


def test_annotations_may_be_null() -> None:
    """As an empty list may."""
    _, patched = settled(account(annotations=None) | {"metadata": {**account()["metadata"], "annotations": None}})
    assert patched["metadata"]["annotations"] == {MARK: OURS}


class Cluster:
    """A ServiceAccount with its version, what others believe to have put there, and what we know of it."""

    def __init__(self, found: Account) -> None:
        self.found = found
        self.seen = copy.deepcopy(found)
        self.theirs = names(found)

    def others(self, theirs: Iterable[str | None]) -> None:
        """Somebody else puts just these entries there, leaving ours where it was put."""
        self.theirs = list(theirs)
        ours = [OURS] if mark_of(self.found) and OURS in names(self.found) else []
        self._write([*self.theirs, *ours])

    def take_ours_away(self) -> None:
        if mark_of(self.found):
            self._write(self.theirs)

    def observe(self) -> None:
        self.seen = copy.deepcopy(self.found)

    def reconcile(self, *, wanted: bool) -> None:
        change = plan_patch(observe_service_account(self.seen, OURS), OURS, wanted=wanted, exists=True)
        version = str(self.found["metadata"]["resourceVersion"])
        if change is None or change.operations[0]["value"] != version:
            return
        patched = json_patch(copy.deepcopy(self.found), [dict(operation) for operation in change.operations])
        self.found = patched
        self._bump()

    def _write(self, entries: Iterable[str | None]) -> None:
        self.found["imagePullSecrets"] = [entry_of(name) for name in entries]
        self._bump()

    def _bump(self) -> None:
        self.found["metadata"]["resourceVersion"] = str(int(self.found["metadata"]["resourceVersion"]) + 1)


entries = st.lists(st.none() | st.sampled_from(["a", "b", "c", OLD]) | st.text(max_size=3), max_size=5)
steps = st.one_of(
    st.tuples(st.just("others"), entries),
    st.sampled_from([("take",), ("observe",), ("want",), ("drop",)]),
)


@given(entries, st.lists(steps, max_size=30))
def test_others_entries_survive_whatever_happens_in_between(
    before: list[str | None], happenings: list[tuple[Any, ...]]
) -> None:
    """Attached and detached on old and new observations, between others' edits: theirs stay byte for byte, in order."""
    cluster = Cluster(account(*before, annotations={"x": "y"}))
    for kind, *rest in happenings:
        match kind:
            case "others":
                cluster.others(*rest)
            case "take":
                cluster.take_ours_away()
            case "observe":
                cluster.observe()
            case _:
                cluster.reconcile(wanted=kind == "want")
        left = [name for name in names(cluster.found) if name != OURS]
        assert left == cluster.theirs
        assert names(cluster.found).count(OURS) <= 1
    cluster.observe()
    cluster.reconcile(wanted=False)
    after = json.dumps(cluster.found.get("imagePullSecrets") or [])
    assert after == json.dumps([entry_of(name) for name in cluster.theirs])
    assert cluster.found["metadata"]["annotations"] == {"x": "y"}


@given(entries, entries)
def test_an_entry_of_our_name_that_others_put_there_stays(front: list[str | None], back: list[str | None]) -> None:
    """Without a mark it is theirs: wanted or not, nothing is written."""
    before = account(*front, OURS, *back)
    assert settled(before) == settled(before, wanted=False) == (None, before)


@given(entries, st.sampled_from([None, OURS, OLD]), st.booleans(), st.booleans())
def test_one_patch_settles_it(listed: list[str | None], mark: str | None, has_ours: bool, wanted: bool) -> None:  # noqa: FBT001 -- drawn
    """After a patch there is nothing left to do, so a crash before or after it is all that can happen."""
    _, after = settled(account(*listed, *([OURS] if has_ours else []), mark=mark), wanted=wanted)
    assert settled(after, wanted=wanted) == (None, after)
    assert (OURS in names(after)) >= wanted
    assert mark_of(after) in ({None, OURS} if wanted else {None})
