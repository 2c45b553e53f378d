"""What is read of a pod and of its Events."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pullkeeper.domain.views.observed_pod import (
    ObservedPod,
    PullEvent,
    WaitingContainer,
    latest,
    observe_pod,
    pull_event,
    words,
)
from testsupport.pull_words import FORBIDDEN, IMAGE, backing_off

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def pod(*statuses: dict[str, Any], **spec: Any) -> dict[str, Any]:
    metadata = {"namespace": "team-a", "name": "web", "uid": "uid-1"}
    return {"metadata": metadata, "spec": spec, "status": {"containerStatuses": list(statuses)}}


def waiting(reason: str, message: str = "", **more: Any) -> dict[str, Any]:
    return {"name": "app", "image": "normalized", "state": {"waiting": {"reason": reason, "message": message}}, **more}


def event(**changes: Any) -> dict[str, Any]:
    about = {"uid": "uid-1", "fieldPath": "spec.containers{app}"}
    message = f'Failed to pull image "{IMAGE}": {FORBIDDEN}'
    metadata = {"creationTimestamp": "2026-03-01T11:00:00Z"}
    return {"metadata": metadata, "involvedObject": about, "message": message, **changes}


def test_containers_that_wait_for_an_image_are_found() -> None:
    """Of every kind; the image is that of the spec."""
    observed = observe_pod(
        pod(
            waiting("ErrImagePull", FORBIDDEN),
            waiting("CrashLoopBackOff", name="other"),
            {"name": "up", "state": {"running": {}}},
            containers=[{"name": "app", "image": IMAGE}],
            imagePullSecrets=[{"name": "one"}, {}],
            nodeName="node-1",
            serviceAccountName="puller",
        )
    )
    assert observed == ObservedPod(
        namespace="team-a",
        name="web",
        uid="uid-1",
        pull_secrets=("one", ""),
        service_account="puller",
        node="node-1",
        waiting=(WaitingContainer(name="app", image=IMAGE, reason="ErrImagePull", message=FORBIDDEN),),
    )


@pytest.mark.parametrize("kind", ["initContainer", "ephemeralContainer"])
def test_other_kinds_of_containers_wait_too(kind: str) -> None:
    """The image of the status stands in where the spec does not have it."""
    given = pod()
    given["status"] = {f"{kind}Statuses": [waiting("ImagePullBackOff")]}
    assert [each.image for each in observe_pod(given).waiting] == ["normalized"]


def test_a_pod_may_lack_everything() -> None:
    """Right after it has been created; what waits, too."""
    bare = ObservedPod(
        namespace="team-a", name="web", uid="", pull_secrets=(), service_account="default", node="", waiting=()
    )
    given: dict[str, Any] = {"metadata": {"namespace": "team-a", "name": "web"}}
    assert observe_pod(given) == bare
    given["status"] = {"containerStatuses": [{"name": "app", "state": {"waiting": {"reason": "ErrImagePull"}}}]}
    silent = WaitingContainer(name="app", image="", reason="ErrImagePull", message="")
    assert observe_pod(given) == replace(bare, waiting=(silent,))


def test_words_are_bounded_and_escaped() -> None:
    """The node writes them, and what it quotes is a tenant's."""
    (found,) = observe_pod(pod(waiting("ErrImagePull", "\x1b[2J" + "x" * 5000))).waiting
    assert found.message == "\\x1b[2J" + "x" * (2047 - 7) + "…"


def test_several_lines_become_one() -> None:
    """As CRI-O has them; what a word begins with stays its beginning."""
    (found,) = observe_pod(pod(waiting("ErrImagePull", "errors:\ndenied: no\r\n\tunauthorized: no"))).waiting
    assert found.message == "errors: denied: no unauthorized: no"


def test_what_is_missing_shows_however_long_the_gaps_are() -> None:
    """Between lines."""
    (found,) = observe_pod(pod(waiting("ErrImagePull", "x" * 2000 + "\n" * 100 + "y" * 100))).waiting
    assert found.message == "x" * 2000 + " " + "y" * 46 + "…"


def test_an_event_tells_what_the_status_does_not() -> None:
    """Older kubelets say no more in the status than that they back off."""
    (silent,) = observe_pod(pod(waiting("ImagePullBackOff", f'Back-off pulling image "{IMAGE}"'))).waiting
    (telling,) = observe_pod(pod(waiting("ImagePullBackOff", backing_off(IMAGE, FORBIDDEN)))).waiting
    found = pull_event(event(lastTimestamp="2026-03-01T12:00:00Z"), "uid-1")
    assert found == PullEvent(container="app", message=f'Failed to pull image "{IMAGE}": {FORBIDDEN}', at=AT)
    assert words(silent, None) == ""
    assert words(silent, found) == found.message
    assert words(telling, found) == backing_off(IMAGE, FORBIDDEN)


def test_an_event_may_tell_no_more_than_when_it_was_created() -> None:
    """Of which container, then, is unknown."""
    found = pull_event(event(involvedObject={"uid": "uid-1"}), "uid-1")
    assert found is not None
    assert (found.container, found.at) == ("", AT - timedelta(hours=1))


@pytest.mark.parametrize(
    "changes",
    [
        {"involvedObject": {"uid": "uid-0"}},
        {"involvedObject": None},
        {"message": "Error: ErrImagePull"},
        {"message": None},
        {"lastTimestamp": "yesterday"},
    ],
)
def test_other_events_say_nothing(changes: dict[str, Any]) -> None:
    """A pod of the same name that was there before has another uid."""
    assert pull_event(event(**changes), "uid-1") is None


def test_the_latest_event_of_a_container_counts() -> None:
    """By its last occurrence."""
    times = ("2026-03-01T12:00:00Z", "2026-03-01T12:05:00Z", "2026-03-01T12:01:00Z")
    events = [found for at in times if (found := pull_event(event(eventTime=at), "uid-1"))]
    found = latest(events, "app")
    assert found is not None
    assert f"{found.at:%H:%M}" == "12:05"
    assert latest(events, "other") is None
