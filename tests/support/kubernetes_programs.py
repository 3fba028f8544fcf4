"""The programs of a Kubernetes control plane: where they are on this machine, or built from the pinned module."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from .go_tools import go_tool

VERSION = "1.36.4"
_STAMP = "k8s.io/component-base/version"
_LDFLAGS = (
    f"-s -w -X {_STAMP}.gitVersion=v{VERSION} -X {_STAMP}.gitMajor=1 -X {_STAMP}.gitMinor={VERSION.split('.')[1]}"
    f" -X {_STAMP}.gitTreeState=clean"
)
_PACKAGES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
}


@dataclass(frozen=True, slots=True)
class Programs:
    """Paths of what a control plane consists of, and of its client."""

    etcd: Path
    apiserver: Path
    controller_manager: Path
    kubectl: Path


def find_programs() -> Programs:
    """From KUBEBUILDER_ASSETS where it has them, else built (about ten minutes once; kept in the cache folder)."""
    return Programs(
        etcd=_find("etcd"),
        apiserver=_find("kube-apiserver"),
        controller_manager=_find("kube-controller-manager"),
        kubectl=_find("kubectl"),
    )


@dataclass(frozen=True, slots=True)
class NodePrograms:
    """Paths of what nodes need beside a control plane."""

    scheduler: Path
    kubelet: Path
    proxy: Path


def find_node_programs() -> NodePrograms:
    """Built (minutes, once; kept in the cache folder)."""
    names = ("kube-scheduler", "kubelet", "kube-proxy")
    return NodePrograms(
        *(go_tool("kubernetes-nodes", f"k8s.io/kubernetes/cmd/{name}", ldflags=_LDFLAGS) for name in names)
    )


def _find(name: str) -> Path:
    """envtest's assets lack the controller manager: each program is looked for by itself."""
    if assets := os.environ.get("KUBEBUILDER_ASSETS"):
        given = Path(assets) / name
        if given.is_file():
            return given
    return go_tool("kubernetes", _PACKAGES[name], ldflags=_LDFLAGS, name=name)
