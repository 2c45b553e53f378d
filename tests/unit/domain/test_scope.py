"""What an installation that watches some namespaces only leaves outside of them."""

from dataclasses import replace
from datetime import timedelta

import pytest

from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.views.scope import abandoned, describe, limited_to, of_other_classes
from testsupport.examples import EU, FOREIGN, HOUR, NOW, managed, published

OWN = "system/pullkeeper"


def secret(namespace: str, *, age: timedelta = HOUR, by: str = OWN) -> ObservedSecret:
    return replace(managed(published(EU, issued=NOW - age)), namespace=namespace, written_by=by)


def test_the_scope_is_said_in_one_line_of_limited_length() -> None:
    """With what it means for everywhere else."""
    assert (
        limited_to(["a"]) == "only 1 namespace is watched (a): pull Secrets elsewhere are neither renewed nor deleted"
    )
    assert limited_to(["a", "b"]).startswith("only 2 namespaces are watched (a, b): ")
    assert len(limited_to([f"team-{number}" for number in range(3000)])) < 200


def test_what_we_wrote_outside_is_abandoned() -> None:
    """And what does not say who wrote it; not what others keep fresh, or never was ours."""
    found = [secret("a"), secret("b"), secret("c", by=""), secret("d", by="other/pullkeeper"), FOREIGN]
    found.append(replace(secret("e"), written=False))
    assert [each.namespace for each in abandoned(found, ["a"], OWN)] == ["b", "c"]
    assert abandoned([], ["a"], OWN) == ()


@pytest.mark.parametrize(
    ("secrets", "text"),
    [
        ([secret("b")], "1 pull Secret in namespaces that nobody watches any more (tokens issued 1h ago): b"),
        (
            [secret("c", age=14 * HOUR), secret("b"), secret("a", age=2 * HOUR)],
            "3 pull Secrets in namespaces that nobody watches any more (tokens issued 1h to 14h ago): a, b, c",
        ),
        ([replace(secret("b"), record=None)], "1 pull Secret in namespaces that nobody watches any more: b"),
        (
            [secret("b", age=-100 * HOUR), secret("c")],
            "2 pull Secrets in namespaces that nobody watches any more (tokens issued 1h ago): b, c",
        ),
    ],
)
def test_abandoned_secrets_are_counted_with_their_ages(secrets: list[ObservedSecret], text: str) -> None:
    """As far as they can be true."""
    assert describe(secrets, NOW) == text


def test_of_many_some_are_named() -> None:
    """The line stays short."""
    assert describe([secret(f"team-{number:04}") for number in range(3000)], NOW).endswith(" and 2,990 more")


def test_namespaces_of_other_classes_are_counted() -> None:
    """In one line, of limited length."""
    assert of_other_classes([]) == ()
    what = "of another class and left to its installation, if there is one"
    assert of_other_classes(["b"]) == (f"1 namespace is {what}: b",)
    assert of_other_classes(["b", "a"]) == (f"2 namespaces are {what}: a, b",)
    assert len(of_other_classes([f"team-{number}" for number in range(3000)])[0]) < 250
