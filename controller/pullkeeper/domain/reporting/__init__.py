"""Events, metrics and states."""
