"""Calls with a deadline."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from botocore.exceptions import BotoCoreError

from pullkeeper.adapters.aws.calls import (
    MAX_HANGING,
    CallError,
    Calls,
    DeadlineError,
    TooManyHangingError,
    note_request,
)
from pullkeeper.domain.errors.failures import Failure, FailureError, Reason
from testsupport.waiting import HANG_GUARD, until

SHORT = 0.05


@pytest.fixture
def release() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def hanging(release: threading.Event, url: str = "") -> Callable[[], bool]:
    def call() -> bool:
        if url:
            note_request("sts", url)
        return release.wait(HANG_GUARD)

    return call


async def cause_of(calls: Calls, call: Callable[[], object], group: str = "a") -> CallError:
    with pytest.raises(CallError) as raised:
        await calls.run(call, group=group, seconds=SHORT)
    return raised.value


async def test_result_and_exceptions_of_a_call() -> None:
    """A library's exception is wrapped, because its text may hold anything; a Failure passes."""
    calls = Calls()
    assert await calls.run(lambda: 7, group="a", seconds=HANG_GUARD) == 7

    def fail(error: Exception) -> None:
        note_request("ecr-public", "https://api.ecr-public.us-east-1.amazonaws.com/?hush=1")
        raise error

    found = await cause_of(calls, lambda: fail(ValueError("hush")))
    assert isinstance(found.cause, ValueError)
    assert str(found.asked) == "ECR Public at api.ecr-public.us-east-1.amazonaws.com"
    assert "hush" not in f"{found} {found!r}"
    refused = FailureError(Failure(reason=Reason.ACCESS_DENIED, message="no"))
    with pytest.raises(FailureError):
        await calls.run(lambda: fail(refused), group="a", seconds=HANG_GUARD)
    assert (await cause_of(calls, lambda: fail(BotoCoreError()))).asked is not None


async def test_call_that_hangs_is_given_up_at_its_deadline(release: threading.Event) -> None:
    """What it asked last is known although it never returned."""
    found = await cause_of(Calls(), hanging(release, "https://sts.eu-west-1.amazonaws.com/"))
    assert isinstance(found.cause, DeadlineError)
    assert str(found.asked) == "STS at sts.eu-west-1.amazonaws.com"


async def test_calls_that_drip_are_given_up_as_well() -> None:
    """A deadline is for all of the call, whatever arrives meanwhile."""
    ended = threading.Event()

    def drip() -> None:
        while not ended.is_set():
            time.sleep(SHORT / 10)

    assert isinstance((await cause_of(Calls(), drip)).cause, DeadlineError)
    ended.set()


async def test_hanging_calls_are_bounded_by_group(release: threading.Event) -> None:
    """Beyond a few the next fails at once without a thread, until they end; other groups go on."""
    calls = Calls()
    for _ in range(MAX_HANGING):
        assert isinstance((await cause_of(calls, hanging(release))).cause, DeadlineError)
    threads = threading.active_count()
    for _ in range(20):
        assert isinstance((await cause_of(calls, hanging(release))).cause, TooManyHangingError)
    assert threading.active_count() <= threads
    assert await calls.run(lambda: 7, group="b", seconds=HANG_GUARD) == 7
    release.set()

    async def ended() -> bool:
        return not vars(calls)["_hanging"]

    await until(ended, "the end of the calls")
    assert await calls.run(lambda: 7, group="a", seconds=HANG_GUARD) == 7


async def test_cancelled_call_counts_until_it_ends(release: threading.Event) -> None:
    """It is as much of a thread as any other."""
    calls = Calls()
    task = asyncio.create_task(calls.run(hanging(release), group="a", seconds=HANG_GUARD))
    await asyncio.sleep(SHORT)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert vars(calls)["_hanging"]["a"] == 1
