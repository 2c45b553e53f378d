"""The pure part: no clock, no asyncio, no I/O; `now` is an argument."""
