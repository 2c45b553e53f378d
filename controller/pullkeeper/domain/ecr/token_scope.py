"""The key of an authorization token: everything that changes the request for it."""

from dataclasses import dataclass

from pullkeeper.domain.ecr.registry_host import RegistryHost
from pullkeeper.domain.iam.identity import Identity


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenScope:
    """An identity at one endpoint of a region.

    Its token is valid for every registry of the region that the identity may read. What is shared, cached, in flight or
    backed off from is so by the whole scope: a failure of one says nothing about another.
    """

    identity: Identity
    region: str
    public: bool = False
    fips: bool = False
    """Fetch the token from the FIPS endpoint."""
    dual_stack: bool = False
    """Fetch the token from the dual-stack endpoint."""

    @property
    def label(self) -> str:
        """The name of the scope within a pull Secret, all of whose scopes have the same identity."""
        return _label(self.region, public=self.public, fips=self.fips, dual_stack=self.dual_stack)

    @classmethod
    def of(cls, host: RegistryHost, identity: Identity) -> "TokenScope":
        """Return the scope whose token is used for a host."""
        return cls(
            identity=identity, region=host.region, public=host.public, fips=host.fips, dual_stack=host.dual_stack
        )


def scope_label(host: RegistryHost) -> str:
    """Return the label of the scope whose token is used for a host, whatever the identity."""
    return _label(host.region, public=host.public, fips=host.fips, dual_stack=host.dual_stack)


def _label(region: str, *, public: bool, fips: bool, dual_stack: bool) -> str:
    kinds = [name for name, given in (("public", public), ("fips", fips), ("dual-stack", dual_stack)) if given]
    return "/".join((region, *kinds))
