"""Faults that the world has found, put back into the code one at a time: a test has to notice each."""
