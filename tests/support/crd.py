"""Our kind of object, made known to an API server."""

from __future__ import annotations

import secrets
from contextlib import suppress
from pathlib import Path

import yaml

from .cluster import CORE, RUNS, Cluster, NotSoFar, until

CRD = Path(__file__).parents[2] / "crds/reflectiontrainings.yaml"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_PROBES = 60
_OWNER_THAT_IS_GONE = {
    "apiVersion": "reflection.training/v1alpha1",
    "kind": "ReflectionTraining",
    "name": "gone",
    "uid": "00000000-0000-4000-8000-000000000000",
}


def install_crd(cluster: Cluster) -> None:
    """Have the API server know ReflectionTrainings."""
    if cluster.find(f"{CRDS}/reflectiontrainings.reflection.training") is None:
        cluster.create(CRDS, yaml.safe_load(CRD.read_text()))
    until(lambda: cluster.answers(f"{RUNS}/reflectiontrainings"), "API for ReflectionTrainings")


def wait_for_the_collector(cluster: Cluster) -> None:
    """Until the garbage collector knows ReflectionTrainings: it learns of a new kind within half a minute.

    What is deleted together with the kind before that leaves its children behind.
    """
    maps = f"{CORE}/namespaces/default/configmaps"
    for _ in range(_PROBES):
        # A new one each time: of one that it could not make out it makes sure ever more rarely.
        name = f"probe-{secrets.token_hex(4)}"
        cluster.create(maps, {"metadata": {"name": name, "ownerReferences": [_OWNER_THAT_IS_GONE]}})
        with suppress(NotSoFar):
            until(lambda name=name: cluster.find(f"{maps}/{name}") is None, "end of the probe", patience=2)
            return
    raise NotSoFar("the garbage collector does not learn of ReflectionTrainings")
