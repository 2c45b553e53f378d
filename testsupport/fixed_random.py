"""A chance that always draws the same."""

import random


class FixedRandom(random.Random):
    """Draws the same share of every range."""

    def __init__(self, share: float = 0.5) -> None:
        super().__init__(0)
        self._share = share

    def random(self) -> float:
        return self._share
