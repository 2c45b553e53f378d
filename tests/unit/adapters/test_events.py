"""Events: queued without waiting, bounded in number, and repeated as a series."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import pytest

from pullkeeper.adapters.kubernetes.events import EventRecorder
from pullkeeper.domain.kube.api import Response
from pullkeeper.domain.reporting.event_reasons import EventReason
from pullkeeper.domain.reporting.rate_limiter import EVENTS
from pullkeeper.domain.secret.observed_secret import ObservedSecret
from pullkeeper.domain.secret.service_account_patch import ObservedServiceAccount
from testsupport.background import in_background
from testsupport.examples import EU, managed, published
from testsupport.fake_client import AWAY, FakeClient, Request, ok
from testsupport.virtual_time import now, settle

MINUTE = 60.0
NAME = "ecr-pull-secret"


class Desk:
    """A recorder on a fake client."""

    def __init__(self, *answers: Response | Exception, secret_name: str = NAME) -> None:
        self.client = FakeClient(*(answers or (ok(status=201),)))
        self.dropped: Counter[str] = Counter()
        self.events = EventRecorder(
            self.client, secret_name=secret_name, instance="pod-1", clock=now, record_dropped=self._count
        )

    def _count(self, reason: str) -> None:
        self.dropped[reason] += 1

    def post(
        self,
        note: str = "allow it",
        *,
        namespace: str = "team-a",
        secret: ObservedSecret | None = None,
        detail: str = "",
    ) -> None:
        self.events.post(namespace, EventReason.ACCESS_DENIED, note, secret=secret, detail=detail)

    async def sent(self) -> list[Request]:
        """Return the requests since the last call."""
        await self.events.drained()
        sent, self.client.requests = self.client.requests, []
        return sent


@asynccontextmanager
async def sending(desk: Desk) -> AsyncIterator[Desk]:
    async with in_background(desk.events.run()):
        yield desk


async def test_event_has_every_required_field() -> None:
    """events.k8s.io/v1 requires more than the core Event; it is in the namespace of the Secret that it regards."""
    async with sending(Desk()) as desk:
        desk.post(secret=managed(published(EU)))
        (request,) = await desk.sent()
    name = request.body["metadata"].pop("name")
    assert name.startswith("ecr-pull-secret.")
    assert request.verb == "create"
    assert request.path == "/apis/events.k8s.io/v1/namespaces/team-a/events"
    assert request.body == {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"namespace": "team-a"},
        "eventTime": "2026-03-01T12:00:00.000000Z",
        "reportingController": "pullkeeper.dev/controller",
        "reportingInstance": "pod-1",
        "action": "Keep",
        "reason": "AccessDenied",
        "note": "allow it",
        "type": "Warning",
        "regarding": {
            "apiVersion": "v1",
            "kind": "Secret",
            "name": "ecr-pull-secret",
            "namespace": "team-a",
            "uid": "uid-1",
        },
    }


async def test_event_can_regard_a_service_account() -> None:
    """`kubectl describe serviceaccount` shows it."""
    account = ObservedServiceAccount(namespace="team-a", name="builder", uid="uid-3", resource_version=7)
    async with sending(Desk()) as desk:
        desk.events.post_on(account, EventReason.SERVICE_ACCOUNT_ATTACHED, "attached")
        (request,) = await desk.sent()
    assert request.path == "/apis/events.k8s.io/v1/namespaces/team-a/events"
    assert (request.body["reason"], request.body["type"]) == ("ServiceAccountAttached", "Normal")
    assert request.body["regarding"] == {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "name": "builder",
        "namespace": "team-a",
        "uid": "uid-3",
    }


async def test_event_without_a_secret_has_no_uid() -> None:
    """An Event may regard a Secret that does not exist; one that is no warning is Normal."""
    async with sending(Desk()) as desk:
        desk.events.post("team-a", EventReason.PULL_SECRET_CREATED, "created", secret=None)
        (request,) = await desk.sent()
    assert "uid" not in request.body["regarding"]
    assert request.body["type"] == "Normal"


@pytest.mark.parametrize(
    ("note", "detail"),
    [("x" * 5000, ""), ("é" * 1023, ""), ("x" * 1023 + "é", ""), ("…" * 1000, ""), ("x" * 1000, "é" * 100)],
)
async def test_long_note_is_cut(note: str, detail: str) -> None:
    """The API server limits a note to 1024 bytes and would reject the whole Event; no character is cut in half."""
    async with sending(Desk()) as desk:
        desk.post(note, detail=detail)
        (request,) = await desk.sent()
    sent = request.body["note"]
    assert 1020 < len(sent.encode()) <= 1024
    assert (note + detail).startswith(sent)


async def test_a_note_has_one_line_of_printable_characters() -> None:
    """Whoever reads it with kubectl has a terminal."""
    async with sending(Desk()) as desk:
        desk.post("a\x1b[2J\nb", detail=" [\u202ec]")
        (request,) = await desk.sent()
    assert request.body["note"] == "a\\x1b[2J\\nb [\\u202ec]"


async def test_repetition_within_five_minutes_is_not_sent() -> None:
    """A hundred identical Events are one."""
    async with sending(Desk()) as desk:
        for _ in range(100):
            desk.post()
            await asyncio.sleep(2.9)
        assert len(await desk.sent()) == 1


async def test_repetition_after_five_minutes_becomes_a_series() -> None:
    """The Event is patched with the count and the time, at most once every five minutes."""
    async with sending(Desk()) as desk:
        desk.post()
        (create,) = await desk.sent()
        patches: list[Request] = []
        for _ in range(10):
            await asyncio.sleep(MINUTE)
            desk.post()
            patches += await desk.sent()
    assert [patch.body["series"]["count"] for patch in patches] == [6, 11]
    patch = patches[-1]
    assert (patch.verb, patch.content_type) == ("patch", "application/merge-patch+json")
    assert patch.path == f"{create.path}/{create.body['metadata']['name']}"
    assert patch.body == {"series": {"count": 11, "lastObservedTime": "2026-03-01T12:10:00.000000Z"}}


@pytest.mark.parametrize(
    ("other", "new"),
    [({"note": "other"}, True), ({"namespace": "team-b"}, True), ({"detail": "other words"}, False)],
)
async def test_note_and_namespace_identify_an_event(other: dict[str, str], *, new: bool) -> None:
    """A different detail does not make another Event."""
    async with sending(Desk()) as desk:
        desk.post()
        desk.post(
            other.get("note", "allow it"), namespace=other.get("namespace", "team-a"), detail=other.get("detail", "")
        )
        assert len(await desk.sent()) == 1 + new


@pytest.mark.parametrize("failure", [AWAY, ok(status=500), ok(status=422)])
async def test_rejected_event_is_created_again_the_next_time(failure: Response | Exception) -> None:
    """A series cannot continue an Event that does not exist; the failure stops neither the queue nor the caller."""
    async with sending(Desk(failure, ok(status=201))) as desk:
        for _ in range(3):
            desk.post()
            await settle()
        assert [request.verb for request in await desk.sent()] == ["create", "create"]


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the lines about Events that were not posted."""
    return [record.getMessage() for record in caplog.records if "not posted" in record.getMessage()]


