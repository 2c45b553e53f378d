"""What the audit log says of each request on a Lease or a Secret."""

import json
from pathlib import Path
from typing import Any

from testsupport.chaos.audit import read

AT = "2026-11-27T12:00:00.000000Z"
LATER = "2026-11-27T12:00:00.000250Z"
DATA = {".dockerconfigjson": "e30="}


def entry(identity: str, stage: str = "ResponseComplete", **fields: Any) -> dict[str, Any]:
    common = {
        "auditID": identity,
        "stage": stage,
        "verb": "patch",
        "user": {"username": "ours"},
        "userAgent": "pullkeeper/0.1.0 (one.pullkeeper-1)",
        "objectRef": {"resource": "secrets", "namespace": "team", "name": "ecr-pull-secret"},
        "requestReceivedTimestamp": AT,
        "stageTimestamp": LATER,
    }
    return common | ({"responseStatus": {"code": 200}} if stage == "ResponseComplete" else {}) | fields


def test_requests_are_read_with_their_conditions_and_hashes_of_their_contents(tmp_path: Path) -> None:
    """An apply has its content in the request, and its version in the answer; no content itself is passed on."""
    applied = entry(
        "applied",
        requestObject={"metadata": {"resourceVersion": "7"}, "data": DATA},
        responseObject={"kind": "PartialObjectMetadata", "metadata": {"resourceVersion": "9"}},
    )
    got = entry("read", verb="get", responseObject={"metadata": {"resourceVersion": "9"}, "data": DATA})
    deleted = entry("deleted", verb="delete", requestObject={"preconditions": {"resourceVersion": "9"}})
    refused = entry(
        "refused",
        responseStatus={"code": 409},
        requestObject={"metadata": {"resourceVersion": "7"}},
        responseObject={"kind": "Status", "metadata": {}},
    )
    lease = {"kind": "Lease", "metadata": {"uid": "1", "resourceVersion": "3"}, "spec": {"holderIdentity": "one_1"}}
    held = entry("held", objectRef={"resource": "leases", "namespace": "ours", "name": "us"}, responseObject=lease)
    listed = entry("listed", verb="list", objectRef={"resource": "secrets"})
    stranger = entry("stranger", user={}, responseStatus={"code": 401})
    log = tmp_path / "audit.log"
    lines = [applied, entry("applied", "RequestReceived"), got, deleted, refused, held, listed, stranger]
    log.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    found = {each.id: each for each in read(log)}
    assert found.keys() == {"applied", "read", "deleted", "refused", "held", "stranger"}
    assert (found["applied"].expected, found["applied"].version, found["deleted"].expected) == (7, 9, 9)
    assert found["applied"].content == found["read"].content != ""
    assert found["applied"].answered - found["applied"].call == 250
    assert (found["refused"].code, found["refused"].accepted, found["refused"].version) == (409, False, 0)
    assert (found["held"].holder, found["held"].replica) == ("one_1", "one.pullkeeper-1")
    assert DATA[".dockerconfigjson"] not in str(found)


def test_what_a_killed_server_never_answered_is_there_without_an_answer(tmp_path: Path) -> None:
    """And a line that it has not finished is no request."""
    log = tmp_path / "audit.log"
    log.write_text(json.dumps(entry("open", "RequestReceived")) + "\n" + json.dumps(entry("cut"))[:40])
    (only,) = read(log)
    assert (only.id, only.answered, only.code, only.accepted) == ("open", 0, 0, False)


def test_only_what_follows_an_offset_is_read(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    log.write_text(json.dumps(entry("before")) + "\n")
    offset = log.stat().st_size
    with log.open("a") as file:
        file.write(json.dumps(entry("after")) + "\n")
    assert [each.id for each in read(log, offset=offset)] == ["after"]
