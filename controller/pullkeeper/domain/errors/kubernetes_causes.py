"""Causes for which the API server cannot be reached, by the names of what aiohttp raises."""

from pullkeeper.domain.errors.causes import Cause, CauseTable
from pullkeeper.domain.errors.failures import Actor, Reason

_PROXY = "check HTTPS_PROXY and NO_PROXY"


def _cause(*raised: str, what: str, fix: str, words: str = "", actor: Actor = Actor.OPERATOR) -> Cause:
    return Cause(raised=raised, words=words, reason=Reason.KUBERNETES_UNAVAILABLE, what=what, fix=fix, actor=actor)


KUBERNETES_CAUSES = CauseTable(
    (
        _cause(
            "ClientConnectorCertificateError",
            words="certificate has expired|not yet valid",
            what="its certificate is not valid at this time ({why})",
            fix="renew it, or set the node's clock",
        ),
        _cause(
            "ClientConnectorCertificateError",
            words="hostname mismatch|ip address mismatch|doesn't match|not valid for",
            what="its certificate is another host's ({why})",
            fix="use a name that it was issued for, or see what answers in the place of the API server",
        ),
        _cause(
            "ClientConnectorCertificateError",
            what="its certificate is not trusted by {trusted} ({why})",
            fix="give the CA of the API server, and see whether a proxy that inspects TLS is in between (NO_PROXY)",
        ),
        _cause(
            "ClientHttpProxyError",
            what="the proxy {proxy} answered with status {status}",
            fix=_PROXY,
        ),
        _cause("ClientProxyConnectionError", what="the proxy {proxy} cannot be reached", fix=_PROXY),
        _cause(
            "ClientConnectorSSLError",
            what="the other end does not speak TLS",
            fix="check address and port",
        ),
        _cause("ClientConnectorDNSError", what="its name cannot be resolved", fix="check DNS"),
        _cause(
            "ClientConnectorError",
            words="ConnectionRefusedError",
            what="nothing listens there",
            fix="check address and port",
        ),
        _cause(
            "ClientConnectorError",
            what="no connection can be made ({why})",
            fix="check address, routes and egress, such as a NetworkPolicy",
        ),
        _cause(
            "InvalidURL",
            "NonHttpUrlClientError",
            what="its address is no URL",
            fix="correct the cluster's server in the kubeconfig",
        ),
        _cause(
            "TimeoutError",
            what="no answer in time",
            fix="check the network on the way, such as a NetworkPolicy or a firewall",
        ),
        _cause(
            "ServerDisconnectedError",
            "ClientOSError",
            "ClientPayloadError",
            "ConnectionError",
            what="the connection was broken off",
            fix="the request is retried; if it lasts, see the load balancer in front of the API server",
            actor=Actor.NOBODY,
        ),
        _cause(
            "Exception",
            what="the response could not be read",
            fix="see what answers in the place of the API server: a proxy, a load balancer",
        ),
    )
)
