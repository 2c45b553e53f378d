"""How a namespace that asks for a pull Secret stands."""

from enum import StrEnum


class State(StrEnum):
    """The states, as the metrics count them and `pullkeeper status` shows them."""

    READY = "ready"
    PENDING = "pending"
    """No Secret yet."""
    FAILING = "failing"
    """There is one, and it could not be renewed."""
    MISCONFIGURED = "misconfigured"
    """The annotations are wrong, or ask for what the settings do not allow."""
    CONFLICT = "conflict"
    """A Secret of the name is there and is somebody else's."""
