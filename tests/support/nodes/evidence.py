"""What is left to read when a test on nodes has failed: objects, events and the ends of all logs."""

from __future__ import annotations

from ..cluster import Cluster

_OBJECTS = "reflectiontrainings,jobs,pods,resourcequotas,persistentvolumeclaims"
_LINES = 40


def evidence(cluster: Cluster, *namespaces: str) -> str:
    """Of these namespaces, as text."""
    return "\n".join(_of_namespace(cluster, namespace) for namespace in namespaces)


def _of_namespace(cluster: Cluster, namespace: str) -> str:
    where = ("--namespace", namespace)
    parts = [
        _said(cluster, "get", "nodes"),
        _said(cluster, "get", _OBJECTS, "--output", "wide", *where),
        _said(cluster, "get", "reflectiontrainings", "--output", "jsonpath={.items[*].status}", *where),
        _said(cluster, "get", "events", "--sort-by", ".metadata.creationTimestamp", *where),
    ]
    pods = _said(cluster, "get", "pods", "--output", "name", *where).split()
    parts += [f"--- {pod}\n{_said(cluster, 'logs', pod, *_ALL, *where)}" for pod in pods]
    return f"=== namespace {namespace}\n" + "\n".join(parts)


_ALL = ("--all-containers", "--prefix", f"--tail={_LINES}")


def _said(cluster: Cluster, *words: str) -> str:
    done = cluster.kubectl(*words)
    return done.stdout or done.stderr
