"""How much is measured."""

from dataclasses import dataclass

REGIONS = ("eu-west-1", "eu-central-1", "us-east-1", "us-west-2")
QUARTER = 0.25
"""The setting of `refreshFraction` by which rotations follow each other."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """The size of a run."""

    namespaces: int
    identities: int
    rotations: int
    """So many in a row, for the memory."""
    at_rest: int
    """Opt-ins one after the other, while nothing else is to be done."""
    in_rotation: int
    """Opt-ins in the middle of a rotation."""
    opt_in_pause: float
    """Seconds between two of those, so that they fall into the rotation from its beginning to its end."""
    life: int
    """Seconds that tokens live where rotations follow each other, each as soon as a quarter of that is over."""
    calm_life: int
    """Seconds that they live where nothing may be due for a while."""
    looked_at: int
    """Namespaces that `status` tells of."""

    @property
    def scopes(self) -> int:
        """Count the tokens of a rotation: one for each identity in each region."""
        return self.identities * len(REGIONS)

    @property
    def memory_base(self) -> int:
        """Tell after which rotation the memory has to be flat: by then every cache has been filled."""
        return min(5, max(self.rotations // 2, 1))


FULL = Options(
    namespaces=2000,
    identities=50,
    rotations=20,
    at_rest=200,
    in_rotation=100,
    opt_in_pause=0.08,
    life=40,
    calm_life=200,
    looked_at=5000,
)
QUICK = Options(
    namespaces=200,
    identities=10,
    rotations=5,
    at_rest=50,
    in_rotation=20,
    opt_in_pause=0.08,
    life=20,
    calm_life=100,
    looked_at=500,
)
