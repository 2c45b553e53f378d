"""Hosts of ECR registries."""

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from pullkeeper.domain.ecr.partitions import PARTITIONS, Partition, partition_of
from pullkeeper.domain.errors.validation import Problem, quoted

PUBLIC_HOSTS = frozenset({"public.ecr.aws", "ecr-public.aws.com"})
PUBLIC_REGION = "us-east-1"
"""The only region that issues tokens for ECR Public."""

_MAX_LENGTH = 100
"""Longer than any host: beyond it nothing is parsed."""
_MAX_PASTED = 1000
"""Longest text that is searched for a host, for the advice."""
_SUFFIXES = "|".join(sorted({re.escape(each) for partition in PARTITIONS for each in filter(None, partition.suffixes)}))
# The form that both of AWS's own credential helpers accept, in every partition, including FIPS and dual-stack hosts.
# They take any region, in either case, with any of the suffixes.
_HOST = re.compile(
    r"(?P<account>[0-9]{12})\.dkr[.-]ecr(?P<fips>-fips)?\.(?P<region>[a-z0-9][a-z0-9_-]*)\."
    rf"(?P<suffix>{_SUFFIXES})"
)
_PSEUDO_REGION = re.compile(r"fips-(?P<region>.+)|(?P<same>.+)-fips")
_SEPARATORS = re.compile(r"[,\n]")
MAX_REGISTRIES = 200
"""An entry takes about 3 KiB, and a Secret holds 1 MiB."""
FORM = '"ACCOUNT.dkr.ecr.REGION.amazonaws.com" (or its form in another partition) or "public.ecr.aws"'


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class RegistryHost:
    """A registry host as used in image names and in the pull Secret."""

    name: str
    region: str
    account: str = ""
    fips: bool = False
    dual_stack: bool = False
    public: bool = False

    def __str__(self) -> str:
        return self.name

    @property
    def partition(self) -> str:
        """The AWS partition of the host; credentials are valid in one partition only."""
        return partition_of(self.region).name


@lru_cache(maxsize=1024)
def parse(text: str) -> RegistryHost:
    """Parse a registry host; raises ValueError with the expected form."""
    if text in PUBLIC_HOSTS:
        return RegistryHost(name=text, region=PUBLIC_REGION, public=True)
    match = _match(text)
    if match and _partition(match):
        return RegistryHost(
            name=text,
            region=match["region"],
            account=match["account"],
            fips=match["fips"] is not None,
            dual_stack=match["suffix"].startswith("on."),
        )
    raise ValueError(_advice(text))


def _match(text: str) -> re.Match[str] | None:
    return _HOST.fullmatch(text) if len(text) <= _MAX_LENGTH else None


def _partition(match: re.Match[str]) -> Partition | None:
    """Return the partition of a host's region, if its domain is of that partition."""
    try:
        partition = partition_of(match["region"])
    except ValueError:
        return None
    return partition if match["suffix"] in partition.suffixes else None


def _advice(text: str) -> str:
    """Return what is expected instead of an invalid host: the host itself, where it can be told."""
    plain = _stripped(text[:_MAX_PASTED])
    if plain in PUBLIC_HOSTS:
        return f'only the host, in lower case: "{plain}"'
    match = _match(plain)
    if match is None:
        return FORM
    if _partition(match):
        return f'only the host, in lower case: "{plain}"'
    return _region_advice(match)


def _region_advice(match: re.Match[str]) -> str:
    region, fips = match["region"], match["fips"] or ""
    if pseudo := _PSEUDO_REGION.fullmatch(region):
        region, fips = pseudo["region"] or pseudo["same"], "-fips"
    try:
        partition = partition_of(region)
    except ValueError:
        return f'a region such as eu-west-1, in {FORM}; "{region}" is none'
    dual_stack = match["suffix"].startswith("on.") and partition.dual_stack_suffix
    start = f"{match['account']}.dkr-ecr" if dual_stack else f"{match['account']}.dkr.ecr"
    host = f"{start}{fips}.{region}.{dual_stack or partition.suffix}"
    return f'"{host}": {region} is a region of the partition {partition.name}'


def _stripped(text: str) -> str:
    """Remove what people paste along with a host: scheme, path, port, trailing dot, spaces, upper case."""
    text = text.strip().lower()
    try:
        host = urlsplit(text if "//" in text else f"//{text}").hostname or ""
    except ValueError:
        return text
    return host.rstrip(".")


def parse_registries(value: str, where: str) -> tuple[tuple[RegistryHost, ...], list[Problem]]:
    """Parse a comma- or newline-separated list; returns the valid hosts, sorted, and the problems."""
    parts = list(dict.fromkeys(filter(None, (part.strip() for part in _SEPARATORS.split(value)))))
    hosts, problems = [], []
    for part in parts[:MAX_REGISTRIES]:
        try:
            hosts.append(parse(part))
        except ValueError as error:
            problems.append(Problem(where=where, found=quoted(part), expected=str(error)))
    if len(parts) > MAX_REGISTRIES:
        expected = f"at most {MAX_REGISTRIES}, the number that fits into one Secret"
        problems.append(Problem(where=where, found=f"{len(parts)} hosts", expected=expected))
    return tuple(sorted(hosts)), problems
