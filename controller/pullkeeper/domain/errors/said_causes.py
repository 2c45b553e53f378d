"""Which causes of a disturbance have been said, so that each is said once and not at every retry."""

WORKED_SECONDS = 5.0
"""What fails after so long has worked: that is another disturbance than the one before."""
MAX_CAUSES = 10
"""Causes of one disturbance that are said; the end of the disturbance forgets them."""


class SaidCauses:
    """The causes of a disturbance that goes on."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def is_new(self, cause: str) -> bool:
        """Whether a cause is to be said now; it counts as said then."""
        if cause in self._said or len(self._said) >= MAX_CAUSES:
            return False
        self._said.add(cause)
        return True

    def end(self) -> bool:
        """End the disturbance; return whether there was one."""
        ended = bool(self._said)
        self._said.clear()
        return ended
