"""The host names of AWS that exist: those of botocore's own list of endpoints, and the registries beside them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final

from botocore.loaders import Loader

PUBLIC_HOSTS: Final = frozenset({"public.ecr.aws", "ecr-public.aws.com"})
_SERVICES: Final = {"api.ecr": "ecr", "api.ecr-public": "ecr-public", "sts": "sts", "rolesanywhere": "rolesanywhere"}
_REGISTRY: Final = re.compile(r"(?P<account>\d{12})\.(?P<domain>dkr[a-z0-9.-]+)", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """One host of an API: what a request to it must be signed for, and whose credentials it knows."""

    host: str
    service: str
    region: str
    partition: str
    fips: bool = False
    dual_stack: bool = False


@cache
def endpoints() -> Mapping[str, Endpoint]:
    """Every endpoint of ECR, ECR Public, STS and IAM Roles Anywhere, by its host; none for what is not listed."""
    return {each.host: each for partition in Loader().load_data("endpoints")["partitions"] for each in _of(partition)}


@cache
def registry_domains() -> Mapping[str, str]:
    """Give the region of each registry domain, which is a registry's host without the account."""
    return {_domain(each): each.region for each in endpoints().values() if each.service == "ecr"}


def registry_region(host: str) -> str | None:
    """Give the region of a private registry; None for the public ones and for what is no registry."""
    match = _REGISTRY.fullmatch(host)
    return registry_domains().get(match["domain"]) if match else None


def registry_host(account: str, region: str) -> str:
    """Give the host of an account's private registry in a region, in its plain form; raises KeyError."""
    return f"{account}.{_plain_domains()[region]}"


def exists(host: str) -> bool:
    """Whether a resolver would know the name."""
    return host in endpoints() or host in PUBLIC_HOSTS or registry_region(host) is not None


def _of(partition: Mapping[str, Any]) -> Iterator[Endpoint]:
    for key, service in _SERVICES.items():
        listed: Mapping[str, Any] = partition["services"].get(key, {"endpoints": {}})["endpoints"]
        for name, entry in listed.items():
            if not entry.get("deprecated"):  # pseudo-regions such as fips-us-east-1
                region = entry.get("credentialScope", {}).get("region", name)
                plain = {"hostname": entry.get("hostname", f"{key}.{name}.{partition['dnsSuffix']}"), "tags": []}
                place = Endpoint(host="", service=service, region=region, partition=partition["partition"])
                yield from _variants(place, [plain, *entry.get("variants", ())])


def _variants(place: Endpoint, variants: Iterable[Mapping[str, Any]]) -> Iterator[Endpoint]:
    for variant in variants:
        fips, dual_stack = "fips" in variant["tags"], "dualstack" in variant["tags"]
        for host in _names(variant):
            yield replace(place, host=host, fips=fips, dual_stack=dual_stack)


def _names(variant: Mapping[str, Any]) -> tuple[str, ...]:
    """Give the listed name, and for FIPS endpoints of ECR the one that botocore's rules give it, and clients call."""
    host: str = variant["hostname"]
    return (host, f"api.{host}") if host.startswith("ecr-fips.") and variant["tags"] == ["fips"] else (host,)


def _domain(endpoint: Endpoint) -> str:
    """Give the registries' domain that belongs to an endpoint of ECR."""
    suffix = endpoint.host.partition(f"{endpoint.region}.")[2]
    fips = "-fips" if endpoint.fips else ""
    if endpoint.dual_stack:
        return f"dkr-ecr{fips}.{endpoint.region}.on.{suffix.removeprefix('api.')}"
    return f"dkr.ecr{fips}.{endpoint.region}.{suffix}"


@cache
def _plain_domains() -> Mapping[str, str]:
    plain = [each for each in endpoints().values() if not (each.fips or each.dual_stack) and each.service == "ecr"]
    return {each.region: _domain(each) for each in plain}
