"""The status of additional Secrets as seen from outside."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from pullkeeper.domain.config.additional_secrets import AdditionalSecret, ShapeName
from pullkeeper.domain.config.policy import NO_NAMESPACE, Matcher, Policy
from pullkeeper.domain.ecr.rotation import Rotation
from pullkeeper.domain.namespace.namespace import ObservedNamespace
from pullkeeper.domain.namespace.namespace_request import NamespaceRequest
from pullkeeper.domain.namespace.opt_in import OptIn
from pullkeeper.domain.reporting.state import State
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.views.additional_status import AdditionalStatus
from pullkeeper.domain.views.namespace_status import NamespaceStatus, StatusRules, namespace_status
from testsupport.examples import EU, FOREIGN, HOUR, NOW, US, managed, published

ENTRY = AdditionalSecret(
    name="argocd", shape=ShapeName.ARGOCD_REPO_CREDS, registry=EU, namespaces=Matcher(names=("team-*",))
)
DESELECTED = replace(ENTRY, namespaces=NO_NAMESPACE)
ON = {"enabled": "true"}
RULES = StatusRules(policy=Policy(registries=(EU,)), rotation=Rotation(jitter=timedelta()))
FRESH = managed(published(EU, issued=NOW - HOUR))
FROM_SETTINGS = managed(replace(published(EU, issued=NOW - HOUR), opted_in_by=OptIn.SETTINGS))


def aged(hours: float) -> ObservedSecret:
    return managed(published(EU, issued=NOW - timedelta(hours=hours)))


def status(
    secret: ObservedSecret | None,
    *,
    entry: AdditionalSecret = ENTRY,
    annotations: dict[str, str] | None = None,
    pull_secret: ObservedSecret | None = FRESH,
    since: timedelta = HOUR,
    terminating: bool = False,
) -> NamespaceStatus | None:
    written = ON if annotations is None else annotations
    namespace = ObservedNamespace(name="team-a", resource_version=1, annotations=written, terminating=terminating)
    request = NamespaceRequest(namespace=namespace, first_requested_at=NOW - since)
    return namespace_status(request, pull_secret, RULES, NOW, [(entry, secret)])


def additional(secret: ObservedSecret | None, **given: Any) -> AdditionalStatus:
    found = status(secret, **given)
    assert found is not None
    (each,) = found.additional
    assert found.unhealthy is each.unhealthy
    return each


def test_a_fresh_one_is_ready() -> None:
    """With its times, as for the pull Secret."""
    assert additional(FRESH) == AdditionalStatus(
        name="argocd",
        registry=EU.name,
        state=State.READY,
        unhealthy=False,
        expires_at=NOW + 11 * HOUR,
        refresh_at=NOW + 5 * HOUR,
    )


@pytest.mark.parametrize(
    ("secret", "state", "problem"),
    [
        (None, State.PENDING, "it is not there yet"),
        (
            FOREIGN,
            State.CONFLICT,
            "a Secret with the name argocd (`additionalSecrets` in the settings) exists and is",
        ),
        (managed(None), State.CORRUPT, "the Secret argocd's annotations were changed and cannot be read"),
        (aged(-1), State.CORRUPT, "the Secret argocd's annotations were changed and cannot be read"),
        (aged(13), State.EXPIRED, "the token expired 1h ago: its readers are refused"),
        (aged(11.5), State.EXPIRING, "the token expires in 30m and has not been replaced"),
        (aged(7), State.FAILING, "the token should have been replaced 1h ago"),
        (replace(FRESH, intact=False), State.OUTDATED, "the Secret argocd was changed and has not been repaired yet"),
        (managed(published(US, issued=NOW - HOUR)), State.OUTDATED, f"no entry yet for {EU}"),
    ],
)
def test_what_is_wrong_with_it_is_said_of_it(secret: ObservedSecret | None, state: State, problem: str) -> None:
    """And makes its namespace unhealthy, though the pull Secret is fine."""
    found = additional(secret)
    assert (found.state, found.unhealthy) == (state, True)
    assert found.problems[0].startswith(problem)
    whole = status(secret)
    assert whole is not None
    assert (whole.state, whole.problems) == (State.READY, ())


@pytest.mark.parametrize(("since", "unhealthy"), [(timedelta(seconds=59), False), (timedelta(seconds=60), True)])
def test_what_was_just_asked_for_may_be_in_progress(since: timedelta, *, unhealthy: bool) -> None:
    """As with the pull Secret."""
    assert additional(None, since=since).unhealthy is unhealthy


@pytest.mark.parametrize(
    ("entry", "annotations", "pull_secret", "state"),
    [
        (DESELECTED, ON, FRESH, State.OPTING_OUT),
        (ENTRY, {}, FROM_SETTINGS, State.OPTING_OUT),
        (ENTRY, {"enabled": "false"}, None, State.ORPHANED),
        (replace(ENTRY, registry=US), ON, FRESH, State.ORPHANED),
    ],
)
def test_one_that_is_there_and_not_asked_for_is_shown(
    entry: AdditionalSecret, annotations: dict[str, str], pull_secret: ObservedSecret | None, state: State
) -> None:
    """Whether it waits out the grace, or should be gone; a stranger's is nobody's business, and neither is none."""
    assert additional(FRESH, entry=entry, annotations=annotations, pull_secret=pull_secret).state is state
    for nothing in (FOREIGN, None):
        found = status(nothing, entry=entry, annotations=annotations, pull_secret=pull_secret)
        assert found is None or found.additional == ()


def test_a_namespace_that_has_nothing_else_is_shown_for_it() -> None:
    """It says what is left."""
    found = status(FRESH, annotations={"enabled": "false"}, pull_secret=None)
    assert found is not None
    assert (found.state, found.problems) == (
        State.ORPHANED,
        ("the namespace is not opted in, but additional Secrets have not been deleted",),
    )


@pytest.mark.parametrize(
    ("secret", "state"),
    [
        (FRESH, State.READY),
        (aged(7), State.FAILING),
        (aged(13), State.EXPIRED),
        (aged(-1), State.READY),
        (managed(None), State.READY),
    ],
)
def test_bad_annotations_are_said_once(secret: ObservedSecret, state: State) -> None:
    """What is there is kept up, and the problem is that of the namespace."""
    found = status(secret, annotations={"enabled": "maybe"})
    assert found is not None
    assert (found.state, [each.state for each in found.additional]) == (State.MISCONFIGURED, [state])


def test_a_namespace_that_is_being_deleted_has_none() -> None:
    """They go with it."""
    found = status(None, terminating=True)
    assert found is not None
    assert (found.additional, found.unhealthy) == ((), False)
