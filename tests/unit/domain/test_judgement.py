"""What a namespace asks for, and whether an opt-in that is gone was the namespace's or the settings'."""

from dataclasses import replace

import pytest

from pullkeeper.domain.config.policy import Matcher, Policy
from pullkeeper.domain.errors.failures import FailureError
from pullkeeper.domain.errors.validation import InvalidInputError
from pullkeeper.domain.namespace import opt_in
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.namespace.opt_in import OptIn
from pullkeeper.domain.secret.judgement import Judgement, judge, opt_in_lost
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from testsupport.examples import EU, FOREIGN, managed, published, wanted

SETTINGS = managed(replace(published(EU), opted_in_by=OptIn.SETTINGS))
ANNOTATION = managed(replace(published(EU), opted_in_by=OptIn.ANNOTATION))
SILENT = managed(replace(published(EU), opted_in_by=None))
NOBODY = Policy(registries=(EU,))
TEAMS = Policy(registries=(EU,), opt_in=Matcher(names=("team-*",)))
ROLE = "arn:aws:iam::123456789012:role/blue"


def namespace(*, terminating: bool = False, **annotations: str) -> ObservedNamespace:
    written = {key.replace("_", "-"): value for key, value in annotations.items()}
    return ObservedNamespace(name="team-a", resource_version=1, annotations=written, terminating=terminating)


@pytest.mark.parametrize(
    ("secret", "lost"),
    [
        (SETTINGS, True),
        (SILENT, True),
        (managed(None), True),
        (ANNOTATION, False),
        (replace(SETTINGS, written=False), False),
        (FOREIGN, False),
        (None, False),
    ],
)
def test_only_an_opt_in_of_the_settings_can_be_lost(secret: ObservedSecret | None, *, lost: bool) -> None:
    """A Secret of ours that does not say who opted in counts as one of the settings': waiting costs nothing."""
    assert judge(namespace(), secret, NOBODY) == Judgement(opt_in_lost=lost)
    assert opt_in_lost(namespace(), secret, NOBODY) is lost


@pytest.mark.parametrize("secret", [SETTINGS, ANNOTATION, SILENT])
def test_a_namespace_that_refuses_loses_nothing(secret: ObservedSecret) -> None:
    """It opts itself out, whatever its Secret says."""
    assert judge(namespace(enabled="false"), secret, TEAMS) == Judgement()
    assert not opt_in_lost(namespace(enabled="false"), secret, NOBODY)


@pytest.mark.parametrize("by", OptIn)
def test_an_opt_in_says_whose_it_is(by: OptIn) -> None:
    """The annotation takes precedence."""
    asked = namespace(enabled="true") if by is OptIn.ANNOTATION else namespace()
    assert judge(asked, SETTINGS, TEAMS) == Judgement(desired=wanted(EU, opted_in_by=by))
    assert not opt_in_lost(asked, SETTINGS, TEAMS)


def test_invalid_annotations_are_an_error_and_not_a_loss() -> None:
    """Nor is what the policy forbids; and a namespace that goes needs no grace."""
    assert isinstance(judge(namespace(x="1"), SETTINGS, NOBODY).error, InvalidInputError)
    assert isinstance(judge(namespace(role_arn=ROLE), SETTINGS, TEAMS).error, FailureError)
    assert not opt_in_lost(namespace(x="1"), SETTINGS, NOBODY)
    assert not opt_in_lost(namespace(terminating=True), SETTINGS, NOBODY)


@pytest.mark.parametrize(("attaches", "ignored"), [({}, 0), ({"attaches": True}, 0), ({"attaches": False}, 1)])
def test_an_annotation_without_effect_is_a_failure_of_its_own(attaches: dict[str, bool], ignored: int) -> None:
    """Where the installation changes no ServiceAccounts; whoever does not say so does not ask."""
    found = judge(namespace(enabled="true", attach_to_service_accounts="default"), None, NOBODY, **attaches)
    assert found.desired is not None
    assert [failure.message.partition(",")[0] for failure in found.ignored] == [
        "namespace/team-a: pullkeeper.dev/attach-to-service-accounts has no effect"
    ] * ignored


def asking(annotations: dict[str, str]) -> ObservedNamespace:
    return ObservedNamespace(name="team-a", resource_version=1, annotations=annotations)


EXCLUDED = replace(TEAMS, excluded_namespaces=("team-*",))


@pytest.mark.parametrize("secret", [None, SETTINGS, ANNOTATION, SILENT, FOREIGN])
@pytest.mark.parametrize("asked", [{"enabled": "true"}, {"enabled": "True"}, {"registries": "x"}, {"x": "1"}])
def test_an_annotation_in_an_excluded_namespace_is_one_problem(
    asked: dict[str, str], secret: ObservedSecret | None
) -> None:
    """However many are wrong with it elsewhere."""
    error = judge(asking(asked), secret, EXCLUDED).error
    assert isinstance(error, InvalidInputError)
    assert [problem.where for problem in error.problems] == ["pullkeeper.dev/*"]
    assert "`excludedNamespaces`" in error.problems[0].found


@pytest.mark.parametrize(
    ("asked", "secret", "lost"),
    [
        ({"enabled": "true"}, SETTINGS, True),
        ({"enabled": "true"}, ANNOTATION, True),
        ({"enabled": "true"}, FOREIGN, False),
        ({"enabled": "true"}, None, False),
        ({"enabled": "false"}, ANNOTATION, False),
        ({}, SETTINGS, True),
        ({}, ANNOTATION, False),
        ({"registries": "x"}, SETTINGS, True),
        ({"registries": "x"}, ANNOTATION, False),
    ],
)
def test_an_exclusion_takes_a_secret_like_a_lost_opt_in(
    asked: dict[str, str], secret: ObservedSecret | None, *, lost: bool
) -> None:
    """After the grace, unless the namespace itself has opted out."""
    found = judge(asking(asked), secret, EXCLUDED)
    assert (found.desired, found.opt_in_lost) == (None, lost)
    assert opt_in_lost(asking(asked), secret, EXCLUDED) is lost


@pytest.mark.parametrize("text", [None, "", "Settings", "both", "settings "])
def test_any_other_text_says_nothing(text: str | None) -> None:
    """The tenant may have written it."""
    assert opt_in.parse(text) is None
    assert [opt_in.parse(by.value) for by in OptIn] == list(OptIn)
