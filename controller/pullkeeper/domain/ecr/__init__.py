"""Registries, tokens, and when a token is due."""
