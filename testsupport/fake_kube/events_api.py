"""The two faces of an event: core v1 (stored) and events.k8s.io/v1."""

from testsupport.fake_kube.objects import Object

EVENTS_TO_CORE = {
    "regarding": "involvedObject",
    "note": "message",
    "reportingController": "reportingComponent",
    "deprecatedSource": "source",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedCount": "count",
}
CORE_TO_EVENTS = {core: new for new, core in EVENTS_TO_CORE.items()}
CORE_ALWAYS: Object = {
    "involvedObject": {},
    "source": {},
    "firstTimestamp": None,
    "lastTimestamp": None,
    "eventTime": None,
    "reportingComponent": "",
    "reportingInstance": "",
}
EVENTS_ALWAYS: Object = {
    "eventTime": None,
    "regarding": {},
    "deprecatedSource": {},
    "deprecatedFirstTimestamp": None,
    "deprecatedLastTimestamp": None,
}


def to_core(event: Object) -> Object:
    """Turn an events.k8s.io/v1 Event into the stored form."""
    return {EVENTS_TO_CORE.get(name, name): value for name, value in event.items()}


def from_core(event: Object) -> Object:
    """Show a stored event as events.k8s.io/v1, with the fields that are always written."""
    return EVENTS_ALWAYS | {CORE_TO_EVENTS.get(name, name): value for name, value in event.items()}


def complete_core(event: Object) -> Object:
    """Show a stored event as core v1, with the fields that are always written."""
    return CORE_ALWAYS | event
