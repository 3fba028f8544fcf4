"""Our kind of object, made known to an API server."""

from __future__ import annotations

from pathlib import Path

import yaml

from .cluster import RUNS, Cluster, until

CRD = Path(__file__).parents[2] / "crds/reflectiontrainings.yaml"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def install_crd(cluster: Cluster) -> None:
    """Have the API server know ReflectionTrainings."""
    if cluster.find(f"{CRDS}/reflectiontrainings.reflection.training") is None:
        cluster.create(CRDS, yaml.safe_load(CRD.read_text()))
    until(lambda: cluster.answers(f"{RUNS}/reflectiontrainings"), "API for ReflectionTrainings")
