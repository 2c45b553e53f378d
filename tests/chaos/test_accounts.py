"""The judge of ServiceAccounts notices what is lost, what is too much, and what is not there in the end."""

from typing import Any

import pytest

from testsupport.chaos.accounts import THEIRS, AccountJudge

OURS = "ecr-pull-secret"


def account(namespace: str, *entries: str) -> dict[str, Any]:
    return {"metadata": {"namespace": namespace}, "imagePullSecrets": [{"name": entry} for entry in entries]}


@pytest.fixture
def judge() -> AccountJudge:
    """Know a namespace that asks for it, one that did, and one that never has."""
    judge = AccountJudge(ours=OURS)
    for name, attached in {"asks": True, "asked": True, "never": False}.items():
        judge.want(name, attached=attached)
    judge.want("asked", attached=False)
    return judge


def test_what_was_asked_for_breaks_nothing(judge: AccountJudge) -> None:
    """Ours may still be there, or not yet."""
    for namespace in ("asks", "asked"):
        judge.take("ADDED", account(namespace, THEIRS))
        judge.take("MODIFIED", account(namespace, THEIRS, OURS))
        judge.take("MODIFIED", account(namespace, OURS, THEIRS))
    judge.take("ADDED", account("never", THEIRS))
    assert (judge.broken, judge.versions) == ([], 7)


@pytest.mark.parametrize(
    ("namespace", "entries"),
    [
        ("asks", [OURS]),
        ("asks", []),
        ("asks", [THEIRS, OURS, OURS]),
        ("asks", [THEIRS, THEIRS]),
        ("asked", [THEIRS, "another"]),
        ("never", [THEIRS, OURS]),
    ],
)
def test_what_is_lost_or_too_much_is_noted(judge: AccountJudge, namespace: str, entries: list[str]) -> None:
    """At the version in which it is so."""
    judge.take("MODIFIED", account(namespace, *entries))
    assert len(judge.broken) == 1


def test_deletion_is_noted(judge: AccountJudge) -> None:
    """A ServiceAccount is never ours to delete."""
    judge.take("DELETED", account("asks", THEIRS, OURS))
    assert len(judge.broken) == 1


def test_end_is_as_asked_for_where_every_list_is(judge: AccountJudge) -> None:
    """Order counts: ours is added at the end."""
    lists = {"asks": [THEIRS, OURS], "asked": [THEIRS], "never": [THEIRS]}
    assert judge.satisfied(account(name, *entries) for name, entries in lists.items())
    for name, wrong in {"asks": [THEIRS], "asked": [THEIRS, OURS], "never": []}.items():
        assert not judge.satisfied(account(each, *entries) for each, entries in (lists | {name: wrong}).items())
    assert not judge.satisfied([])
