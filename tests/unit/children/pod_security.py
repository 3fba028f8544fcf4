"""The restricted Pod Security Standard, as its published policy words it: what a pod does wrong.

Written from https://kubernetes.io/docs/concepts/security/pod-security-standards/ and not from our builders.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

VOLUME_TYPES = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret",
}  # fmt: skip
SECCOMP = {"RuntimeDefault", "Localhost"}


def violations(pod: dict[str, Any]) -> list[str]:
    """Everything in a pod's spec that the restricted standard forbids."""
    security = pod.get("securityContext", {})
    return [
        *(f"{name} is set" for name in ("hostNetwork", "hostPID", "hostIPC") if pod.get(name)),
        *(["sysctls are set"] if security.get("sysctls") else []),
        *_volumes(pod),
        *(
            found
            for kind in ("initContainers", "containers", "ephemeralContainers")
            for container in pod.get(kind, [])
            for found in _container(container, security)
        ),
    ]


def _volumes(pod: dict[str, Any]) -> Iterator[str]:
    for volume in pod.get("volumes", []):
        for source in volume.keys() - {"name"} - VOLUME_TYPES:
            yield f"volume {volume['name']} is a {source}"


def _container(container: dict[str, Any], pod_security: dict[str, Any]) -> Iterator[str]:
    security = pod_security | container.get("securityContext", {})
    capabilities = security.get("capabilities", {})
    wrongs = {
        "is privileged": bool(security.get("privileged")),
        "may escalate its privileges": security.get("allowPrivilegeEscalation") is not False,
        "keeps capabilities": "ALL" not in capabilities.get("drop", []),
        "adds capabilities": bool(set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}),
        "may run as root": security.get("runAsNonRoot") is not True,
        "runs as root": security.get("runAsUser") == 0,
        "has no seccomp profile": security.get("seccompProfile", {}).get("type") not in SECCOMP,
        "unmasks /proc": security.get("procMount", "Default") != "Default",
        "takes a port of the host": any(port.get("hostPort") for port in container.get("ports", [])),
    }
    for what, wrong in wrongs.items():
        if wrong:
            yield f"{container['name']} {what}"
