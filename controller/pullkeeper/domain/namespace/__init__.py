"""Namespaces and their annotations."""
