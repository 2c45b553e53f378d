"""The status of namespaces as a table and as a document."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from pullkeeper.domain.config.injection import Injection
from pullkeeper.domain.reporting.last_warning import LastWarning
from pullkeeper.domain.reporting.state import State
from pullkeeper.domain.views.additional_status import AdditionalStatus
from pullkeeper.domain.views.namespace_status import NamespaceStatus
from pullkeeper.domain.views.status_table import StatusReport, as_document, as_text
from testsupport.examples import HOUR, NOW

ROLE = "arn:aws:iam::123456789012:role/teams/puller"
READY = NamespaceStatus(
    namespace="team-a",
    state=State.READY,
    unhealthy=False,
    registries=("eu.example",),
    identities={"controller": ("eu.example",)},
    issued_at=NOW - HOUR,
    expires_at=NOW + 11 * HOUR,
    refresh_at=NOW + 5 * HOUR,
)
DENIED = LastWarning(
    namespace="b", reason="AccessDenied", note=f"namespace/b: ECR refused {'it ' * 30}", at=NOW - timedelta(minutes=3)
)
EXPIRED = NamespaceStatus(
    namespace="b",
    state=State.EXPIRED,
    unhealthy=True,
    registries=("eu.example", "us.example"),
    identities={ROLE: ("eu.example", "us.example")},
    issued_at=NOW - 13 * HOUR,
    expires_at=NOW - HOUR,
    problems=("the token expired 1h ago: image pulls fail",),
    last_warning=DENIED,
)
CUT = "AccessDenied: ECR refused it it it it it it it it it it it …"
BROKEN = NamespaceStatus(namespace="c", state=State.MISCONFIGURED, unhealthy=True, problems=("one", "two"))


def report(*namespaces: NamespaceStatus, notes: tuple[str, ...] = ()) -> StatusReport:
    return StatusReport(namespaces=namespaces, now=NOW, notes=notes)


def test_the_table_is_aligned_and_problems_follow_in_full() -> None:
    """Long problems are shortened in the table alone."""
    assert as_text(report(READY, EXPIRED, BROKEN, notes=("no config",))).splitlines() == [
        "NAMESPACE   REGISTRIES      IDENTITY            AGE   LEFT   STATE           LAST PROBLEM",
        "team-a      eu.example      controller          1h    11h    ready           -",
        f"b           eu.example +1   role/teams/puller   13h   none   expired         {CUT}",
        "c           -               -                   -     -      misconfigured   one; two",
        "",
        "b (expired):",
        "  the token expired 1h ago: image pulls fail",
        f"  AccessDenied, 3m ago: ECR refused {'it ' * 30}".rstrip() + " ",
        "c (misconfigured):",
        "  one",
        "  two",
        "",
        "3 namespaces: 1 ready, 1 expired, 1 misconfigured",
        "",
        "note: no config",
    ]


def test_wide_shortens_nothing_and_adds_the_times() -> None:
    """Every registry, the whole identity, and when the token was issued, expires and is replaced."""
    head, row, *_ = as_text(report(EXPIRED), wide=True).splitlines()
    assert head.split()[:8] == ["NAMESPACE", "REGISTRIES", "IDENTITY", "AGE", "LEFT", "STATE", "ISSUED", "EXPIRES"]
    assert row.startswith(f"b           eu.example,us.example   {ROLE}   13h   none   expired   2026-02-28T23:00:00Z")
    assert "   -         -      -           AccessDenied: ECR refused" in row


def test_wide_says_whose_tokens_there_are() -> None:
    """As the pull Secret says it; for machines as well."""
    who, other = (f"arn:aws:sts::123456789012:assumed-role/{name}" for name in ("puller", "other"))
    identities = {"controller": ("eu.example",), "controller/us": ("us.example",)}
    found = report(replace(READY, identities=identities, principals={"controller": who, "controller/us": other}))
    head, row, *_ = (re.split(" {3,}", line) for line in as_text(found, wide=True).splitlines())
    assert row[head.index("IDENTITY")] == "controller,controller/us"
    assert row[head.index("PRINCIPAL")] == f"{who},{other}"
    assert [each["principal"] for each in as_document(found)["namespaces"][0]["identities"]] == [who, other]
    assert who not in as_text(found)


def test_a_token_that_ends_now_has_nothing_left() -> None:
    """As one that has expired."""
    assert re.split(" {3,}", as_text(report(replace(READY, expires_at=NOW))).splitlines()[1])[4] == "none"


@pytest.mark.parametrize("injection", Injection)
def test_wide_says_whether_pods_are_injected(injection: Injection) -> None:
    """In the word that says why not, for machines as well."""
    found = report(replace(READY, injection=injection))
    head, row, *_ = (re.split(" {3,}", line) for line in as_text(found, wide=True).splitlines())
    assert row[head.index("PODS")] == injection
    assert as_document(found)["namespaces"][0]["injection"] == injection.value


@pytest.mark.parametrize(
    ("state", "colour"),
    [
        (State.READY, "\033[32m"),
        (State.PENDING, "\033[33m"),
        (State.EXPIRED, "\033[31m"),
        (State.TERMINATING, "\033[0m"),
    ],
)
def test_only_the_state_is_coloured(state: State, colour: str) -> None:
    """And only on request."""
    found = report(NamespaceStatus(namespace="a", state=state, unhealthy=False))
    assert f"   {colour}{state}" in as_text(found, colours=True).splitlines()[1]
    assert "\033" not in as_text(found)


@pytest.mark.parametrize(
    ("identity", "shown"),
    [
        ("controller", "controller"),
        ("system:serviceaccount:team-a:puller", "serviceaccount/puller"),
        (ROLE, "role/teams/puller"),
        (f"{ROLE} for team-a", "role/teams/puller for team-a"),
        ("arn:aws:iam::123456789012:role/a:role/b", "role/a:role/b"),
        ("arn:nonsense", "arn:nonsense"),
    ],
)
def test_identities_are_shortened_to_what_distinguishes_them(identity: str, shown: str) -> None:
    """The wide table has the account; an invalid name is shown as it is."""
    text = as_text(
        report(NamespaceStatus(namespace="a", state=State.READY, unhealthy=False, identities={identity: ()}))
    )
    assert re.split(" {3,}", text.splitlines()[1])[2] == shown


def test_what_is_left_out_is_said_once_for_all() -> None:
    """With the reason for machines; it is no problem of a namespace."""
    left_out = [replace(READY, left_out={"gov.example": "may not"}), replace(READY, namespace="d", left_out={})]
    *_, note = as_text(report(*left_out)).splitlines()
    assert note.startswith("note: gov.example is left out in namespace/team-a, which may not use this default registry")
    *_, note = as_text(report(*left_out, replace(BROKEN, left_out={"gov.example": "may not"}))).splitlines()
    assert note.startswith("note: gov.example is left out in 2 namespaces, which")
    assert [each["leftOut"] for each in as_document(report(*left_out))["namespaces"]] == [
        {"gov.example": "may not"},
        {},
    ]


def test_additional_secrets_have_a_column_where_there_are_any() -> None:
    """Their number; in the wide table each with its state and what is left; what is wrong follows in full."""
    argocd = AdditionalStatus(
        name="argocd",
        registry="eu.example",
        state=State.READY,
        unhealthy=False,
        expires_at=NOW + 11 * HOUR,
        refresh_at=NOW + 5 * HOUR,
    )
    kargo = AdditionalStatus(name="kargo", registry="eu.example", state=State.PENDING, unhealthy=True, problems=("no",))
    both = replace(READY, additional=(argocd, kargo), unhealthy=True)
    several = report(both, replace(READY, namespace="d", additional=(argocd,)), BROKEN)
    assert as_text(several).splitlines() == [
        "NAMESPACE   REGISTRIES   IDENTITY     AGE   LEFT   STATE           ADDITIONAL     LAST PROBLEM",
        "team-a      eu.example   controller   1h    11h    ready           1 of 2 ready   Secret kargo (pending): no",
        "d           eu.example   controller   1h    11h    ready           1 ready        -",
        "c           -            -            -     -      misconfigured   -              one; two",
        "",
        "team-a (ready):",
        "  Secret kargo (pending): no",
        "c (misconfigured):",
        "  one",
        "  two",
        "",
        "3 namespaces: 2 ready, 1 misconfigured; additional Secrets: 2 of 3 ready",
    ]
    wide = as_text(several, wide=True).splitlines()
    assert "PRINCIPAL   ADDITIONAL                         LAST PROBLEM" in wide[0]
    assert "argocd=ready/11h,kargo=pending/-   Secret" in wide[1]
    assert as_document(several)["namespaces"][0]["additionalSecrets"] == [
        {
            "name": "argocd",
            "registry": "eu.example",
            "state": "ready",
            "unhealthy": False,
            "expiresAt": "2026-03-01T23:00:00Z",
            "refreshAt": "2026-03-01T17:00:00Z",
            "problems": [],
        },
        {
            "name": "kargo",
            "registry": "eu.example",
            "state": "pending",
            "unhealthy": True,
            "expiresAt": None,
            "refreshAt": None,
            "problems": ["no"],
        },
    ]


def test_an_empty_table_says_so() -> None:
    """Instead of showing a header alone."""
    assert as_text(report()) == "no namespace requests a pull Secret"
    assert as_text(report(READY)).endswith("1 namespace: 1 ready")
    assert as_text(report(READY, READY)).endswith("2 namespaces: 2 ready")


def test_the_document_shortens_nothing() -> None:
    """Times are RFC 3339 in UTC; what is unknown is null."""
    assert as_document(report(EXPIRED, BROKEN)) == {
        "ok": False,
        "time": "2026-03-01T12:00:00Z",
        "namespaces": [
            {
                "namespace": "b",
                "state": "expired",
                "unhealthy": True,
                "registries": ["eu.example", "us.example"],
                "leftOut": {},
                "identities": [{"identity": ROLE, "principal": None, "registries": ["eu.example", "us.example"]}],
                "issuedAt": "2026-02-28T23:00:00Z",
                "expiresAt": "2026-03-01T11:00:00Z",
                "refreshAt": None,
                "injection": None,
                "problems": ["the token expired 1h ago: image pulls fail"],
                "additionalSecrets": [],
                "lastWarning": {"reason": "AccessDenied", "note": DENIED.note, "at": "2026-03-01T11:57:00Z"},
            },
            {
                "namespace": "c",
                "state": "misconfigured",
                "unhealthy": True,
                "registries": [],
                "leftOut": {},
                "identities": [],
                "issuedAt": None,
                "expiresAt": None,
                "refreshAt": None,
                "injection": None,
                "problems": ["one", "two"],
                "additionalSecrets": [],
                "lastWarning": None,
            },
        ],
        "notes": [],
    }
    assert report(READY).healthy
    assert as_document(report(READY))["namespaces"][0]["refreshAt"] == "2026-03-01T17:00:00Z"


@pytest.mark.parametrize("wide", [False, True])
def test_text_from_outside_is_escaped(wide: bool) -> None:  # noqa: FBT001 -- a parameter of the table
    """Registries and identity may come from a Secret, a problem from an annotation, a note from an Event."""
    text = "\x1b[2J\n\u202e"
    warning = LastWarning(namespace="b", reason=text, note=text, at=NOW)
    hostile = replace(EXPIRED, registries=(text,), identities={text: (text,)}, problems=(text,), last_warning=warning)
    shown = as_text(report(hostile, notes=(text,)), wide=wide)
    assert all(line.isprintable() for line in shown.split("\n"))
    assert len(shown.split("\n")) == len(as_text(report(EXPIRED, notes=("x",)), wide=wide).split("\n"))