async def test_full_queue_drops_events_and_says_how_many(caplog: pytest.LogCaptureFixture) -> None:
    """While the API server is away, at most a thousand Events wait, and posting neither waits nor fails."""
    desk = Desk()
    for number in range(1500):
        desk.post(f"note {number}", namespace=f"team-{number % 100}")
    async with sending(desk):
        assert len(await desk.sent()) == 1000
        await settle()
    assert desk.dropped == {"queue_full": 500}
    assert told(caplog) == ["500 Events were not posted: 500 because too many were waiting"]


async def test_refused_events_are_told_of_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """However many there are; and what was dropped last is told too, though nothing follows."""
    async with sending(desk := Desk(ok(status=403))):
        for number in range(600):
            desk.post(f"note {number}", namespace=f"team-{number % 100}")
            await asyncio.sleep(0.2)
        await asyncio.sleep(2 * MINUTE)
        lines = told(caplog)
    assert desk.dropped == {"refused": 600}
    assert len(lines) == 3
    assert sum(int(line.split()[0]) for line in lines) == 600


async def test_events_that_the_end_of_the_process_leaves_are_told_of(caplog: pytest.LogCaptureFixture) -> None:
    """A thousand first Secrets and a restart: nobody need wonder where their Events are."""
    desk = Desk()
    async with sending(desk):
        await settle()
        for number in range(700):
            desk.post(f"note {number}", namespace=f"team-{number % 100}")
    assert desk.dropped == {"stopped": 700 - len(desk.client.requests)}
    assert told(caplog) == [
        f"{desk.dropped['stopped']} Events were not posted: {desk.dropped['stopped']} because the process ended"
    ]
    await desk.events.drained()


async def test_number_of_remembered_series_is_bounded() -> None:
    """Ever new notes do not fill the memory; the oldest series is forgotten first."""
    async with sending(Desk()) as desk:
        for number in range(20_001):
            desk.post(f"note {number}", namespace=f"team-{number % 1000}")
            await settle()
        await desk.sent()
        desk.post("note 0", namespace="team-0")
        desk.post("note 20000", namespace="team-0")
        assert [request.body["note"] for request in await desk.sent()] == ["note 0"]


async def test_series_that_is_not_repeated_for_an_hour_is_forgotten() -> None:
    """Namespaces that come and go leave nothing behind; what is repeated goes on, however old it is."""
    async with sending(Desk()) as desk:
        desk.post("repeated")
        desk.post("once")
        for _ in range(7):
            await asyncio.sleep(10 * MINUTE)
            desk.post("repeated")
        await desk.sent()
        desk.post("another")
        desk.post("once")
        desk.post("repeated")
        assert [(request.verb, request.body["note"]) for request in await desk.sent()] == [
            ("create", "another"),
            ("create", "once"),
        ]


async def test_drained_waits_until_the_queue_is_empty() -> None:
    """The last Events are sent before the process ends."""
    desk = Desk()
    desk.post()
    drained = asyncio.create_task(desk.events.drained())
    await settle()
    assert not drained.done()
    async with sending(desk):
        await drained
    assert len(desk.client.requests) == 1


async def test_time_of_an_event_is_when_it_was_posted() -> None:
    """Not when it was sent."""
    desk = Desk()
    await asyncio.sleep(30)
    desk.post()
    await asyncio.sleep(30)
    async with sending(desk):
        (request,) = await desk.sent()
    assert datetime.fromisoformat(request.body["eventTime"]).second == 30


async def test_events_in_a_namespace_are_within_its_budget() -> None:
    """Another namespace is not affected, and neither is a series that goes on."""
    async with sending(Desk()) as desk:
        for number in range(100):
            desk.post(f"note {number}")
        desk.post(namespace="team-b")
        sent = await desk.sent()
        assert len([request for request in sent if "/team-a/" in request.path]) == EVENTS.burst
        assert len([request for request in sent if "/team-b/" in request.path]) == 1
        await asyncio.sleep(EVENTS.interval.total_seconds())
        desk.post("the next")
        (request,) = await desk.sent()
        assert request.body["note"] == f"the next [{100 - EVENTS.burst} more about this namespace suppressed]"
        await asyncio.sleep(240)
        for _ in range(100):
            desk.post("note 0")
        (request,) = await desk.sent()
        assert request.verb == "patch"
