"""The rules on who may write what, and when, notice each that is broken."""

from dataclasses import replace

import pytest

from testsupport.chaos.audit import Audited
from testsupport.chaos.authors import unexplained, unseen, written_by_others, written_without_lease

USER = "system:serviceaccount:pullkeeper:pullkeeper"
NAME = "ecr-pull-secret"
LEASE = Audited(
    id="lease",
    user=USER,
    replica="one",
    verb="patch",
    resource="leases",
    namespace="pullkeeper",
    name="pullkeeper",
    call=0,
    answered=10,
    code=200,
    expected=1,
    version=1,
    content="",
    holder="one_1a2b3c4d",
)
TAKEN = replace(LEASE, id="taken", replica="two", call=1_000, answered=1_100, version=2, holder="two_5e6f7a8b")
WRITE = replace(
    LEASE, id="write", resource="secrets", namespace="team", name=NAME, call=2_000, answered=2_100, version=3, holder=""
)


def late(write: Audited, *, set_out: float | None = None, restored: tuple[int, ...] = ()) -> list[str]:
    seen = {} if set_out is None else {write.id: set_out}
    return list(written_without_lease([LEASE, TAKEN, write], seen, restored=restored))


def test_a_write_after_another_replica_took_the_lease_is_noticed() -> None:
    assert late(WRITE) == ["one wrote secret team after another replica had taken the Lease (write)"]


@pytest.mark.parametrize(
    "write",
    [
        replace(WRITE, replica="two"),
        replace(WRITE, code=409),
        replace(WRITE, call=900, answered=950),
        replace(WRITE, call=1_050, answered=1_060),
        replace(WRITE, verb="get"),
        replace(WRITE, replica="", user="admin"),
    ],
    ids=["the holder", "refused", "before", "while it is taken", "a read", "an administrator"],
)
def test_other_requests_are_no_fault(write: Audited) -> None:
    assert late(write) == []


def test_a_write_under_way_when_the_lease_was_taken_is_no_fault() -> None:
    """The proxy saw it before; the API server only afterwards."""
    assert late(WRITE, set_out=0.0005) == []
    assert late(WRITE, set_out=0.0015) != []


def test_who_loses_a_deleted_lease_may_write_until_it_reads() -> None:
    """Nobody tells it before; a takeover, on the other hand, waits until the holder has given up by itself."""
    created = replace(TAKEN, code=201, expected=1)
    refused = replace(LEASE, id="refused", call=1_500, answered=1_600, code=409, holder="")
    read = replace(refused, id="read", verb="get", call=1_700, answered=1_800, code=200, holder=TAKEN.holder)
    assert list(written_without_lease([LEASE, created, WRITE], {})) == []
    assert list(written_without_lease([LEASE, created, refused, WRITE], {})) == []  # its answer may be on its way
    assert list(written_without_lease([LEASE, created, refused, read, WRITE], {})) == []  # and so may this one
    again = replace(read, id="again", call=1_850, answered=1_900)
    assert len(list(written_without_lease([LEASE, created, refused, read, again, WRITE], {}))) == 1


def test_a_restored_etcd_knows_nothing_of_who_took_the_lease() -> None:
    assert late(WRITE, restored=(1_500,)) == []


def test_writes_of_what_is_not_ours_are_noticed() -> None:
    foreign = replace(WRITE, namespace="theirs")
    requests = [WRITE, foreign, replace(WRITE, name="other"), replace(WRITE, resource="namespaces", name="team")]
    assert list(written_by_others(requests, USER, NAME, {"theirs"})) == [
        f"only ours: one wrote secret theirs/{NAME}",
        "only ours: one wrote secret team/other",
        "hands off Namespaces: one wrote team",
    ]
    refused = [replace(each, code=403) for each in requests]
    assert list(written_by_others(refused, USER, NAME, {"theirs"})) == []


def test_a_version_that_nobody_is_on_record_for_is_noticed() -> None:
    """Where a request was never answered, it may be that one's."""
    assert unexplained([("team", 3)], [WRITE], NAME) == []
    assert len(unexplained([("team", 4)], [WRITE], NAME)) == 1
    assert unexplained([("team", 4)], [WRITE, replace(WRITE, answered=0, code=0)], NAME) == []


def test_a_version_that_no_watcher_saw_is_counted() -> None:
    """Refused writes, deletions and what is of another name have none."""
    others = [replace(WRITE, code=409), replace(WRITE, verb="delete", version=9), replace(WRITE, name="other")]
    assert unseen([("team", 3)], [WRITE, *others, replace(WRITE, verb="get", version=9)], NAME) == []
    assert unseen([("other", 3)], [WRITE], NAME) == [("team", 3)]
