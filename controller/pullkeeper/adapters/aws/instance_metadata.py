"""The instance metadata service: the node's, whose role every pod of it could use, or one beside the controller."""

import os
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from botocore.session import Session
from botocore.utils import METADATA_BASE_URL, get_environ_proxies

from pullkeeper.domain.errors.failures import Failure, Reason


class MetadataProxiedError(Exception):
    """There are no credentials, and the instance metadata service is asked through a proxy."""


def is_private(session: Session) -> bool:
    """Whether the service is at a loopback address, so that its credentials are no node's.

    The network namespace of a pod is its own, so a container of the pod serves there (`aws_signing_helper serve`).
    A name may be anybody's, and so may be what a proxy answers.
    """
    url = _url(session)
    return _is_loopback(urlsplit(url).hostname or "") and not _is_proxied(url)


def private_url(session: Session) -> str:
    """Return where the service in the pod would be asked, "" if there is none."""
    return _url(session) if is_private(session) and not _is_disabled() else ""


def is_only_proxied(session: Session, *, allow_node_instance_role: bool) -> bool:
    """Whether the service would be asked for credentials if no proxy were before it; botocore exempts none."""
    url = _url(session)
    wanted = allow_node_instance_role or _is_loopback(urlsplit(url).hostname or "")
    return wanted and not _is_disabled() and _is_proxied(url)


def node_role_failure() -> Failure:
    """Return the failure for credentials of the node."""
    message = (
        "the only credentials found are the node's instance role, which every pod of the node could use: give the "
        "controller's ServiceAccount a role (IRSA or EKS Pod Identity), or set allowNodeInstanceRole if this is "
        "intended; a service in the pod itself is taken for one only by a loopback address, such as "
        "AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:9911"
    )
    return Failure(reason=Reason.NODE_ROLE_REFUSED, message=message)


def _url(session: Session) -> str:
    return str(session.get_config_variable("ec2_metadata_service_endpoint") or METADATA_BASE_URL)


def _is_disabled() -> bool:
    return os.environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _is_proxied(url: str) -> bool:
    find_proxies: Callable[[str], Any] = get_environ_proxies  # the library has no types
    return urlsplit(url).scheme in find_proxies(url)
