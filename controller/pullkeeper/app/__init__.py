"""Composition and lifetime of the process."""
