"""What one authorization token is valid for."""

from dataclasses import dataclass, field

from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.iam.identity import Identity


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class TokenScope:
    """An identity in a region: one authorization token is valid for every registry there that the identity may read."""

    identity: Identity
    region: str
    public: bool = False
    fips: bool = field(default=False, compare=False)
    """Fetch the token from the FIPS endpoint; tokens of all endpoints of a region are equally valid."""
    dual_stack: bool = field(default=False, compare=False)
    """Fetch the token from the dual-stack endpoint."""

    @property
    def label(self) -> str:
        """The name of the scope within a pull Secret, all of whose scopes have the same identity."""
        return f"{self.region}/public" if self.public else self.region

    @classmethod
    def of(cls, host: RegistryHost, identity: Identity) -> "TokenScope":
        """Return the scope whose token is valid for a host."""
        return cls(identity=identity, region=host.region, public=host.public)

    @classmethod
    def from_label(cls, label: str, identity: Identity) -> "TokenScope":
        """Parse a `label`."""
        region, _, kind = label.partition("/")
        return cls(identity=identity, region=region, public=kind == "public")
