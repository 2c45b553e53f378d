"""The alerts on a real Prometheus: linted, unit-tested with series, and fired by a real controller."""
