"""Which proxy a server is reached through: Go's rule for the environment, which client-go and kubectl follow."""

from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

_PORTS = {"https": 443, "http": 80}


def proxy_for(server: str, environment: Mapping[str, str]) -> str | None:
    """Return the proxy that the environment names for a server, None for none.

    Names in NO_PROXY match themselves and their subdomains, `.name` the subdomains alone; addresses may be networks
    (CIDR); each may have a port; `*` stands for everything. This machine is never proxied. Source: Go's
    golang.org/x/net/http/httpproxy; but where a variable is set in both cases, the lower case wins, as for botocore.
    """
    url = urlsplit(server)
    host, proxy = url.hostname, _variable(environment, f"{url.scheme}_proxy")
    if not proxy or not host or _is_local(host):
        return None
    port = url.port or _PORTS.get(url.scheme)
    entries = [entry.strip().lower() for entry in _variable(environment, "no_proxy").split(",")]
    if any(_matches(entry, host, port) for entry in entries if entry):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _variable(environment: Mapping[str, str], name: str) -> str:
    return environment.get(name) or environment.get(name.upper()) or ""


def _is_local(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ip_address(host).is_loopback)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _matches(entry: str, host: str, port: int | None) -> bool:
    """Return whether an entry of NO_PROXY covers a host."""
    if entry == "*":
        return True
    if _is_address(host):
        return _covers(entry, host, port)
    name, _, of_port = entry.partition(":")
    if of_port and of_port != str(port):
        return False
    name = name.removeprefix("*")
    return host.endswith(name) if name.startswith(".") else host == name or host.endswith(f".{name}")


def _covers(entry: str, host: str, port: int | None) -> bool:
    """Return whether an entry is the address or a network around it."""
    if not _is_network(entry):
        name, _, of_port = entry.rpartition(":")
        entry = name.strip("[]")
        if of_port != str(port) or not _is_network(entry):
            return False
    network, address = ip_network(entry, strict=False), ip_address(host)
    return network.version == address.version and address in network


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True
