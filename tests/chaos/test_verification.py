"""The rules on tokens and their registries notice each that is broken, by a real controller as well."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.chaos.conftest import Stage
from testsupport.chaos.audit import Audited, microseconds
from testsupport.chaos.judge import Publication
from testsupport.chaos.verification import Statement, published_unverified, shown_elsewhere, statements
from testsupport.fake_aws.records import GARBAGE, OK, Call, IssuedToken
from testsupport.installation import IRELAND, VIRGINIA

AT = datetime(2026, 11, 27, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
NOW = microseconds(AT)
PUBLIC = "public.ecr.aws"
SEEN = Publication(namespace="team", host=IRELAND, serial=7, version=3, seen=NOW + 2_000_000, history=0)
WRITE = Audited(
    id="write",
    user="ours",
    replica="one",
    verb="patch",
    resource="secrets",
    namespace="team",
    name="ecr-pull-secret",
    call=NOW,
    answered=NOW + 100,
    code=200,
    expected=2,
    version=3,
    content="",
    holder="",
)
PROBE = Call(
    service="registry",
    operation="ProbeRegistry",
    time=AT - 3 * SECOND,
    region="eu-west-1",
    host=IRELAND,
    token=7,
    outcome=OK,
    ended=AT - 2 * SECOND,
)
REFUSED = replace(PROBE, outcome="DENIED")
CANNOT = Statement(at=NOW - 5_000_000, host=IRELAND, unreachable=True)


def breaches(
    *calls: Call,
    seen: Publication = SEEN,
    said: Iterable[Statement] = (),
    requests: Iterable[Audited] = (WRITE,),
    restored: tuple[int, ...] = (),
) -> list[str]:
    return list(published_unverified([seen], requests, calls, {"one": list(said)}, restored=restored))


@pytest.mark.parametrize(
    "calls",
    [(PROBE,), (REFUSED, PROBE), (PROBE, REFUSED)],
    ids=["accepted", "accepted after a refusal", "refused after it was accepted"],
)
def test_a_token_that_was_accepted_before_breaks_nothing(calls: tuple[Call, ...]) -> None:
    """What is refused afterwards has been revoked."""
    assert breaches(*calls) == []


@pytest.mark.parametrize(
    "call",
    [
        replace(PROBE, token=8),
        replace(PROBE, host=VIRGINIA),
        replace(PROBE, outcome=GARBAGE),
        replace(PROBE, ended=None),
        replace(PROBE, ended=AT + SECOND),
        replace(PROBE, operation="Pull"),
    ],
    ids=["another token", "another registry", "garbage", "unanswered", "answered after the write", "a pull"],
)
def test_a_token_that_was_not_accepted_before_is_noticed(call: Call) -> None:
    assert breaches(call) == [f"verification: token 7 of {IRELAND} in team was published untried"]


def test_a_refused_token_is_noticed_whatever_the_log_says() -> None:
    assert breaches(REFUSED, said=[CANNOT]) == [
        f"verification: token 7 of {IRELAND} in team was published, which its registry refuses"
    ]


@pytest.mark.parametrize(
    ("said", "noticed"),
    [
        ([CANNOT], False),
        ([], True),
        ([replace(CANNOT, host=VIRGINIA)], True),
        ([replace(CANNOT, at=NOW + 1)], True),
        ([CANNOT, Statement(at=NOW - 4_000_000, host=IRELAND, unreachable=False)], False),
        ([CANNOT, Statement(at=NOW - 4_000_000, host=VIRGINIA, unreachable=False)], False),
        (
            [
                replace(CANNOT, at=NOW - 20_000_000),
                Statement(at=NOW - 12_000_000, host=IRELAND, unreachable=False),
            ],
            True,
        ),
        ([replace(CANNOT, at=NOW - 20_000_000), Statement(at=NOW - 12_000_000, host="", unreachable=False)], True),
    ],
    ids=["says so", "silent", "elsewhere", "later", "just over", "over elsewhere", "long over", "another process"],
)
def test_a_registry_without_an_answer_excuses_whoever_says_so(said: list[Statement], *, noticed: bool) -> None:
    """Until it can be asked again, and for what was under way then."""
    assert bool(breaches(said=said)) is noticed


def test_only_the_writer_can_excuse_it() -> None:
    """Of a version that no request accounts for, anybody may be the writer; it was written before it was seen."""
    assert breaches(said=[CANNOT], requests=[replace(WRITE, replica="two")]) != []
    assert breaches(said=[CANNOT], requests=[]) == []
    late = replace(PROBE, ended=AT + SECOND)
    assert (breaches(late, requests=[]), breaches(late) != []) == ([], True)


def test_versions_begin_anew_with_a_restored_etcd() -> None:
    """The write of the same number before says nothing of one afterwards."""
    late, restored = replace(PROBE, ended=AT + SECOND), (NOW + 1_500_000,)
    assert breaches(late, seen=replace(SEEN, history=1), restored=restored) == []
    assert breaches(late, seen=SEEN, restored=restored) != []


def test_no_token_can_be_tried_at_the_public_registry() -> None:
    assert breaches(seen=replace(SEEN, host=PUBLIC)) == []


def test_statements_are_read_from_a_log() -> None:
    time = "2026-11-27T12:00:00Z"
    lines = [
        {"time": time, "message": "pullkeeper 0.1.0"},
        {"time": time, "message": f"registry {IRELAND}: cannot verify tokens (TimeoutError): publishing them"},
        {"time": time, "message": f"registry {IRELAND}: refuses the token"},
        {"time": time, "message": f"registry {IRELAND}: reachable again: verifying tokens"},
    ]
    assert [(each.at, each.host, each.unreachable) for each in statements(lines)] == [
        (NOW, "", False),
        (NOW, IRELAND, True),
        (NOW, IRELAND, False),
    ]


def test_a_token_that_another_registry_was_shown_is_noticed() -> None:
    token = IssuedToken(
        serial=7,
        password="",
        authorization_token="",
        principal="",
        role_arn=None,
        account="123456789012",
        region="eu-west-1",
        public=False,
        issued_at=AT,
        expires_at=AT + SECOND,
    )
    wanted = frozenset({IRELAND, VIRGINIA, PUBLIC})
    assert list(shown_elsewhere([PROBE], [token], wanted)) == []
    for wrong in (replace(PROBE, host=VIRGINIA), replace(PROBE, host=PUBLIC), replace(PROBE, token=None)):
        assert len(list(shown_elsewhere([PROBE, wrong], [token], wanted))) == 1
    assert len(list(shown_elsewhere([PROBE], [token], frozenset({VIRGINIA})))) == 1


@pytest.mark.parametrize(("verify", "noticed"), [("off", True), ("new", False)])
async def test_a_controller_that_does_not_verify_is_noticed(stage: Stage, verify: str, *, noticed: bool) -> None:
    """With the setting that it is judged by, the same controller breaks nothing."""
    installation = stage.installation
    await installation.start({"verify": verify, "registryCaFile": installation.aws.network.ca_file})
    name = await installation.create_namespace()
    stage.judge.wanted[name] = frozenset({IRELAND})
    await installation.annotate(name, enabled="true")
    await installation.event(name, "PullSecretCreated")
    await stage.until_judged(name)
    found = list(published_unverified(stage.judge.published.values(), [], installation.aws.probes(), {}))
    assert found == ([f"verification: token 1 of {IRELAND} in {name} was published untried"] if noticed else [])
