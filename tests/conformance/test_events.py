"""Events of events.k8s.io/v1: what is required, what is refused, and how repetition is told."""

from typing import Any

import pytest

from testsupport import objects
from testsupport.objects import now
from testsupport.rest import RestClient


def events_in(namespace: str) -> str:
    return f"/apis/events.k8s.io/v1/namespaces/{namespace}/events"


def event(namespace: str, **changes: Any) -> dict[str, Any]:
    """Return an event on a Secret; a change to None leaves the field out."""
    body = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"generateName": "pull-secret-", "namespace": namespace},
        "eventTime": now(),
        "reportingController": "pullkeeper.dev/controller",
        "reportingInstance": "pullkeeper-0",
        "action": "Rotate",
        "reason": "AccessDenied",
        "type": "Warning",
        "note": "ECR refused",
        "regarding": {"apiVersion": "v1", "kind": "Secret", "namespace": namespace, "name": "ecr"},
    }
    return {key: value for key, value in {**body, **changes}.items() if value is not None}


async def test_a_full_event_is_created(api: RestClient, namespace: str) -> None:
    """An event is kept as sent."""
    sent = event(namespace)
    made = (await api.post(events_in(namespace), sent)).ok()
    assert made["metadata"]["name"].startswith("pull-secret-")
    del sent["metadata"]
    assert {key: made[key] for key in sent} == sent


async def test_it_is_an_event_of_core_too(api: RestClient, namespace: str) -> None:
    """What kubectl get events reads shows the same object under the older names."""
    made = (await api.post(events_in(namespace), event(namespace))).ok()
    name = made["metadata"]["name"]
    seen = (await api.get(f"/api/v1/namespaces/{namespace}/events/{name}")).ok()
    assert (seen["kind"], seen["apiVersion"]) == ("Event", "v1")
    assert seen["involvedObject"] == made["regarding"]
    assert (seen["message"], seen["reportingComponent"]) == (made["note"], made["reportingController"])
    assert (seen["reportingInstance"], seen["source"]) == (made["reportingInstance"], {})
    assert (seen["firstTimestamp"], seen["lastTimestamp"]) == (None, None)


@pytest.mark.parametrize(
    "selector", ["reason=AccessDenied", "involvedObject.kind=Secret", "type=Warning,involvedObject.name=ecr"]
)
async def test_core_events_are_selected_by_field(api: RestClient, namespace: str, selector: str) -> None:
    """Events have field selectors of their own."""
    (await api.post(events_in(namespace), event(namespace))).ok()
    (await api.post(events_in(namespace), event(namespace, reason="Other", type="Normal", **OTHER))).ok()
    listed = (await api.get(f"/api/v1/namespaces/{namespace}/events", fieldSelector=selector)).ok()
    assert [item["reason"] for item in listed["items"]] == ["AccessDenied"]


OTHER: dict[str, Any] = {"regarding": {"kind": "ServiceAccount", "namespace": "default", "name": "builder"}}

INVALID: dict[str, tuple[dict[str, Any], str]] = {
    "no time": ({"eventTime": None}, "eventTime"),
    "no controller": ({"reportingController": None}, "reportingController"),
    "controller is no name": ({"reportingController": "pull keeper"}, "reportingController"),
    "no instance": ({"reportingInstance": None}, "reportingInstance"),
    "long instance": ({"reportingInstance": "x" * 129}, "reportingInstance"),
    "no action": ({"action": None}, "action"),
    "long action": ({"action": "x" * 129}, "action"),
    "no reason": ({"reason": None}, "reason"),
    "long reason": ({"reason": "x" * 129}, "reason"),
    "no type": ({"type": None}, "type"),
    "unknown type": ({"type": "Bad"}, "type"),
    "long note": ({"note": "x" * 1025}, "message"),
    "nothing regarded": ({"regarding": None}, "involvedObject.namespace"),
    "a namespace regarded": ({"regarding": {"kind": "Namespace", "name": "x"}}, "involvedObject.namespace"),
    "series of one": ({"series": {"count": 1, "lastObservedTime": now()}}, "series.count"),
}


@pytest.mark.parametrize("change", INVALID)
async def test_invalid_events_are_told_by_field(api: RestClient, namespace: str, change: str) -> None:
    """A note is reported as `message` and what is regarded as `involvedObject`: core's names."""
    changes, field = INVALID[change]
    answer = await api.post(events_in(namespace), event(namespace, **changes))
    assert answer.verdict == (422, "Invalid")
    assert {cause for _, cause in answer.causes} == {field}


LIMITS: dict[str, dict[str, Any]] = {
    "no note": {"note": None},
    "longest note": {"note": "x" * 1024},
    "longest reason": {"reason": "x" * 128},
    "controller without a domain": {"reportingController": "pullkeeper"},
    "a series of two": {"series": {"count": 2, "lastObservedTime": "2026-01-01T00:00:00.000000Z"}},
    "time with an offset": {"eventTime": "2026-01-01T00:00:00.000000+00:00"},
}


@pytest.mark.parametrize("change", LIMITS)
async def test_events_at_the_limit_pass(api: RestClient, namespace: str, change: str) -> None:
    """What is not refused above passes."""
    assert (await api.post(events_in(namespace), event(namespace, **LIMITS[change]))).status == 201


