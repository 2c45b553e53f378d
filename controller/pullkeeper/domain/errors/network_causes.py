"""Causes on the way to AWS: certificates, proxies, names, silence, answers that are none of AWS's."""

from pullkeeper.domain.errors.causes import Cause
from pullkeeper.domain.errors.failures import Reason

_EGRESS = "{fips}check DNS, egress (NetworkPolicy, proxy, VPC endpoint) and the region's name"
_SOURCE = "check the credential_process of the profile, the Pod Identity agent of the node, or the way to STS"

NETWORK_CAUSES = (
    Cause(
        raised=("SSLError",),
        words=r"FileNotFoundError|PermissionError|IsADirectoryError|NO_CERTIFICATE_OR_CRL_FOUND|PEM lib|PEM_read",
        reason=Reason.CONFIGURATION_INVALID,
        what="the file of CA certificates cannot be read, or holds none",
        fix="correct AWS_CA_BUNDLE (or ca_bundle, REQUESTS_CA_BUNDLE): it names a mounted PEM file",
    ),
    Cause(
        raised=("SSLError",),
        words="certificate has expired|not yet valid",
        reason=Reason.CERTIFICATE_UNTRUSTED,
        what="the certificate of {asked} is not valid at this time",
        fix="set the node's clock if it is wrong; else renew the certificate of the proxy or endpoint in between",
    ),
    Cause(
        raised=("SSLError",),
        words="hostname mismatch|ip address mismatch|doesn't match|not valid for",
        reason=Reason.CERTIFICATE_UNTRUSTED,
        what="the certificate that {asked} shows is another host's",
        fix="see what DNS, AWS_ENDPOINT_URL or a proxy puts in the place of AWS there",
    ),
    Cause(
        raised=("SSLError",),
        words="CERTIFICATE_VERIFY_FAILED|self.signed|unable to get",
        reason=Reason.CERTIFICATE_UNTRUSTED,
        what="the certificate of {asked} is of a CA that is not known",
        fix="mount the CA of the proxy that inspects TLS and name its file in AWS_CA_BUNDLE (docs: Behind a proxy)",
    ),
    Cause(
        raised=("SSLError",),
        reason=Reason.NETWORK_UNREACHABLE,
        what="TLS with {asked} fails",
        fix="see what stands in between and does not speak TLS; " + _EGRESS,
    ),
    Cause(
        raised=("ProxyConnectionError",),
        words=r"Tunnel connection failed: 407",
        reason=Reason.PROXY_REFUSED,
        what="the proxy wants a login before it connects to {asked}",
        fix="put the login into HTTPS_PROXY, or exempt AWS's hosts (NO_PROXY, VPC endpoints)",
    ),
    Cause(
        raised=("ProxyConnectionError",),
        words=r"Tunnel connection failed: (40[0-9]|451)",
        reason=Reason.PROXY_REFUSED,
        what="the proxy refuses to connect to {asked}",
        fix="allow AWS's hosts there, or exempt them (NO_PROXY, VPC endpoints)",
    ),
    Cause(
        raised=("ProxyConnectionError",),
        words=r"Tunnel connection failed",
        reason=Reason.NETWORK_UNREACHABLE,
        what="no response from {asked}: the proxy could not connect to it",
        fix="see the proxy's log; " + _EGRESS,
    ),
    Cause(
        raised=("ProxyConnectionError",),
        reason=Reason.NETWORK_UNREACHABLE,
        what="no response from {asked}: the proxy cannot be reached",
        fix="correct HTTPS_PROXY, or exempt AWS's hosts (NO_PROXY, VPC endpoints); " + _EGRESS,
    ),
    Cause(
        raised=("EndpointConnectionError", "ConnectionError"),
        words="NameResolutionError|gaierror|name or service not known|name resolution",
        reason=Reason.NETWORK_UNREACHABLE,
        what="no response from {asked}: its name cannot be resolved",
        fix=_EGRESS,
    ),
    Cause(
        raised=("EndpointConnectionError", "ConnectionError"),
        words="refused",
        reason=Reason.NETWORK_UNREACHABLE,
        what="no response from {asked}: nothing listens there",
        fix="see AWS_ENDPOINT_URL; " + _EGRESS,
    ),
    Cause(
        raised=(
            "EndpointConnectionError",
            "ConnectTimeoutError",
            "ReadTimeoutError",
            "ConnectionClosedError",
            "ConnectionError",
            "HTTPClientError",
        ),
        reason=Reason.NETWORK_UNREACHABLE,
        what="no response from {asked}",
        fix=_EGRESS,
    ),
    Cause(
        raised=(
            "ResponseStreamingError",
            "IncompleteReadError",
            "AwsChunkedWrapperError",
            "ChecksumError",
            "FlexibleChecksumError",
        ),
        reason=Reason.NETWORK_UNREACHABLE,
        what="the answer of {asked} broke off or was changed on the way",
        fix="the request is retried; if it lasts, " + _EGRESS,
    ),
    Cause(
        raised=("DeadlineError", "TooManyHangingError"),
        unsent=True,
        reason=Reason.CREDENTIALS_TIMEOUT,
        what="{own} from {asked}: the credential source did not answer in time",
        fix=_SOURCE,
    ),
    Cause(
        raised=("DeadlineError", "TooManyHangingError"),
        reason=Reason.NETWORK_UNREACHABLE,
        what="{own} from {asked}",
        fix=_EGRESS,
    ),
    Cause(
        raised=("CapacityNotAvailableError",),
        reason=Reason.THROTTLED,
        what="the client itself holds requests back after many failures",
        fix="the request is retried; the failures before it have their own cause",
    ),
)

UNREADABLE = Cause(
    raised=(
        "ResponseParserError",
        "KeyError",
        "IndexError",
        "TypeError",
        "AttributeError",
        "ValueError",
        "JSONDecodeError",
        "UnicodeDecodeError",
        "OverflowError",
        "Exception",
    ),
    reason=Reason.MALFORMED_ANSWER,
    what="the response of {asked} could not be read",
    fix="check proxies between here and AWS: something answers in its place",
)
"""For every exception that is not known."""
