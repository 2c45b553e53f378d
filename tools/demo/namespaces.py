"""Who plays: the namespaces, and the registries that each one wants."""

from dataclasses import dataclass

from testsupport.fake_aws import ACCOUNT

DEFAULT_HOST = f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com"


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """One namespace of the demo."""

    name: str
    label: str
    """Its registries in few words."""
    hosts: tuple[str, ...] = ()
    """What it names itself; nothing takes the installation's default."""

    @property
    def wanted(self) -> frozenset[str]:
        """The hosts that its pull Secret must have an entry for."""
        return frozenset(self.hosts or (DEFAULT_HOST,))

    @property
    def opt_in(self) -> dict[str, str]:
        """The annotations that opt it in, by their short keys."""
        return {"enabled": "true", **({"registries": ",".join(self.hosts)} if self.hosts else {})}


CAST = (
    Member(name="shop", label="default (eu-west-1)"),
    Member(
        name="checkout",
        label="eu-west-1, us-east-1",
        hosts=(DEFAULT_HOST, f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com"),
    ),
    Member(name="billing", label="us-east-1 FIPS", hosts=(f"{ACCOUNT}.dkr.ecr-fips.us-east-1.amazonaws.com",)),
    Member(name="search", label="eu-central-1 dual-stack", hosts=(f"{ACCOUNT}.dkr-ecr.eu-central-1.on.aws",)),
    Member(name="media", label="ap-southeast-2", hosts=(f"{ACCOUNT}.dkr.ecr.ap-southeast-2.amazonaws.com",)),
    Member(name="docs", label="ECR Public", hosts=("public.ecr.aws",)),
    Member(name="partners", label="another account", hosts=("210987654321.dkr.ecr.eu-west-1.amazonaws.com",)),
    Member(name="sandbox", label="default (eu-west-1)"),
)
DELETED, MISCONFIGURED, LEAVING = "search", "media", "sandbox"
"""Whose Secret somebody deletes, whose annotation gets broken, and who opts out."""
