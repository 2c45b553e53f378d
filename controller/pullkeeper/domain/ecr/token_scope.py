"""What one authorization token is good for."""

from dataclasses import dataclass, field

from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.iam.identity import Identity


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class TokenScope:
    """What one authorization token serves: every registry of a region that the identity may read."""

    identity: Identity
    region: str
    public: bool = False
    fips: bool = field(default=False, compare=False)
    """Whether the token is to come from the FIPS endpoint; any of the region's is as good at every registry."""
    dual_stack: bool = field(default=False, compare=False)

    @property
    def label(self) -> str:
        """Name the scope within one pull Secret, whose identity is said once for all of it."""
        return f"{self.region}/public" if self.public else self.region

    @classmethod
    def of(cls, host: RegistryHost, identity: Identity) -> "TokenScope":
        """Give the scope whose token opens this host."""
        return cls(identity=identity, region=host.region, public=host.public)

    @classmethod
    def from_label(cls, label: str, identity: Identity) -> "TokenScope":
        """Read back what `label` wrote."""
        region, _, kind = label.partition("/")
        return cls(identity=identity, region=region, public=kind == "public")
