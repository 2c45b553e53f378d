"""Porcupine takes histories that a register with compare-and-set explains, and refuses each that was corrupted."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from testsupport.chaos.audit import Audited
from testsupport.chaos.linearizability import CheckerError, check, operations

OURS = Audited(
    id="1",
    user="system:serviceaccount:pullkeeper:pullkeeper",
    replica="one",
    verb="patch",
    resource="secrets",
    namespace="team",
    name="ecr-pull-secret",
    call=0,
    answered=0,
    code=200,
    expected=0,
    version=0,
    content="",
    holder="",
)


def request(call: int, answered: int, **changes: object) -> Audited:
    return replace(OURS, call=call, answered=answered, **changes)  # type: ignore[arg-type] # by name


CREATED = request(0, 5, code=201, expected=1, version=10, content="a")
ROTATED = request(10, 15, expected=10, version=20, content="b")
REFUSED = request(12, 30, code=409, expected=10)
READ = request(40, 45, verb="get", version=20, content="b")
DELETED = request(50, 55, verb="delete", expected=20)
GONE = request(60, 65, verb="get", code=404)
AGAIN = request(70, 75, code=201, expected=1, version=70, content="c")
LIFE = [CREATED, ROTATED, REFUSED, READ, DELETED, GONE, AGAIN]
"""A Secret is created, rotated while another write of the same version is refused, deleted, and created anew."""
UNANSWERED = request(20, 0, code=0)
BROKEN = request(20, 25, code=500, expected=20, content="x")


def result(history: list[Audited], *, restored: tuple[int, ...] = ()) -> str:
    return check(operations(history, restored=restored)).result


def test_a_history_that_a_register_explains_is_linearizable() -> None:
    """All of it is looked at."""
    verdict = check(operations(LIFE))
    assert (verdict.result, verdict.objects, verdict.operations) == ("linearizable", 1, len(LIFE))


@pytest.mark.parametrize(
    "history",
    [
        [*LIFE, UNANSWERED],
        [CREATED, ROTATED, BROKEN, request(30, 35, verb="get", version=20, content="b")],
        [CREATED, ROTATED, BROKEN, request(30, 35, verb="get", version=25, content="x")],
        [CREATED, UNANSWERED, request(30, 35, verb="get", version=25, content="anything")],
        [CREATED, ROTATED, request(20, 25, expected=20, version=20, content="b")],
    ],
    ids=["never answered", "failed, not done", "failed, done", "done, never answered", "changes nothing"],
)
def test_what_has_no_answer_may_have_been_done_or_not(history: list[Audited]) -> None:
    assert result(history) == "linearizable"


CORRUPTIONS: dict[str, Callable[[], list[Audited]]] = {
    "lost update": lambda: [CREATED, ROTATED, request(20, 25, expected=10, version=30, content="c")],
    "stale read": lambda: [CREATED, ROTATED, request(20, 25, verb="get", version=10, content="a")],
    "content of no write": lambda: [CREATED, ROTATED, request(20, 25, verb="get", version=20, content="z")],
    "refused for no reason": lambda: [CREATED, request(10, 15, code=409, expected=10)],
    "created twice": lambda: [CREATED, request(10, 15, code=201, expected=1, version=20, content="b")],
    "create refused where nothing is": lambda: [DELETED, request(60, 65, code=409, expected=1)],
    "read after deletion": lambda: [*LIFE[:5], request(60, 65, verb="get", version=20, content="b")],
    "deleted in another version": lambda: [CREATED, ROTATED, request(20, 25, verb="delete", expected=10)],
    "not found where it is": lambda: [CREATED, request(10, 15, verb="get", code=404)],
    "version that went back": lambda: [CREATED, ROTATED, request(20, 25, expected=20, version=15, content="c")],
    "failed, and content of neither": lambda: [
        CREATED,
        ROTATED,
        BROKEN,
        request(30, 35, verb="get", version=25, content="z"),
    ],
}


@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_a_corrupted_history_is_refused(corruption: str) -> None:
    """The object is named, and another one beside it is not."""
    other = [replace(each, namespace="other") for each in LIFE]
    verdict = check(operations([*CORRUPTIONS[corruption](), *other]))
    assert verdict.result == "illegal"
    assert verdict.illegal == ["secrets/team/ecr-pull-secret history 0"]


def test_a_restored_etcd_begins_another_history() -> None:
    """What was read before may be read again after it, and only then."""
    back = request(100, 105, verb="get", version=10, content="a")
    assert result([*LIFE, back]) == "illegal"
    assert result([*LIFE, back], restored=(90,)) == "linearizable"


def test_only_requests_whose_contents_are_on_record_are_checked() -> None:
    """All others would be operations that fit whatever happens."""
    others = [replace(CREATED, resource="events"), replace(READ, verb="list"), replace(READ, verb="watch")]
    assert operations([*others, READ]) == operations([READ])


def test_what_is_no_history_is_an_error() -> None:
    with pytest.raises(CheckerError, match="cannot unmarshal"):
        check([{"object": 1}])
