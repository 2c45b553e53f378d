"""Hosts of ECR registries."""

import re
import string
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from pullkeeper.domain.ecr.partitions import PARTITIONS, partition_of
from pullkeeper.domain.errors.validation import Problem, quoted
from pullkeeper.domain.kube.annotation_lists import BLANKS, MAX_PARTS, parts, trimmed

PUBLIC_HOSTS = ("public.ecr.aws", "ecr-public.aws.com")
PUBLIC_REGION = "us-east-1"
"""The only region that issues tokens for ECR Public."""

MAX_PASTED = 1000
"""Longest text that is searched for a host, for the advice."""

# The chart's admission policy is generated from these patterns: they have to mean the same in Go's RE2.
_PUBLIC = "|".join(map(re.escape, PUBLIC_HOSTS))
_ENDPOINT = r"[0-9]{12}\.dkr[.-]ecr(?:-fips)?\."


def _either(texts: Iterable[str]) -> str:
    """Return a pattern of any of these texts; the longest first, since one may begin with another."""
    return "|".join(re.escape(text) for text in sorted(texts, key=lambda text: (-len(text), text)))


_IN_PARTITIONS = "|".join(rf"{each.region_pattern}\.(?:{_either(filter(None, each.suffixes))})" for each in PARTITIONS)
HOST = rf"{_PUBLIC}|{_ENDPOINT}(?:{_IN_PARTITIONS})"
"""Exactly the valid hosts: with a region of a partition, in a domain of that partition."""
_SUFFIXES = _either({each for partition in PARTITIONS for each in filter(None, partition.suffixes)})
_ANY_REGION = r"[a-z0-9][a-z0-9_-]{0,62}"
ANY_HOST = rf"{_PUBLIC}|{_ENDPOINT}{_ANY_REGION}\.(?:{_SUFFIXES})"
"""The form that both of AWS's own credential helpers accept: any region, with any of the domains."""
PASTED = rf"^(?:[a-z]+:)?(?://)?(?:[a-z0-9:_-]*@)?(?:{ANY_HOST})\.?(?:[/:?#]|$)"
"""A host in lower case with what people paste along with it: scheme, user, port, path, trailing dot."""

_HOST = re.compile(HOST)
_ANY_HOST = re.compile(ANY_HOST)
_PASTED = re.compile(PASTED)
_PARTS = re.compile(
    rf"(?P<account>[0-9]{{12}})\.dkr[.-]ecr(?P<fips>-fips)?\.(?P<region>{_ANY_REGION})\.(?P<suffix>{_SUFFIXES})"
)
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_PSEUDO_REGION = re.compile(r"fips-(?P<region>.+)|(?P<same>.+)-fips")
MAX_REGISTRIES = 200
"""An entry takes about 3 KiB, and a Secret holds 1 MiB."""
TOO_MANY = f"at most {MAX_REGISTRIES}, the number that fits into one Secret"
FORM = '"ACCOUNT.dkr.ecr.REGION.amazonaws.com" (or its form in another partition) or "public.ecr.aws"'
NO_REGION = f"a region such as eu-west-1, in {FORM}"


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
    if match := _HOST.fullmatch(text) and _PARTS.fullmatch(text):
        return RegistryHost(
            name=text,
            region=match["region"],
            account=match["account"],
            fips=match["fips"] is not None,
            dual_stack=match["suffix"].startswith("on."),
        )
    raise ValueError(_advice(text))


def _advice(text: str) -> str:
    """Return what is expected instead of an invalid host: the host itself, where it can be told."""
    pasted = _PASTED.search(text[:MAX_PASTED].strip(BLANKS).translate(_LOWER))
    found = _ANY_HOST.search(pasted[0]) if pasted else None
    if found is None:
        return FORM
    match = _PARTS.fullmatch(found[0])
    if match is None or _HOST.fullmatch(found[0]):
        return f'only the host, in lower case: "{found[0]}"'
    return _region_advice(match)


def _region_advice(match: re.Match[str]) -> str:
    region, fips = match["region"], match["fips"] or ""
    if pseudo := _PSEUDO_REGION.fullmatch(region):
        region, fips = pseudo["region"] or pseudo["same"], "-fips"
    try:
        partition = partition_of(region)
    except ValueError:
        return f'{NO_REGION}; "{region}" is none'
    dual_stack = match["suffix"].startswith("on.") and partition.dual_stack_suffix
    start = f"{match['account']}.dkr-ecr" if dual_stack else f"{match['account']}.dkr.ecr"
    host = f"{start}{fips}.{region}.{dual_stack or partition.suffix}"
    return f'"{host}": {region} is a region of the partition {partition.name}'


def parse_registries(value: str, where: str) -> tuple[tuple[RegistryHost, ...], list[Problem]]:
    """Parse a comma- or newline-separated list; returns the valid hosts, in the order written, and the problems.

    Too many hosts are one problem, and none of them is parsed.
    """
    written = parts(value)
    if len(written) > MAX_PARTS:
        return (), [Problem(where=where, found=f"{len(written)} parts", expected=TOO_MANY)]
    given = trimmed(written)
    if len(given) > MAX_REGISTRIES:
        return (), [Problem(where=where, found=f"{len(given)} hosts", expected=TOO_MANY)]
    hosts, problems = [], []
    for part in given:
        try:
            hosts.append(parse(part))
        except ValueError as error:
            problems.append(Problem(where=where, found=quoted(part), expected=str(error)))
    return tuple(dict.fromkeys(hosts)), problems
