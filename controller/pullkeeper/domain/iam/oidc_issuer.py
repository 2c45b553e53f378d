"""Whether AWS could verify the tokens of an issuer: by its name, and by the keys that it publishes."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, urlsplit

from pullkeeper.domain.errors.text import listed, printable

_MAX_TEXT = 255
_INTERNAL = frozenset(
    ("corp", "home", "internal", "intranet", "invalid", "lan", "local", "localhost", "private", "svc", "test")
)
"""Names of which nobody has the public ones: RFC 6762 (appendix G), RFC 6761, ICANN's .internal, and Kubernetes'."""
_MATERIAL = ("kty", "crv", "n", "e", "x", "y")
"""The members of a key that make it this key, whatever its kind: RFC 7638."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PublicKey:
    """One key of a key set; two are equal if both verify the same tokens."""

    key_id: str
    material: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Discovery:
    """What an issuer's discovery document says."""

    issuer: str
    jwks_uri: str


def read_discovery(document: object) -> Discovery:
    """Read a discovery document; raises ValueError for what is none."""
    if not isinstance(document, Mapping):
        raise ValueError("it is no JSON object")  # noqa: TRY004 -- one kind of error for whatever is wrong with it
    return Discovery(issuer=_member(document, "issuer"), jwks_uri=_member(document, "jwks_uri"))


def read_keys(document: object) -> AbstractSet[PublicKey]:
    """Read a key set; raises ValueError for what is none."""
    listed_keys = document.get("keys") if isinstance(document, Mapping) else None
    keys = [each for each in listed_keys if isinstance(each, Mapping)] if isinstance(listed_keys, list) else []
    if not keys:
        raise ValueError("it holds no keys")
    return frozenset(_key(each) for each in keys)


def unusable_url(url: str) -> str:
    """Return what keeps IAM from using an issuer, or a key set, at this URL, whatever is there; "" if nothing does."""
    parts = _split(url)
    if parts is None or parts.scheme != "https" or not parts.hostname:
        return "is no https:// URL"
    if parts.query or parts.fragment:
        return "has a query, which IAM does not take"
    return "looks internal: AWS has to reach it" if is_internal(url) else ""


def has_port(issuer: str) -> bool:
    """Return whether an issuer names a port, which IAM does not take in the URL of a provider."""
    return ":" in issuer.removeprefix("https://").partition("/")[0]


def is_internal(url: str) -> bool:
    """Return whether the name in a URL looks as if only its own network could reach it."""
    parts = _split(url)
    host = ((parts.hostname if parts else None) or "").rstrip(".")
    if _is_address(host):
        return not ip_address(host).is_global
    is_api_server = host.startswith("kubernetes.default.svc.")
    return "." not in host or is_api_server or host.rpartition(".")[2] in _INTERNAL or host.endswith(".home.arpa")


def are_private(addresses: AbstractSet[str]) -> bool:
    """Return whether these addresses, of which there may be none, are all of private networks."""
    return bool(addresses) and not any(ip_address(each.partition("%")[0]).is_global for each in addresses)


def mismatch(issuer: str, discovery: Discovery) -> str:
    """Return why AWS would not take this document for that of the issuer, "" if it would."""
    if discovery.issuer != issuer:
        return f"its discovery document is that of {printable(discovery.issuer, _MAX_TEXT)}"
    why = unusable_url(discovery.jwks_uri)
    return why and f"its discovery document says that the key set is at {printable(discovery.jwks_uri)}, which {why}"


def unpublished(cluster: AbstractSet[PublicKey], published: AbstractSet[PublicKey]) -> str:
    """Return which of the cluster's keys are not published, "" if all are."""
    return listed(sorted(key.key_id for key in cluster - published))


def _key(key: Mapping[str, Any]) -> PublicKey:
    material = tuple(str(key.get(name, "")).rstrip("=") for name in _MATERIAL)
    return PublicKey(key_id=printable(str(key.get("kid", "without an id")), _MAX_TEXT), material=material)


def _member(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str):
        raise ValueError(f"it names no {name}")  # noqa: TRY004 -- likewise
    return value


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return parts


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
