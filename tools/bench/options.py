"""The size of a run."""

from dataclasses import dataclass

REGIONS = ("eu-west-1", "eu-central-1", "us-east-1", "us-west-2")
QUARTER = 0.25
"""The `refreshFraction` with which rotations follow each other."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """The size of a run."""

    namespaces: int
    identities: int
    rotations: int
    """Rotations in a row, to see whether memory grows."""
    at_rest: int
    """Opt-ins one after the other while the controller is idle."""
    in_rotation: int
    """Opt-ins during a rotation."""
    opt_in_pause: float
    """Seconds between two of those, so that they are spread over the rotation."""
    life: int
    """Seconds that tokens live where rotations follow each other, each after a quarter of that."""
    calm_life: int
    """Seconds that they live where nothing may be due for a while."""
    status_namespaces: int
    """Namespaces that `status` reports."""
    turn_namespaces: int
    """Namespaces that are rotated in turns with a bare program."""
    turns: int
    opt_ins: int
    """Opt-ins of each turn, one after the other."""
    sizes: tuple[int, ...]
    """Namespaces with a pull Secret, for what may grow with them."""
    idle: float
    """Seconds at rest."""
    size_opt_ins: int
    """Opt-ins of each kind for each size."""
    size_pause: float
    """Seconds between two of those."""
    busy_rotations: int
    """Rotations in which those may be made that are made while all rotate: few namespaces do not rotate for long."""
    hostile: int
    """Tenants that hammer beside honest namespaces."""
    hostile_pace: int
    """Requests of each of them in a second, at most."""

    @property
    def scopes(self) -> int:
        """The tokens of a rotation: one per identity and region."""
        return self.identities * len(REGIONS)

    @property
    def memory_base(self) -> int:
        """The rotation after which memory must stay flat: by then every cache is filled."""
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
    status_namespaces=5000,
    turn_namespaces=2000,
    turns=5,
    opt_ins=50,
    sizes=(100, 1000, 3000),
    idle=30.0,
    size_opt_ins=200,
    size_pause=0.05,
    busy_rotations=4,
    hostile=4,
    hostile_pace=25,
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
    status_namespaces=500,
    turn_namespaces=300,
    turns=5,
    opt_ins=20,
    sizes=(100,),
    idle=5.0,
    size_opt_ins=30,
    size_pause=0.05,
    busy_rotations=1,
    hostile=2,
    hostile_pace=25,
)
