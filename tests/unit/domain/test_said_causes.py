"""Causes that are said once."""

from pullkeeper.domain.errors.said_causes import MAX_CAUSES, SaidCauses


def test_each_cause_is_said_once_until_the_disturbance_ends() -> None:
    """Also when causes alternate; what comes after the end is another disturbance."""
    causes = SaidCauses()
    assert [causes.is_new(cause) for cause in ("a", "b", "a", "b")] == [True, True, False, False]
    assert [causes.end(), causes.end()] == [True, False]
    assert causes.is_new("a")


def test_a_disturbance_with_ever_new_causes_is_not_told_for_ever() -> None:
    """A cause may hold what changes at each try."""
    causes = SaidCauses()
    assert sum(causes.is_new(str(number)) for number in range(3 * MAX_CAUSES)) == MAX_CAUSES
