"""Failures, invalid input and retry delays."""
