"""Writes that somebody keeps undoing: when the next repair may be made, and when the fight is over."""

from dataclasses import replace
from datetime import timedelta

import pytest

from pullkeeper.domain.errors.failures import Reason
from pullkeeper.domain.iam.identity import CONTROLLER
from pullkeeper.domain.secret.plan import Apply, Cause, Delete, NoOp, Step
from pullkeeper.domain.secret.repairs import FORGOTTEN_AFTER, LONGEST_PAUSE, Repairs, writer_hint
from pullkeeper.domain.secret.undone_writes import UndoneWrites
from testsupport.examples import EU, NOW, US, managed, published, wanted

WANTED = wanted(EU, identity=CONTROLLER)
OURS = managed(published(EU))
THEIRS = replace(OURS, resource_version=OURS.resource_version + 1, intact=False, writer="argocd")
CREATE = Apply(cause=Cause.CREATED, desired=WANTED)
REPAIR = Apply(cause=Cause.REPAIRED, desired=WANTED, secret=THEIRS)
BEGUN = UndoneWrites().after(CREATE, OURS, NOW)


def fought(times: int, step: Apply | Delete = REPAIR, begun: UndoneWrites = BEGUN) -> UndoneWrites:
    """Return what is known after so many repairs within a moment."""
    for _ in range(times):
        begun = begun.after(step, None if isinstance(step, Delete) else OURS, NOW)
    return begun


@pytest.mark.parametrize(
    ("times", "seconds"), [(0, 0), (1, 0), (2, 0), (3, 2), (4, 4), (5, 8), (7, 32), (8, 60), (500, 60)]
)
def test_repairs_slow_down_to_one_a_minute(times: int, seconds: int) -> None:
    """The first ones are made at once, for people and for tools that change something now and then."""
    at = fought(times).resume_at(REPAIR, NOW)
    assert at == (NOW + timedelta(seconds=seconds) if seconds else None)
    assert at is None or fought(times).resume_at(REPAIR, at) is None


REPEATED: dict[str, tuple[Step, bool]] = {
    "changed": (REPAIR, True),
    "deleted": (CREATE, True),
    "other content under our own name": (replace(REPAIR, cause=Cause.CHANGED), True),
    "as we left it": (replace(REPAIR, cause=Cause.CHANGED, secret=OURS), False),
    "another request": (replace(REPAIR, desired=wanted(US)), False),
    "a rotation": (replace(REPAIR, cause=Cause.ROTATED), False),
    "a refresh": (replace(REPAIR, cause=Cause.REFRESHED), False),
    "an opt-out": (Delete(secret=OURS), False),
    "nothing": (NoOp(), False),
}


@pytest.mark.parametrize("case", REPEATED)
def test_only_the_same_once_more_is_slowed_down(case: str) -> None:
    """What the owner asks for, and rotations, are done at once however long the fight goes on."""
    step, undone = REPEATED[case]
    assert fought(0).undoes(step) is undone
    assert bool(fought(9).resume_at(step, NOW)) is undone


def test_a_deletion_that_is_undone_slows_down_as_well() -> None:
    """Another installation that wants the Secret, where this one does not."""
    delete = Delete(secret=OURS)
    gone = UndoneWrites().after(delete, None, NOW)
    assert not UndoneWrites().undoes(delete)
    assert gone.undoes(delete)
    assert fought(3, delete, gone).resume_at(delete, NOW) == NOW + timedelta(seconds=2)
    assert not gone.undoes(CREATE)


def test_a_fight_is_forgotten_after_a_while() -> None:
    """Nobody has undone anything since; then repairs are made at once again."""
    undone = fought(9)
    later = NOW + FORGOTTEN_AFTER
    assert undone.repairs.forgotten_at == later
    assert Repairs().forgotten_at is None
    assert undone.repairs.is_contested(later - timedelta(seconds=1))
    assert not undone.repairs.is_contested(later)
    assert undone.resume_at(REPAIR, later) is None
    assert undone.after(REPAIR, OURS, later).repairs.count == 1


def test_a_clock_that_was_set_back_makes_no_longer_pause() -> None:
    """The pause would end hours from now."""
    assert fought(9).resume_at(REPAIR, NOW - 2 * LONGEST_PAUSE) is None


def test_the_failure_names_who_does_it_without_being_another_one() -> None:
    """Two tools that take turns are one fight."""
    undone = fought(3)
    failure = undone.failure("team-a", "the pull Secret")
    assert failure.reason is Reason.WRITES_REVERTED
    assert failure.message == (
        "namespace/team-a: somebody keeps undoing what is written to the pull Secret, so repairs wait up to a minute: "
        "stop the tool that does, or opt the namespace out"
    )
    assert failure.detail == "last changed by the field manager argocd"
    assert failure == replace(undone, repairs=replace(undone.repairs, by="flux")).failure("team-a", "the pull Secret")
    assert undone.after(CREATE, OURS, NOW).repairs.by == "argocd"


SAME_NAME = ": is there another installation of Pullkeeper with the same secretName?"


@pytest.mark.parametrize(
    ("writer", "hint"),
    [
        ("argocd", "last changed by the field manager argocd"),
        ("pullkeeper", f"last changed by the field manager pullkeeper{SAME_NAME}"),
        ("pullkeeper of a/b", f"last changed by the field manager pullkeeper of a/b{SAME_NAME}"),
        ("", "managedFields do not tell who"),
    ],
)
def test_hint_says_who_as_far_as_is_known(writer: str, hint: str) -> None:
    """Our own field manager's name on a write that we did not make is another installation's, most likely."""
    assert writer_hint(writer) == hint
