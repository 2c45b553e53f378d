"""Hosts of ECR registries."""

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from pullkeeper.domain.errors.validation import Problem, quoted

PUBLIC_HOSTS = frozenset({"public.ecr.aws", "ecr-public.aws.com"})
PUBLIC_REGION = "us-east-1"
"""The only region that issues tokens for ECR Public."""

# What both of AWS's own credential helpers accept, in every partition, including FIPS and dual-stack hosts.
_HOST = re.compile(
    r"(?P<account>[0-9]{12})\.dkr[.-]ecr(?P<fips>-fips)?\.(?P<region>[a-zA-Z0-9][a-zA-Z0-9_-]*)\."
    r"(?P<suffix>amazonaws\.(?:com(?:\.cn)?|eu)|on\.(?:aws|amazonwebservices\.com\.cn)"
    r"|sc2s\.sgov\.gov|c2s\.ic\.gov|cloud\.adc-e\.uk|csp\.hci\.ic\.gov)"
)
_PARTITIONS = {
    ".amazonaws.com.cn": "aws-cn",
    ".amazonwebservices.com.cn": "aws-cn",
    ".amazonaws.eu": "aws-eusc",
    ".c2s.ic.gov": "aws-iso",
    ".sc2s.sgov.gov": "aws-iso-b",
    ".cloud.adc-e.uk": "aws-iso-e",
    ".csp.hci.ic.gov": "aws-iso-f",
}
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
        for suffix, partition in _PARTITIONS.items():
            if self.name.endswith(suffix):
                return partition
        return "aws-us-gov" if self.region.startswith("us-gov-") else "aws"


@lru_cache(maxsize=1024)
def parse(text: str) -> RegistryHost:
    """Parse a registry host; raises ValueError with the expected form."""
    if text in PUBLIC_HOSTS:
        return RegistryHost(name=text, region=PUBLIC_REGION, public=True)
    if match := _HOST.fullmatch(text):
        return RegistryHost(
            name=text,
            region=match["region"],
            account=match["account"],
            fips=match["fips"] is not None,
            dual_stack=match["suffix"].startswith("on."),
        )
    raise ValueError(_advice(text))


def _advice(text: str) -> str:
    plain = _stripped(text)
    if plain != text and (plain in PUBLIC_HOSTS or _HOST.fullmatch(plain)):
        return f'only the host, in lower case: "{plain}"'
    return FORM


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
    parts = [part.strip() for part in _SEPARATORS.split(value)]
    hosts: dict[str, RegistryHost] = {}
    problems = []
    for part in filter(None, parts):
        try:
            hosts[part] = parse(part)
        except ValueError as error:
            problems.append(Problem(where=where, found=quoted(part), expected=str(error)))
    if len(hosts) > MAX_REGISTRIES:
        expected = f"at most {MAX_REGISTRIES}, the number that fits into one Secret"
        problems.append(Problem(where=where, found=f"{len(hosts)} hosts", expected=expected))
    return tuple(sorted(hosts.values())), problems
