"""Failures, invalid input, and the backoff after a failure."""
