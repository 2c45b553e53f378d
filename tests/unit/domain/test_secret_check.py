"""What `pullkeeper check` says about the pull Secrets."""

from dataclasses import replace
from datetime import timedelta

import pytest

from pullkeeper.domain.ecr.rotation import Rotation
from pullkeeper.domain.views.check_result import Outcome, failed, passed
from pullkeeper.domain.views.secret_check import judge_secrets
from testsupport.examples import EU, FOREIGN, NOW, managed, published

HELD = managed(published(EU))
assert HELD.record
EXPIRES = HELD.record.expires_at
LATE = EXPIRES - timedelta(minutes=5)
NAME = "ecr-pull-secret"


def test_secrets_are_counted() -> None:
    """All of the name, and ours among them; a stranger's, or one that cannot be read, is not overdue."""
    (result,) = judge_secrets([HELD, FOREIGN, managed(None)], NAME, Rotation(), NOW)
    assert result == passed("Secrets", f"3 named {NAME}, 2 of them managed by Pullkeeper")
    assert judge_secrets([FOREIGN], NAME, Rotation(), LATE)[0].outcome is Outcome.PASSED


@pytest.mark.parametrize(
    ("late", "fresh", "fails"), [(1, 0, True), (1, 1, True), (1, 2, False), (2, 1, True), (2, 3, False)]
)
def test_it_fails_where_nobody_renews_them(late: int, fresh: int, *, fails: bool) -> None:
    """A single one may be its own namespace's fault, such as a role that is misspelt; most of them are not."""
    young = replace(HELD, record=None)
    (result,) = judge_secrets([HELD] * late + [young] * fresh, NAME, Rotation(), LATE)
    number = late + fresh
    detail = f"{number} named {NAME}, {number} of them managed by Pullkeeper, {late} overdue for renewal"
    fix = "the controller does not renew them: see its log, /readyz, and whether an upgrade has left old pods running"
    assert result == (failed("Secrets", detail, fix) if fails else passed("Secrets", detail))


def test_half_of_the_time_to_renew_is_given() -> None:
    """From when it is due until the token expires; retries take their time."""
    assert HELD.record
    (validity,) = set(HELD.record.validities)
    due = Rotation().refresh_at_for(HELD.namespace, validity)
    middle = due + (validity.expires_at - due) / 2
    assert judge_secrets([HELD], NAME, Rotation(), middle)[0].outcome is Outcome.PASSED
    assert judge_secrets([HELD], NAME, Rotation(), middle + timedelta(seconds=1))[0].outcome is Outcome.FAILED


def test_it_fails_where_several_installations_write_in_turn() -> None:
    """Beside what is said of the Secrets' ages."""
    secrets = [
        replace(HELD, written_by=f"{by}/pullkeeper", written_at=f"2026-03-01T12:00:0{second}Z")
        for second, by in enumerate(["one", "two", "one"])
    ]
    ages, writers = judge_secrets(secrets, NAME, Rotation(), NOW)
    assert ages.outcome is Outcome.PASSED
    assert writers == failed(
        "Secrets",
        "several installations write them in turn, as the Secrets say: one/pullkeeper (2), two/pullkeeper (1)",
        "give each a secretName of its own, or uninstall the one that is not meant to be there",
    )
