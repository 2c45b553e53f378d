"""AWS partitions: their regions, and the domains of their registries."""

import re
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, kw_only=True, slots=True)
class Partition:
    """A group of regions with credentials and domains of its own."""

    name: str
    region_prefix: str
    """Regular expression of what precedes the direction and number in the names of its regions."""
    suffix: str
    """Domain of its registries."""
    dual_stack_suffix: str = ""
    """Domain of its registries' dual-stack names; "" where there are none."""

    @property
    def suffixes(self) -> tuple[str, str]:
        """Both domains."""
        return self.suffix, self.dual_stack_suffix

    def has(self, region: str) -> bool:
        """Return whether a region has a name of this partition; AWS adds regions, so none is known to exist."""
        return _compiled(self.region_pattern).fullmatch(region) is not None

    @property
    def region_pattern(self) -> str:
        """Regular expression of the names of its regions."""
        return rf"(?:{self.region_prefix})-[a-z]{{2,20}}-[0-9]{{1,2}}"


# Names, prefixes and domains as in botocore/data/partitions.json (`id`, `regionRegex`, `dnsSuffix`), but:
# a direction has letters only and a number two digits at most, as those of all regions have.
# Dual-stack domains as in the pattern of both of AWS's credential helpers.
PARTITIONS = (
    Partition(
        name="aws",
        region_prefix="us|eu|ap|sa|ca|me|af|il|mx",
        suffix="amazonaws.com",
        dual_stack_suffix="on.aws",
    ),
    Partition(
        name="aws-cn",
        region_prefix="cn",
        suffix="amazonaws.com.cn",
        dual_stack_suffix="on.amazonwebservices.com.cn",
    ),
    Partition(name="aws-eusc", region_prefix="eusc-de", suffix="amazonaws.eu"),
    Partition(name="aws-iso", region_prefix="us-iso", suffix="c2s.ic.gov"),
    Partition(name="aws-iso-b", region_prefix="us-isob", suffix="sc2s.sgov.gov"),
    Partition(name="aws-iso-e", region_prefix="eu-isoe", suffix="cloud.adc-e.uk"),
    Partition(name="aws-iso-f", region_prefix="us-isof", suffix="csp.hci.ic.gov"),
    Partition(
        name="aws-us-gov",
        region_prefix="us-gov",
        suffix="amazonaws.com",
        dual_stack_suffix="on.aws",
    ),
)


def partition_of(region: str) -> Partition:
    """Return the partition of a region; raises ValueError if no partition names its regions so."""
    for partition in PARTITIONS:
        if partition.has(region):
            return partition
    raise ValueError(region)


@lru_cache(maxsize=len(PARTITIONS))
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
