"""Which pods get the pull Secret when they are created, as the chart's admission policy decides it.

For commands and tests: the policy itself, which the API server evaluates, is templates/admission-injection.yaml.
"""

import re
from collections.abc import Iterable
from enum import StrEnum

from pullkeeper.domain.config.policy import Policy
from pullkeeper.domain.ecr.registry_host import HOST, parse_registries
from pullkeeper.domain.namespace.annotations import ENABLED, INJECT, MAX_LENGTHS, REGISTRIES
from pullkeeper.domain.namespace.namespace import ObservedNamespace

_HOST = re.compile(HOST)


class Injection(StrEnum):
    """Whether the pods of a namespace are injected, or what prevents it."""

    INJECTED = "injected"
    OFF = "off"
    """The installation injects nothing."""
    EXCLUDED = "excluded"
    """The settings exclude the namespace."""
    DECLINED = "declined"
    """The namespace says `inject: "false"`."""
    OTHER_CLASS = "other-class"
    """The namespace is of a class that another installation serves."""
    OPTED_OUT = "opted-out"
    """Neither the namespace nor the settings opt it in."""


def injection(namespace: ObservedNamespace, policy: Policy) -> Injection:
    """Return whether the pods of a namespace that use an image of its registries are injected.

    An annotation that is invalid opts nobody out, because the controller keeps the pull Secret then, too.
    """
    if not policy.pod_injection:
        return Injection.OFF
    if not policy.serves(namespace, held=None):
        return Injection.OTHER_CLASS
    if policy.excludes(namespace):
        return Injection.EXCLUDED
    enabled = namespace.annotations.get(ENABLED)
    if enabled == "false" or (enabled is None and not policy.opts_in(namespace)):
        return Injection.OPTED_OUT
    return Injection.DECLINED if namespace.annotations.get(INJECT) == "false" else Injection.INJECTED


def injects(namespace: ObservedNamespace, policy: Policy, images: Iterable[str]) -> bool:
    """Return whether a new pod with these images gets the pull Secret, unless it names it or is a mirror pod."""
    if injection(namespace, policy) is not Injection.INJECTED:
        return False
    hosts = {host for host, slash, _ in (image.partition("/") for image in images) if slash}
    registries = _registries(namespace, policy)
    return any(host in registries if registries else _HOST.fullmatch(host) is not None for host in hosts)


def _registries(namespace: ObservedNamespace, policy: Policy) -> frozenset[str]:
    """Return the registries of a namespace; empty where they cannot be told, so that any could be meant."""
    value = namespace.annotations.get(REGISTRIES)
    if value is None:
        return frozenset(host.name for host in policy.registries)
    if len(value) > MAX_LENGTHS[REGISTRIES]:
        return frozenset()
    hosts, problems = parse_registries(value, REGISTRIES)
    return frozenset() if problems else frozenset(host.name for host in hosts)
