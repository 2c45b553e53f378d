"""Changes of a pod that passes *restricted*, each of which violates one control and no other."""

from typing import Any


def change(spec: dict[str, Any], part: str, value: Any) -> None:
    """Set one part of a pod spec; a number in its path is an index."""
    *path, last = part.split(".")
    inner: Any = spec
    for key in path:
        inner = inner[int(key)] if key.isdigit() else inner.setdefault(key, {})
    inner[int(last) if last.isdigit() else last] = value


MUTANTS: list[tuple[str, str, Any]] = [
    ("HostProcess", "securityContext.windowsOptions", {"hostProcess": True}),
    ("HostProcess", "containers.0.securityContext.windowsOptions", {"hostProcess": True}),
    ("Host Namespaces", "hostNetwork", True),
    ("Host Namespaces", "hostPID", True),
    ("Host Namespaces", "hostIPC", True),
    ("Privileged Containers", "containers.0.securityContext.privileged", True),
    ("Host Ports", "containers.0.ports", [{"containerPort": 8080, "hostPort": 8080}]),
    ("Host Probes / Lifecycle Hooks", "containers.0.livenessProbe.httpGet.host", "127.0.0.1"),
    (
        "Host Probes / Lifecycle Hooks",
        "containers.0.lifecycle",
        {"preStop": {"tcpSocket": {"host": "127.0.0.1", "port": 80}}},
    ),
    ("AppArmor", "securityContext.appArmorProfile", {"type": "Unconfined"}),
    ("SELinux", "securityContext.seLinuxOptions", {"type": "spc_t"}),
    ("SELinux", "containers.0.securityContext.seLinuxOptions", {"role": "system_r"}),
    ("/proc Mount Type", "containers.0.securityContext.procMount", "Unmasked"),
    ("Sysctls", "securityContext.sysctls", [{"name": "kernel.msgmax", "value": "1"}]),
    ("Volume Types", "volumes.0", {"name": "settings", "hostPath": {"path": "/"}}),
    ("Privilege Escalation", "containers.0.securityContext.allowPrivilegeEscalation", True),
    ("Privilege Escalation", "containers.0.securityContext", {"capabilities": {"drop": ["ALL"]}}),
    ("Running as Non-root", "containers.0.securityContext.runAsNonRoot", False),
    ("Running as Non-root", "securityContext.runAsNonRoot", None),
    ("Running as Non-root user", "containers.0.securityContext.runAsUser", 0),
    ("Running as Non-root user", "securityContext.runAsUser", 0),
    ("Seccomp", "securityContext.seccompProfile", None),
    ("Seccomp", "containers.0.securityContext.seccompProfile", {"type": "Unconfined"}),
    ("Capabilities dropped", "containers.0.securityContext.capabilities.drop", ["NET_RAW"]),
    ("Capabilities added", "containers.0.securityContext.capabilities.add", ["SYS_ADMIN"]),
]
"""Control, part, and the value that violates it."""
