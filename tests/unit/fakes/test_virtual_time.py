"""The virtual clock of tests."""

import asyncio

import pytest

from testsupport import virtual_time
from testsupport.virtual_time import DAY


@pytest.mark.parametrize("years", [0, 1, 10])
def test_a_timer_ends_however_late_it_is(years: int) -> None:
    """After 2**24 seconds the resolution of a real clock is lost in rounding, and nothing would be due ever again."""

    async def count() -> int:
        turns = 0
        await virtual_time.sleep_until(years * 365 * DAY + 0.1)
        for _ in range(100):
            await asyncio.sleep(1 / 3)
            turns += 1
        return turns

    assert virtual_time.run(asyncio.wait_for(count(), years * 365 * DAY + DAY)) == 100
