"""The restricted Pod Security Standard, which includes baseline, as a table: https://kubernetes.io/docs/concepts/security/pod-security-standards/."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

Spec = Mapping[str, Any]

_VOLUMES = frozenset(
    {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
)
_SYSCTLS = frozenset(
    {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ping_group_range",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_syncookies",
    }
)
_SELINUX_TYPES = frozenset({"container_t", "container_init_t", "container_kvm_t", "container_engine_t"})


def violations(spec: Spec) -> list[str]:
    """Return the names of the controls that a pod spec violates."""
    return [name for name, passes in CONTROLS.items() if not passes(spec)]


def containers(spec: Spec) -> Iterator[Spec]:
    """Yield the containers of a pod, including init and ephemeral containers."""
    for kind in ("containers", "initContainers", "ephemeralContainers"):
        yield from spec.get(kind, [])


def _context(part: Spec) -> Spec:
    found: Spec = part.get("securityContext") or {}
    return found


def _contexts(spec: Spec) -> list[Spec]:
    return [_context(spec), *(_context(each) for each in containers(spec))]


def _effective(spec: Spec, key: str) -> list[object]:
    """Return the value that applies to each container: its own or else the pod's."""
    return [_context(each).get(key, _context(spec).get(key)) for each in containers(spec)]


def _capabilities(spec: Spec, key: str) -> list[list[str]]:
    return [_context(each).get("capabilities", {}).get(key, []) for each in containers(spec)]


def _ports(spec: Spec) -> Iterator[Spec]:
    for each in containers(spec):
        yield from each.get("ports", [])


def _handlers(spec: Spec) -> Iterator[Spec]:
    for each in containers(spec):
        probes = [each.get(f"{kind}Probe", {}) for kind in ("startup", "liveness", "readiness")]
        yield from (
            handler
            for part in (*probes, *each.get("lifecycle", {}).values())
            for handler in part.values()
            if isinstance(handler, dict)
        )


def _seccomp(spec: Spec) -> bool:
    kinds = [
        (profile or {}).get("type") if isinstance(profile, dict | None) else None
        for profile in _effective(spec, "seccompProfile")
    ]
    return all(kind in ("RuntimeDefault", "Localhost") for kind in kinds)


def _selinux(spec: Spec) -> bool:
    options = [context.get("seLinuxOptions", {}) for context in _contexts(spec)]
    return all(
        not ({"user", "role"} & each.keys()) and each.get("type", "container_t") in _SELINUX_TYPES for each in options
    )


def _apparmor(spec: Spec) -> bool:
    kinds = [context.get("appArmorProfile", {}).get("type", "RuntimeDefault") for context in _contexts(spec)]
    return all(kind in ("RuntimeDefault", "Localhost") for kind in kinds)


CONTROLS: Mapping[str, Callable[[Spec], bool]] = {
    "HostProcess": lambda spec: (
        not any(context.get("windowsOptions", {}).get("hostProcess") for context in _contexts(spec))
    ),
    "Host Namespaces": lambda spec: not any(spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")),
    "Privileged Containers": lambda spec: not any(_context(each).get("privileged") for each in containers(spec)),
    "Host Ports": lambda spec: not any(port.get("hostPort") for port in _ports(spec)),
    "Host Probes / Lifecycle Hooks": lambda spec: not any(handler.get("host") for handler in _handlers(spec)),
    "AppArmor": _apparmor,
    "SELinux": _selinux,
    "/proc Mount Type": lambda spec: all(
        _context(each).get("procMount", "Default") == "Default" for each in containers(spec)
    ),
    "Sysctls": lambda spec: all(each["name"] in _SYSCTLS for each in _context(spec).get("sysctls", [])),
    "Volume Types": lambda spec: all(volume.keys() - {"name"} <= _VOLUMES for volume in spec.get("volumes", [])),
    "Privilege Escalation": lambda spec: all(
        _context(each).get("allowPrivilegeEscalation") is False for each in containers(spec)
    ),
    "Running as Non-root": lambda spec: all(value is True for value in _effective(spec, "runAsNonRoot")),
    "Running as Non-root user": lambda spec: all(context.get("runAsUser") != 0 for context in _contexts(spec)),
    "Seccomp": _seccomp,
    "Capabilities dropped": lambda spec: all("ALL" in dropped for dropped in _capabilities(spec, "drop")),
    "Capabilities added": lambda spec: all(set(added) <= {"NET_BIND_SERVICE"} for added in _capabilities(spec, "add")),
}
"""The controls by their names in the documentation; what *restricted* says of one goes before *baseline*."""
