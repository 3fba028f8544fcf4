"""Folders of this machine as volumes that pods under the restricted Pod Security Standard may mount."""

from __future__ import annotations

from pathlib import Path

from ..cluster import CORE, Cluster, Obj


def offer(cluster: Cluster, namespace: str, name: str, folder: Path) -> None:
    """A claim of that name, read-only, bound to a folder of every node."""
    size = {"storage": "1Gi"}
    volume = f"{namespace}-{name}"
    common = {"accessModes": ["ReadOnlyMany"], "storageClassName": ""}
    cluster.create(
        f"{CORE}/persistentvolumes",
        {
            "metadata": {"name": volume},
            "spec": common
            | {
                "capacity": size,
                "hostPath": {"path": str(folder)},
                "claimRef": {"namespace": namespace, "name": name},
                "persistentVolumeReclaimPolicy": "Retain",
            },
        },
    )
    cluster.create(
        f"{CORE}/namespaces/{namespace}/persistentvolumeclaims",
        {
            "metadata": {"name": name},
            "spec": common | {"resources": {"requests": size}, "volumeName": volume},
        },
    )


def environment(folders: tuple[Path, ...]) -> Obj:
    """What a resource asks for, `spec.pods.common`, so that its pods have these folders at the places they have here."""
    names = {f"environment-{number}": folder for number, folder in enumerate(folders)}
    claims = [
        {"name": name, "persistentVolumeClaim": {"claimName": name, "readOnly": True}} for name in names
    ]
    mounts = [{"name": name, "mountPath": str(folder), "readOnly": True} for name, folder in names.items()]
    return {"volumes": claims, "volumeMounts": mounts}
