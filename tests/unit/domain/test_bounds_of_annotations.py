"""How much of what a Namespace says is read, remembered and reported."""

import pytest

from pullkeeper.domain.config.label_selector import LabelSelector, Operator, Requirement
from pullkeeper.domain.config.policy import Matcher, Policy
from pullkeeper.domain.errors.validation import MAX_REPORTED, InvalidInputError
from pullkeeper.domain.namespace.annotations import MAX_ANNOTATIONS, MAX_LABELS, MAX_LENGTHS, MAX_UNKNOWN
from pullkeeper.domain.namespace.namespace import PREFIX, ObservedNamespace, observe_namespace
from pullkeeper.domain.namespace.service_account_names import MAX_NAMES
from pullkeeper.domain.secret.desired_state import desired_state
from testsupport.examples import EU

POLICY = Policy(registries=(EU,))
SELECTORS = tuple(
    Matcher(selector=LabelSelector(requirements=(Requirement(key=key, operator=operator, values=values),)))
    for key, operator, values in (
        ("team", Operator.IN, frozenset({"a"})),
        ("other", Operator.NOT_IN, frozenset({"a"})),
        ("other", Operator.DOES_NOT_EXIST, frozenset[str]()),
    )
)
LARGE = 250_000
"""Bytes of annotations that an API server accepts; it takes 256 KiB."""


def observed(**annotations: str) -> ObservedNamespace:
    own = {f"{PREFIX}{key.replace('_', '-')}": value for key, value in {"enabled": "true", **annotations}.items()}
    return observe_namespace({"name": "team-a", "resourceVersion": "1", "annotations": own})


def problems(namespace: ObservedNamespace, policy: Policy = POLICY) -> InvalidInputError:
    with pytest.raises(InvalidInputError) as raised:
        desired_state(namespace, policy)
    return raised.value


@pytest.mark.parametrize(
    "value",
    [
        ",".join(["a"] * (LARGE // 2)),
        ",".join(f"{number:x}" for number in range(LARGE // 6)),
        f"123456789012.dkr.ecr.{'x' * LARGE}.amazonaws.com",
        "\x1b[2J\u202e" * (LARGE // 8),
        "😀" * (LARGE // 4),
    ],
)
@pytest.mark.parametrize("key", sorted(MAX_LENGTHS))
def test_a_value_of_any_size_is_one_problem_of_a_few_words(key: str, value: str) -> None:
    """It is not parsed, and not remembered."""
    namespace = observed(**{key: value})
    error = problems(namespace)
    assert [problem.expected for problem in error.problems if "at most" in problem.expected] == [
        f"at most {MAX_LENGTHS[key]:,} characters"
    ]
    assert len(str(error)) < 500
    assert str(error).isprintable()
    assert len(namespace.annotations[key]) == MAX_LENGTHS[key] + 1


@pytest.mark.parametrize(
    "value", [",".join(f"_{number:x}" for number in range(190)), "\n".join(["é\x1b", *(f"-{n}" for n in range(190))])]
)
@pytest.mark.parametrize("key", ["registries", "attach-to-service-accounts"])
def test_of_many_problems_the_first_are_reported_and_the_others_counted(key: str, value: str) -> None:
    """Whatever is wrong, the message stays short."""
    error = problems(observed(**{key: f"_!,{value},$"}))
    assert len(error.summary) == MAX_REPORTED + 1
    assert error.summary[-1] == f"and {len(error.problems) - MAX_REPORTED:,} more"
    assert len(str(error)) < 5_000
    assert str(error).isprintable()


def test_a_few_unknown_keys_are_named() -> None:
    """In their order, whatever that of the annotations is."""
    found = problems(observed(**{f"x{number:02}": "" for number in reversed(range(MAX_UNKNOWN))})).problems
    assert [each.where for each in found] == [f"{PREFIX}x{number:02}" for number in range(MAX_UNKNOWN)]
    assert {each.found for each in found} == {"a key that this version does not know"}


def test_many_unknown_keys_are_counted() -> None:
    """Their values are not remembered."""
    namespace = observed(**{f"x{number:05}": "y" * 50 for number in range(MAX_ANNOTATIONS - 1)})
    assert len(namespace.annotations) == MAX_UNKNOWN + 1
    assert set(namespace.annotations.values()) == {"true", ""}
    (problem,) = problems(namespace).problems
    assert (problem.where, problem.found) == (
        f"{PREFIX}*",
        f"{MAX_ANNOTATIONS - 1} keys that this version does not know",
    )


def test_unknown_keys_beside_many_annotations_are_not_looked_for() -> None:
    """Whoever may write these costs only itself."""
    namespace = observed(**{f"x{number:05}": "y" * 50 for number in range(MAX_ANNOTATIONS)})
    assert (namespace.annotations, namespace.unknown_keys) == ({"enabled": "true"}, 0)


def test_another_unknown_key_is_a_change_also_beyond_those_that_are_named() -> None:
    """So the number in the message is true."""
    few, many = (observed(**{f"x{number:05}": "" for number in range(count)}) for count in (50, 51))
    assert few.annotations == many.annotations
    assert few.content != many.content


def test_as_many_service_accounts_as_allowed_may_be_named() -> None:
    """One more is a problem."""
    names = [f"a{number:03}" for number in range(MAX_NAMES + 1)]
    allowed = desired_state(observed(attach_to_service_accounts=",".join(names[1:])), POLICY)
    assert allowed is not None
    assert len(allowed.service_accounts.names) == MAX_NAMES
    (problem,) = problems(observed(attach_to_service_accounts=",".join(names))).problems
    assert problem.found == f"{MAX_NAMES + 1} names"
    (problem,) = problems(observed(attach_to_service_accounts="a" + "," * 500)).problems
    assert problem.found == "501 parts"
    assert f"at most {MAX_NAMES} names" in problem.expected


def test_what_opts_out_does_so_beside_anything() -> None:
    """`enabled: "false"` is not held up by another annotation."""
    assert desired_state(observed(enabled="false", registries="x" * LARGE), POLICY) is None


def test_no_selector_applies_to_a_namespace_with_more_labels_than_are_read() -> None:
    """A limit of ours that none of the API server's rules implies: labels are no more than an object may hold."""
    more = {f"label-{number}": "x" * 63 for number in range(1, MAX_LABELS)}
    for labels, applies in (({"team": "a"} | more, True), ({"team": "a", "label": ""} | more, False)):
        namespace = observe_namespace({"name": "a", "resourceVersion": "1", "labels": labels})
        assert any(matcher.matches(namespace) for matcher in SELECTORS) == applies
        assert Matcher(names=("*",)).matches(namespace)
        assert bool(namespace.labels) == applies
