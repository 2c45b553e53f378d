"""Worlds and histories drawn from seeds, years of them, and the invariants at every moment."""
