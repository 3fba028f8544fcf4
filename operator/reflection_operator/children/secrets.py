"""Secrets in a pod: as variables and as files."""

from __future__ import annotations

from typing import NamedTuple

from .attempt import Child

CA_KEY = "ca.crt"
_GROUP_READS = 0o440
"""Of the files with keys: root's, and the pod's group may read them."""


class Mount(NamedTuple):
    """A volume of ours and its place."""

    name: str
    path: str
    source: Child
    read_only: bool = False

    def volume(self) -> Child:
        """The entry of the pod's volumes."""
        return {"name": self.name, **self.source}

    def mount(self) -> Child:
        """The entry of the container's volumeMounts."""
        entry: Child = {"name": self.name, "mountPath": self.path}
        return entry | {"readOnly": True} if self.read_only else entry


def of_secret(name: str, key: str, variable: str | None = None, *, optional: bool = False) -> Child:
    """A variable with the value of a Secret's key, named like that key unless told."""
    reference: Child = {"name": name, "key": key}
    if optional:
        reference["optional"] = True
    return {"name": variable or key, "valueFrom": {"secretKeyRef": reference}}


def secret_files(name: str, *keys: str, optional: bool = False) -> Child:
    """A volume with a file for each of these keys; pods wait for the Secret and all of them, unless they are optional."""
    items = [{"key": key, "path": key} for key in keys]
    source: Child = {"secretName": name, "items": items, "defaultMode": _GROUP_READS}
    return {"secret": source | {"optional": True} if optional else source}
