"""The real process reports every Event reason and every metric."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pullkeeper.domain.reporting.event_reasons import EventReason
from pullkeeper.domain.reporting.metric_families import (
    CACHE_DIFFERENCES,
    CERTIFICATE_EXPIRY,
    CERTIFICATE_START,
    EVENTS_DROPPED,
    FAMILIES,
    HISTORY_RESETS,
    PENDING_OPT_OUTS,
    PERMISSION_DENIED,
    WORKQUEUE_DEPTH,
)
from testsupport.installation import Installation
from testsupport.waiting import until

pytestmark = pytest.mark.slow

TOKEN = "GetAuthorizationToken"


TESTED_ELSEWHERE = {
    EventReason.SERVICE_ACCOUNT_ATTACHED,
    EventReason.SERVICE_ACCOUNT_NOT_FOUND,
    EventReason.REGISTRY_REJECTED,
    EventReason.QUOTA_EXCEEDED,
    EventReason.ADMISSION_REFUSED,
    EventReason.WRITES_REVERTED,
    EventReason.KUBERNETES_DENIED,
}
"""Reasons of features that have tests of their own."""
RESTING = {
    family.name
    for family in (
        WORKQUEUE_DEPTH,
        CACHE_DIFFERENCES,
        HISTORY_RESETS,
        EVENTS_DROPPED,
        PERMISSION_DENIED,
        PENDING_OPT_OUTS,
        CERTIFICATE_EXPIRY,
        CERTIFICATE_START,
    )
}
"""Metrics that stay at zero on a good day or without their feature; what moves them is played where it is tested."""


async def test_every_event_reason_is_posted(installation: Installation) -> None:
    """Each is posted in the namespace that it concerns, and what ends is said to have ended."""
    await installation.start()
    team = await installation.create_served_namespace()
    await installation.annotate(team, refresh_requested_at="now")
    await installation.event(team, "PullSecretUpdated")
    await installation.annotate(team, registries="nonsense")
    await installation.event(team, "InvalidAnnotation")
    await installation.annotate(team, registries=None, role_arn="arn:aws:iam::123456789012:role/other")
    await installation.event(team, "RoleNotAllowed")
    await installation.annotate(team, role_arn=None)
    await installation.event(team, "Recovered")
    for play, reason in ((installation.aws.deny, "AccessDenied"), (installation.aws.throttle, "TokenFetchFailed")):
        installation.aws.clear_faults()
        play(operation=TOKEN)
        await installation.annotate(team, refresh_requested_at=reason)
        await installation.event(team, reason)
    taken = await installation.create_namespace()
    await installation.create_foreign_secret(taken)
    await installation.annotate(taken, enabled="true")
    await installation.event(taken, "SecretConflict")
    await installation.annotate(team, enabled=None)
    await installation.event(team, "PullSecretDeleted")
    posted = [event["reason"] for name in (team, taken) for event in await installation.events(name)]
    assert set(posted) == set(EventReason) - TESTED_ELSEWHERE


async def test_a_condition_that_lasts_is_one_event_however_often_the_process_begins(
    installation: Installation,
) -> None:
    """A second process goes on with the Event that the first one posted."""
    team = await installation.create_namespace(enabled="perhaps")
    for _ in range(3):
        process = await installation.start()
        await installation.event(team, "InvalidAnnotation")
        if len(installation.processes) > 1:
            await until(lambda: _counted(installation, team), "the Event to become a series")
        await process.stop()
    (event,) = await installation.events(team)
    assert event["series"]["count"] == 3


async def _counted(installation: Installation, team: str) -> bool:
    (event,) = await installation.events(team)
    return (event.get("series") or {}).get("count") == len(installation.processes)


async def test_every_metric_moves(installation: Installation) -> None:
    """After an opt-in and a refusal each has moved from where it began; the queue's depth is asked at each scrape."""
    verified = {"verify": "new", "registryCaFile": installation.aws.network.ca_file}
    process = await installation.start(verified)
    team = await installation.create_served_namespace()
    installation.aws.deny(operation=TOKEN)
    await installation.annotate(team, refresh_requested_at="now")
    await installation.event(team, "AccessDenied")
    found = text_string_to_metric_families(await process.scrape())
    samples = [sample for family in found for sample in family.samples]
    moved = {sample.name.removesuffix("_count") for sample in samples if sample.value}
    assert {family.name for family in FAMILIES} - moved <= RESTING
    assert {sample.labels["priority"] for sample in samples if sample.name == WORKQUEUE_DEPTH.name} == {
        "new",
        "rotation",
    }
