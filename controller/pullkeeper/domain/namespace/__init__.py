"""Namespaces as observed."""
