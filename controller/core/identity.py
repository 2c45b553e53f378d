"""Who fetches a token, and what one token is good for."""

from dataclasses import dataclass

from controller.core.registry_host import RegistryHost


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Identity:
    """The IAM principal that tokens are fetched as."""

    name: str

    def __str__(self) -> str:
        return self.name


CONTROLLER = Identity(name="controller")
"""The controller's own identity, as botocore's credential chain finds it."""


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class TokenScope:
    """What one authorization token serves: every registry of a region that the identity may read."""

    identity: Identity
    region: str
    public: bool = False

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
