"""How namespaces stand, as a table and as a document."""

import re
from datetime import timedelta

import pytest

from pullkeeper.domain.reporting.last_warning import LastWarning
from pullkeeper.domain.views.namespace_status import NamespaceStatus, State
from pullkeeper.domain.views.status_table import StatusReport, as_document, as_text
from testsupport.examples import HOUR, NOW

ROLE = "arn:aws:iam::123456789012:role/teams/puller"
READY = NamespaceStatus(
    namespace="team-a",
    state=State.READY,
    wrong=False,
    registries=("eu.example",),
    identity="controller",
    issued_at=NOW - HOUR,
    expires_at=NOW + 11 * HOUR,
    due_at=NOW + 5 * HOUR,
)
DENIED = LastWarning(
    namespace="b", reason="AccessDenied", note=f"namespace/b: ECR refused {'it ' * 30}", at=NOW - timedelta(minutes=3)
)
EXPIRED = NamespaceStatus(
    namespace="b",
    state=State.EXPIRED,
    wrong=True,
    registries=("eu.example", "us.example"),
    identity=ROLE,
    issued_at=NOW - 13 * HOUR,
    expires_at=NOW - HOUR,
    problems=("the token is dead since 1h: pulls fail",),
    warned=DENIED,
)
CUT = "AccessDenied: ECR refused it it it it it it it it it it it …"
BROKEN = NamespaceStatus(namespace="c", state=State.MISCONFIGURED, wrong=True, problems=("one", "two"))


def overview(*standings: NamespaceStatus, notes: tuple[str, ...] = ()) -> StatusReport:
    return StatusReport(standings=standings, now=NOW, notes=notes)


def test_the_table_is_aligned_and_what_is_wrong_is_told_in_full_under_it() -> None:
    """Long words are cut in the table alone."""
    assert as_text(overview(READY, EXPIRED, BROKEN, notes=("no config",))).splitlines() == [
        "NAMESPACE   REGISTRIES      IDENTITY            AGE   LEFT   STATE           LAST PROBLEM",
        "team-a      eu.example      controller          1h    11h    ready           -",
        f"b           eu.example +1   role/teams/puller   13h   none   expired         {CUT}",
        "c           -               -                   -     -      misconfigured   one; two",
        "",
        "b (expired):",
        "  the token is dead since 1h: pulls fail",
        f"  AccessDenied, 3m ago: ECR refused {'it ' * 30}".rstrip() + " ",
        "c (misconfigured):",
        "  one",
        "  two",
        "",
        "3 namespaces: 1 ready, 1 expired, 1 misconfigured",
        "",
        "note: no config",
    ]


def test_wide_cuts_nothing_and_adds_the_times() -> None:
    """Every registry, the whole identity, and when the token was issued, dies and is due."""
    head, row, *_ = as_text(overview(EXPIRED), wide=True).splitlines()
    assert head.split()[:8] == ["NAMESPACE", "REGISTRIES", "IDENTITY", "AGE", "LEFT", "STATE", "ISSUED", "EXPIRES"]
    assert row.startswith(f"b           eu.example,us.example   {ROLE}   13h   none   expired   2026-02-28T23:00:00Z")
    assert "   -     AccessDenied: ECR refused" in row


@pytest.mark.parametrize(
    ("state", "colour"),
    [(State.READY, "\033[32m"), (State.PENDING, "\033[33m"), (State.EXPIRED, "\033[31m"), (State.LEAVING, "\033[0m")],
)
def test_colours_are_for_the_state_alone(state: State, colour: str) -> None:
    """And only where they are asked for."""
    found = overview(NamespaceStatus(namespace="a", state=state, wrong=False))
    assert f"   {colour}{state}" in as_text(found, colours=True).splitlines()[1]
    assert "\033" not in as_text(found)


@pytest.mark.parametrize(
    ("identity", "shown"),
    [
        ("controller", "controller"),
        ("system:serviceaccount:team-a:puller", "serviceaccount/puller"),
        (ROLE, "role/teams/puller"),
        (f"{ROLE} for team-a", "role/teams/puller for team-a"),
        ("arn:nonsense", "arn:nonsense"),
    ],
)
def test_identities_are_cut_to_what_tells_them_apart(identity: str, shown: str) -> None:
    """The account is in the wide table; what is no identity is shown as it is."""
    text = as_text(overview(NamespaceStatus(namespace="a", state=State.READY, wrong=False, identity=identity)))
    assert re.split(" {3,}", text.splitlines()[1])[2] == shown


def test_where_nobody_asks_that_is_said() -> None:
    """An empty table tells nothing."""
    assert as_text(overview()) == "no namespace asks for a pull Secret"
    assert as_text(overview(READY)).endswith("1 namespace: 1 ready")


def test_the_document_cuts_nothing() -> None:
    """Times are RFC 3339 in UTC; what is not known is null."""
    assert as_document(overview(EXPIRED, BROKEN)) == {
        "ok": False,
        "time": "2026-03-01T12:00:00Z",
        "namespaces": [
            {
                "namespace": "b",
                "state": "expired",
                "wrong": True,
                "registries": ["eu.example", "us.example"],
                "identity": ROLE,
                "issuedAt": "2026-02-28T23:00:00Z",
                "expiresAt": "2026-03-01T11:00:00Z",
                "dueAt": None,
                "problems": ["the token is dead since 1h: pulls fail"],
                "lastWarning": {"reason": "AccessDenied", "note": DENIED.note, "at": "2026-03-01T11:57:00Z"},
            },
            {
                "namespace": "c",
                "state": "misconfigured",
                "wrong": True,
                "registries": [],
                "identity": None,
                "issuedAt": None,
                "expiresAt": None,
                "dueAt": None,
                "problems": ["one", "two"],
                "lastWarning": None,
            },
        ],
        "notes": [],
    }
    assert overview(READY).well
