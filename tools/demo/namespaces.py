"""The namespaces of the demo, and the registries that each one asks for."""

from dataclasses import dataclass

from testsupport.fake_aws import ACCOUNT

DEFAULT_HOST = f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com"


@dataclass(frozen=True, kw_only=True, slots=True)
class DemoNamespace:
    """One namespace of the demo."""

    name: str
    label: str
    """A short name for its registries."""
    hosts: tuple[str, ...] = ()
    """The registries of its annotation; empty for the installation's default."""

    @property
    def expected_hosts(self) -> frozenset[str]:
        """The hosts that its pull Secret must have an entry for."""
        return frozenset(self.hosts or (DEFAULT_HOST,))

    @property
    def opt_in(self) -> dict[str, str]:
        """The annotations that opt it in, by their short keys."""
        return {"enabled": "true", **({"registries": ",".join(self.hosts)} if self.hosts else {})}


NAMESPACES = (
    DemoNamespace(name="shop", label="default (eu-west-1)"),
    DemoNamespace(
        name="checkout",
        label="eu-west-1, us-east-1",
        hosts=(DEFAULT_HOST, f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com"),
    ),
    DemoNamespace(name="billing", label="us-east-1 FIPS", hosts=(f"{ACCOUNT}.dkr.ecr-fips.us-east-1.amazonaws.com",)),
    DemoNamespace(name="search", label="eu-central-1 dual-stack", hosts=(f"{ACCOUNT}.dkr-ecr.eu-central-1.on.aws",)),
    DemoNamespace(name="media", label="ap-southeast-2", hosts=(f"{ACCOUNT}.dkr.ecr.ap-southeast-2.amazonaws.com",)),
    DemoNamespace(name="docs", label="ECR Public", hosts=("public.ecr.aws",)),
    DemoNamespace(name="partners", label="another account", hosts=("210987654321.dkr.ecr.eu-west-1.amazonaws.com",)),
    DemoNamespace(name="sandbox", label="default (eu-west-1)"),
)
REFUSED, HOSTILE = "reports", "mallory"
"""Outside the table, since they never get a Secret: AWS refuses the one's registry, and the other is an attacker's."""
REFUSED_REGION = "sa-east-1"
DELETED, MISCONFIGURED, OPTING_OUT = "search", "media", "sandbox"
"""Whose Secret is deleted by hand, whose annotation is broken, and which one opts out."""
