"""Decisions without side effects: no clock, I/O, concurrency or randomness; `now` is an argument."""
