"""The permissions that the operator needs, made from what it does: no more, no fewer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .kinds import (
    FOR_PROGRESS_IN_CLUSTER,
    FOR_PROGRESS_IN_OWN_NAMESPACE,
    IN_OWN_NAMESPACE,
    IN_RUN_NAMESPACES,
    Kind,
)

NAME = "reflect-operator"
_API = "rbac.authorization.k8s.io"


def rules(kinds: Iterable[Kind]) -> list[dict[str, Any]]:
    """The rules of a role that may do what is done with the kinds."""
    return [rule for kind in kinds for rule in kind.rules()]


def manifests(
    namespaces: Sequence[str], own_namespace: str, service_account: str, *, progress: bool
) -> list[dict[str, Any]]:
    """Roles and their bindings: for the whole cluster where no namespaces are given, else Roles alone.

    With `progress` there is a ClusterRole besides, for the review of tokens alone.
    """
    subject = {"kind": "ServiceAccount", "name": service_account, "namespace": own_namespace}
    own = (*IN_OWN_NAMESPACE, *(FOR_PROGRESS_IN_OWN_NAMESPACE if progress else ()))
    objects = [_role("Role", NAME + "-lease", own_namespace, own, subject)]
    if namespaces:
        objects += [_role("Role", NAME, namespace, IN_RUN_NAMESPACES, subject) for namespace in namespaces]
    else:
        objects.append(_role("ClusterRole", NAME, None, IN_RUN_NAMESPACES, subject))
    if progress:
        # Two operators of one cluster, each for its own namespaces, must not share it.
        name = f"{NAME}-progress-{own_namespace}"
        objects.append(_role("ClusterRole", name, None, FOR_PROGRESS_IN_CLUSTER, subject))
    return [part for pair in objects for part in pair]


def _role(
    kind: str, name: str, namespace: str | None, kinds: Iterable[Kind], subject: dict[str, str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    role = {"apiVersion": f"{_API}/v1", "kind": kind, "metadata": metadata, "rules": rules(kinds)}
    binding = {
        "apiVersion": f"{_API}/v1",
        "kind": f"{kind}Binding",
        "metadata": metadata,
        "roleRef": {"apiGroup": _API, "kind": kind, "name": name},
        "subjects": [subject],
    }
    return role, binding
