"""What a cluster adds to every run of a namespace by itself: a mutating admission policy, as administrators write them."""

from __future__ import annotations

import copy
import json
from typing import Any

from ..cluster import RUNS, Cluster, Obj, until

_API = "admissionregistration.k8s.io/v1"


def adding_to_runs(namespace: str, values: dict[str, Any]) -> list[Obj]:
    """The objects by which new runs of a namespace get these values, in the place of their own.

    Args:
        namespace: whose runs.
        values: by path below the spec, with slashes. No lists of objects: with those an API server of 1.36 ends the request.
    """
    parts = (
        f'JSONPatch{{op: "add", path: "/spec/{path}", value: {_cel(value, _kind(path))}}}'
        for path, value in values.items()
    )
    rule = {
        "apiGroups": ["reflection.training"],
        "apiVersions": ["*"],
        "operations": ["CREATE"],
        "resources": ["reflectiontrainings"],
    }
    policy = {
        "matchConstraints": {"resourceRules": [rule]},
        "reinvocationPolicy": "Never",
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": f"[{', '.join(parts)}]"}}],
    }
    here = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
    binding = {"policyName": namespace, "matchResources": here}
    return [
        {
            "apiVersion": _API,
            "kind": f"MutatingAdmission{kind}",
            "metadata": {"name": namespace},
            "spec": spec,
        }
        for kind, spec in (("Policy", policy), ("PolicyBinding", binding))
    ]


def wait_until_added(cluster: Cluster, namespace: str, values: dict[str, Any], trial: Obj) -> None:
    """Wait until new runs of a namespace get these values, as one would that is valid without them."""
    without = copy.deepcopy(trial)
    for path in values:
        _parent(without, path).pop(_last(path), None)

    def added() -> bool:
        runs = f"{RUNS}/namespaces/{namespace}/reflectiontrainings"
        answer = cluster.try_to_create(runs, without, dryRun="All")
        return all(_parent(answer, path).get(_last(path)) for path in values)

    until(added, "policy in force")


def _cel(value: Any, kind: str) -> str:
    """A value in the language of policies, where an object has a type, named by its place."""
    if isinstance(value, list):
        return f"[{', '.join(_cel(each, kind) for each in value)}]"
    if not isinstance(value, dict):
        return json.dumps(value)
    if not all(name.isidentifier() for name in value):
        return json.dumps(value)
    fields = (f"{name}: {_cel(each, f'{kind}.{name}')}" for name, each in value.items())
    return f"{kind}{{{', '.join(fields)}}}"


def _kind(path: str) -> str:
    return ".".join(("Object.spec", *path.split("/")))


def _last(path: str) -> str:
    return path.rpartition("/")[2]


def _parent(resource: Obj, path: str) -> Obj:
    place: Obj = resource.get("spec", {})
    for name in path.split("/")[:-1]:
        place = place.get(name, {})
    return place
