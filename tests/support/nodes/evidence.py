"""What is left to read when a test on nodes has failed: objects, events and the ends of all logs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from ..cluster import Cluster, Obj

_OBJECTS = "reflectiontrainings,jobs,pods,resourcequotas,persistentvolumeclaims"
_LINES = 40
_TAIL = f"--tail={_LINES}"


def evidence(cluster: Cluster, *namespaces: str) -> str:
    """Of these namespaces, as text."""
    return "\n".join(_of_namespace(cluster, namespace) for namespace in namespaces)


@contextmanager
def telling(cluster: Cluster, *namespaces: str) -> Iterator[None]:
    """What fails within the block tells of these namespaces."""
    try:
        yield
    except Exception as error:
        error.add_note(evidence(cluster, *namespaces))
        raise


def restarted(pod: Obj) -> list[str]:
    """Names of its containers that were started more than once."""
    status = pod.get("status", {})
    containers = [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]
    return [each["name"] for each in containers if each["restartCount"]]


def _of_namespace(cluster: Cluster, namespace: str) -> str:
    where = ("--namespace", namespace)
    parts = [
        _said(cluster, "get", "nodes"),
        _said(cluster, "get", _OBJECTS, "--output", "wide", *where),
        _said(cluster, "get", "reflectiontrainings", "--output", "jsonpath={.items[*].status}", *where),
        _said(cluster, "get", "events", "--sort-by", ".metadata.creationTimestamp", *where),
    ]
    found = cluster.kubectl("get", "pods", "--output", "json", *where)
    for pod in json.loads(found.stdout)["items"] if found.returncode == 0 else ():
        name = pod["metadata"]["name"]
        parts.append(
            f"--- {name}\n{_said(cluster, 'logs', name, '--all-containers', '--prefix', _TAIL, *where)}"
        )
        parts += [
            f"--- {name}, {container} before its last restart\n"
            + _said(cluster, "logs", name, "--container", container, "--previous", _TAIL, *where)
            for container in restarted(pod)
        ]
    return f"=== namespace {namespace}\n" + "\n".join(parts)


def _said(cluster: Cluster, *words: str) -> str:
    done = cluster.kubectl(*words)
    return done.stdout or done.stderr
