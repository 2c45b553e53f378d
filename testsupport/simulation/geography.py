"""Which endpoints of AWS exist in a run, which of them answer, and whom IAM trusts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from testsupport.simulation.script import REGIONS


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """A host of AWS, by what its name is made of."""

    service: str
    region: str
    fips: bool = False
    dual_stack: bool = False

    @property
    def label(self) -> str:
        """Name it as the controller names the scope of its tokens."""
        kinds = (("public", self.service == "ecr-public"), ("fips", self.fips), ("dual-stack", self.dual_stack))
        kind = "-".join(name for name, given in kinds if given)
        return f"{self.region}/{kind}" if kind else self.region

    def __str__(self) -> str:
        return f"{self.service} {self.label}"


class Answer(StrEnum):
    """What a client finds at an endpoint."""

    ANSWERS = "answers"
    NO_SUCH_HOST = "its name does not resolve"
    SILENT = "packets are dropped"
    NOT_ENABLED = "the account has not enabled the region"


HOME_REGION = "eu-west-1"
"""The region of the controller's session, as its configuration says."""
_FIPS_REGIONS = frozenset({"us-east-1", "us-east-2", "us-west-1", "us-west-2"})
"""Regions of the commercial partition with a FIPS endpoint of ECR, as botocore lists them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Geography:
    """The regions of an account, and its roles."""

    enabled: frozenset[str] = frozenset(REGIONS)
    disabled: frozenset[str] = frozenset({"af-south-1", "ap-east-1", "me-south-1"})
    """Regions that exist and that the account has not enabled. Any region in neither set does not exist."""
    silent: frozenset[str] = frozenset({"ap-northeast-3"})
    """Regions that exist and that cannot be reached from here."""
    silent_dual_stack: frozenset[str] = frozenset()
    """Regions whose dual-stack endpoints cannot be reached from here, as behind a VPC endpoint."""
    trust: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """For each role the principals that may assume it: "controller", "NAMESPACE/SERVICEACCOUNT" or "NAMESPACE/*".

    A role that is not here does not exist.
    """

    def trusts(self, role: str, principal: str) -> bool:
        """Return whether a principal may assume a role."""
        return not self.trust.get(role, frozenset()).isdisjoint({principal, f"{principal.partition('/')[0]}/*"})

    def at(self, endpoint: Endpoint) -> Answer:
        """Return what a client finds at an endpoint."""
        region = endpoint.region
        if endpoint.fips and region not in _FIPS_REGIONS:
            return Answer.NO_SUCH_HOST
        if region in self.silent or (endpoint.dual_stack and region in self.silent_dual_stack):
            return Answer.SILENT
        if region in self.disabled:
            return Answer.NOT_ENABLED
        return Answer.ANSWERS if region in self.enabled else Answer.NO_SUCH_HOST
