"""Adapters of the Kubernetes API."""