@pytest.mark.parametrize("time", ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.123Z", "yesterday"])
async def test_times_have_six_decimals(api: RestClient, namespace: str, time: str) -> None:
    """A MicroTime with fewer digits after the second is a bad request."""
    answer = await api.post(events_in(namespace), event(namespace, eventTime=time))
    assert answer.verdict == (400, "BadRequest")


async def test_an_event_regarding_a_namespace_goes_to_default(api: RestClient, namespace: str) -> None:
    """An object without a namespace has its events in `default`."""
    regarding = {"apiVersion": "v1", "kind": "Namespace", "name": namespace}
    assert (await api.post(events_in("default"), event("default", regarding=regarding))).status == 201


async def test_only_core_wants_the_regarded_namespace_to_fit(api: RestClient, namespace: str) -> None:
    """What is regarded may be in any namespace, except for an event of the older API."""
    assert (await api.post(events_in(namespace), event(namespace, **OTHER))).status == 201
    body = {"metadata": {"generateName": "x-"}, "involvedObject": OTHER["regarding"], "reason": "R"}
    answer = await api.post(f"/api/v1/namespaces/{namespace}/events", body)
    assert answer.causes == [("FieldValueInvalid", "involvedObject.namespace")]


async def test_repetition_is_a_patch_of_the_series(api: RestClient, namespace: str) -> None:
    """A merge patch begins a series with count 2 and goes on from there; core shows it too."""
    name = (await api.post(events_in(namespace), event(namespace))).ok()["metadata"]["name"]
    for count in (2, 3):
        series = {"count": count, "lastObservedTime": now()}
        patched = (await api.merge(f"{events_in(namespace)}/{name}", {"series": series})).ok()
        assert patched["series"] == series
        seen = (await api.get(f"/api/v1/namespaces/{namespace}/events/{name}")).ok()
        assert seen["series"] == series


async def test_an_event_of_the_same_name_is_refused(api: RestClient, namespace: str) -> None:
    """Whoever names an Event by what it says learns so that it was said before."""
    named = event(namespace, metadata={"name": "pull-secret.0123456789abcdef", "namespace": namespace})
    assert (await api.post(events_in(namespace), named)).status == 201
    again = await api.post(events_in(namespace), {**named, "eventTime": now(), "reportingInstance": "pullkeeper-1"})
    assert again.verdict == (409, "AlreadyExists")


async def test_a_patch_of_the_time_alone_tells_the_count_of_a_series(api: RestClient, namespace: str) -> None:
    """It is refused where there is no series yet; so a count can be had with the right to patch alone."""
    name = (await api.post(events_in(namespace), event(namespace))).ok()["metadata"]["name"]
    time = {"series": {"lastObservedTime": now()}}
    refused = await api.merge(f"{events_in(namespace)}/{name}", time)
    assert refused.verdict == (422, "Invalid")
    assert {cause for _, cause in refused.causes} == {"series.count"}
    series = {"series": {"count": 7, "lastObservedTime": now()}}
    (await api.merge(f"{events_in(namespace)}/{name}", series)).ok()
    assert (await api.merge(f"{events_in(namespace)}/{name}", time)).ok()["series"]["count"] == 7


@pytest.mark.parametrize(("change", "field"), [({"note": "other"}, "message"), ({"reason": "Other"}, "reason")])
async def test_everything_else_is_immutable(
    api: RestClient, namespace: str, change: dict[str, str], field: str
) -> None:
    """Of an event only the series changes: another text is another event."""
    name = (await api.post(events_in(namespace), event(namespace))).ok()["metadata"]["name"]
    answer = await api.merge(f"{events_in(namespace)}/{name}", change)
    assert answer.verdict == (422, "Invalid")
    assert {cause for _, cause in answer.causes} == {field}


async def test_no_events_in_a_terminating_namespace(api: RestClient) -> None:
    """An event in a terminating namespace is refused as any creation, and one in a missing one as 404."""
    namespace = await objects.terminate_namespace(api)
    late = await api.post(events_in(namespace), event(namespace))
    assert late.verdict == (403, "Forbidden")
    assert late.causes == [("NamespaceTerminating", "metadata.namespace")]
    missing = await api.post(events_in("contract-missing"), event("contract-missing"))
    assert missing.verdict == (404, "NotFound")
    assert missing.body["details"]["kind"] == "namespaces"


async def test_kopf_posts_core_events(api: RestClient, namespace: str) -> None:
    """The older API takes an event without action and instance, but wants the regarded namespace to fit."""
    path = f"/api/v1/namespaces/{namespace}/events"
    body = {
        "metadata": {"generateName": "kopf-", "namespace": namespace},
        "involvedObject": {"apiVersion": "v1", "kind": "Secret", "name": "ecr", "namespace": namespace},
        "type": "Normal",
        "reason": "Logging",
        "message": "text",
        "source": {"component": "kopf"},
        "firstTimestamp": now(),
    }
    made = (await api.post(path, body)).ok()
    assert made["firstTimestamp"].endswith("Z")
    assert "." not in made["firstTimestamp"]
    body["involvedObject"] = {"apiVersion": "v1", "kind": "Namespace", "name": namespace}
    assert (await api.post(path, body)).causes == [("FieldValueInvalid", "involvedObject.namespace")]
