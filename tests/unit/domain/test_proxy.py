"""Which requests go through a proxy."""

import pytest

from pullkeeper.domain.proxy import proxy_for

PROXY = "http://proxy.example:3128"
HOST, ADDRESS, SIX = "https://kube.prod.example:6443", "https://10.96.0.1:443", "https://[fd00::1]:443"


def through(server: str, no_proxy: str = "") -> str | None:
    return proxy_for(server, {"HTTPS_PROXY": PROXY, "NO_PROXY": no_proxy})


@pytest.mark.parametrize(
    ("server", "no_proxy"),
    [
        (HOST, "kube.prod.example"),
        (HOST, "other, prod.example"),
        (HOST, ".prod.example"),
        (HOST, "*.example"),
        (HOST, "EXAMPLE"),
        (HOST, "kube.prod.example:6443"),
        (HOST, "*"),
        (ADDRESS, "10.96.0.1"),
        (ADDRESS, "127.0.0.0/8,10.96.0.0/12"),
        (ADDRESS, "10.96.0.1/12"),
        (ADDRESS, "10.96.0.1:443"),
        ("https://10.96.0.1", "10.96.0.1:443"),
        (ADDRESS, "*"),
        (SIX, "fd00::/8"),
        (SIX, "fd00::1"),
        (SIX, "[fd00::1]:443"),
    ],
)
def test_no_proxy_exempts_a_server(server: str, no_proxy: str) -> None:
    """By name, domain, address or network, with or without its port."""
    assert through(server) == PROXY
    assert through(server, no_proxy) is None


@pytest.mark.parametrize(
    ("server", "no_proxy"),
    [
        (HOST, "rod.example"),
        (HOST, ".kube.prod.example"),
        (HOST, "kube.prod.example:443"),
        (HOST, "10.0.0.0/8"),
        (ADDRESS, "10.112.0.0/12"),
        (ADDRESS, "10.96.0.1:6443"),
        (ADDRESS, "kube.prod.example"),
        (ADDRESS, "fd00::/8"),
        (SIX, "10.0.0.0/8"),
        (HOST, " , "),
    ],
)
def test_what_no_proxy_does_not_name_is_proxied(server: str, no_proxy: str) -> None:
    """A part of a name, another network, family or port."""
    assert through(server, no_proxy) == PROXY


@pytest.mark.parametrize(
    ("environment", "proxy"),
    [
        ({}, None),
        ({"HTTP_PROXY": PROXY}, None),
        ({"https_proxy": PROXY}, PROXY),
        ({"HTTPS_PROXY": "proxy:3128"}, "http://proxy:3128"),
        ({"HTTPS_PROXY": PROXY, "no_proxy": "prod.example"}, None),
        ({"HTTPS_PROXY": "http://other", "https_proxy": PROXY}, PROXY),
    ],
)
def test_variables(environment: dict[str, str], proxy: str | None) -> None:
    """In either case; that of the other scheme does not count."""
    assert proxy_for(HOST, environment) == proxy


@pytest.mark.parametrize("server", ["https://127.0.0.1:6443", "https://localhost:6443", "https://[::1]:6443"])
def test_this_machine_is_never_proxied(server: str) -> None:
    """As in kubectl."""
    assert through(server) is None
