"""Resources that the API server stored although they are wrong: its CRD is older, newer or looser than the operator."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from reflection_api.conditions import ConditionType

from ...support.cluster import CORE, RUNS, Cluster, until
from ...support.crd import CRD, CRDS
from ...support.kstatus import verdicts
from ...support.kubelet import Kubelet
from ...support.operator_process import OperatorProcess
from ...unit.api.resources import resource
from .conftest import Run

CHECKS = {"x-kubernetes-validations", "enum", "minimum", "maximum"}


def looser(schema: Any) -> Any:
    """A schema without what refuses wrong values."""
    if isinstance(schema, list):
        return [looser(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: looser(value) for key, value in schema.items() if key not in CHECKS or isinstance(value, dict)
    }


@pytest.fixture(scope="module")
def loose(bare: Cluster) -> Cluster:
    """A cluster whose CRD lets everything pass that has the right shape."""
    crd = yaml.safe_load(CRD.read_text())
    for version in crd["spec"]["versions"]:
        properties = version["schema"]["openAPIV3Schema"]["properties"]
        properties["spec"] = looser(properties["spec"])
    bare.create(CRDS, crd)
    until(lambda: bare.answers(f"{RUNS}/reflectiontrainings"), "API for ReflectionTrainings")
    return bare


def said(cluster: Cluster, namespace: str, name: str = "countdown") -> list[str]:
    """What `reflect status` prints."""
    command = [str(Path(sys.executable).parent / "reflect"), "status", name, "-n", namespace]
    environment = os.environ | {"KUBECONFIG": str(cluster.plane.kubeconfig)}
    done = subprocess.run(command, env=environment, text=True, capture_output=True, check=True, timeout=60)
    return done.stdout.splitlines()


LEVELS = 9000
"""The API server takes no more than ten thousand."""


def test_one_that_is_nested_without_end_holds_nobody_else_up(loose: Cluster, tmp_path: Path) -> None:
    """Neither when a watch tells of it nor when an operator that starts lists it."""
    namespace = "deep"
    loose.create(f"{CORE}/namespaces", {"metadata": {"name": namespace}})
    operator = OperatorProcess(loose, namespace, tmp_path / "operator.log")
    operator.start()
    obj = resource(spec__pods={"common": {"affinity": "DEEP"}})
    obj["metadata"]["name"] = "deep"
    nested = '{"a":' * LEVELS + "{}" + "}" * LEVELS
    file = tmp_path / "deep.json"
    file.write_text(json.dumps(obj).replace('"DEEP"', nested))
    path = 'jsonpath={.status.conditions[?(@.type=="Stalled")].message}'
    try:
        made = loose.kubectl("create", "-n", namespace, "-f", str(file))
        assert made.returncode == 0, made.stderr[:1000]

        def message() -> str:
            return loose.kubectl("get", "rt", "deep", "-n", namespace, "-o", path).stdout

        told = until(message, "verdict")
        assert told.startswith("spec.pods.common.affinity: nested deeper than 100 levels")
        assert told in said(loose, namespace, "deep")[-1]
        for name, starts in (("first", 1), ("second", 2)):
            run, kubelet = Run(loose, namespace, name), Kubelet(loose, namespace)
            run.apply()
            until(lambda run=run: run.is_now("Succeeded", "True"), "end of the run", meanwhile=kubelet.tick)
            assert operator.log().count(" runs\n") == starts
            if starts == 1:
                operator.end()
                operator.start()
    finally:
        operator.end()
        print(operator.log())


@pytest.mark.parametrize(
    ("name", "wrong", "words", "right"),
    [
        (
            "rule",
            {"failuresPerStep": 7, "nodes": 3},
            "spec.training.failuresPerStep: 7 x numGenerations 8 cannot be shared equally by 3 processes (nodes 3): "
            "use a multiple of 3, for example 9",
            {"failuresPerStep": 9},
        ),
        ("value", {"strategy": "megatron"}, 'spec.training.strategy: "megatron"', {"strategy": "ddp"}),
        ("range", {"maxSteps": -3}, "spec.training.maxSteps: -3 is", {"maxSteps": 3}),
    ],
    ids=["rule", "value", "range"],
)
def test_it_is_stalled_with_field_value_and_remedy_until_it_is_mended(
    loose: Cluster, tmp_path: Path, name: str, wrong: dict[str, Any], words: str, right: dict[str, Any]
) -> None:
    namespace = f"loose-{name}"
    loose.create(f"{CORE}/namespaces", {"metadata": {"name": namespace}})
    run, kubelet = Run(loose, namespace), Kubelet(loose, namespace)
    operator = OperatorProcess(loose, namespace, tmp_path / "operator.log")
    operator.start()
    try:
        run.apply(spec__training=wrong)
        stalled = until(lambda: run.is_now("Stalled", "True", "InvalidSpec"), "verdict")
        assert words in stalled["message"]
        assert run.is_now("Ready", "False", "InvalidSpec")
        assert run.status["observedGeneration"] == run.get()["metadata"]["generation"]
        assert [verdict.word for verdict in verdicts([run.get()])] == ["Failed"]
        assert run.jobs() == []
        header, row = loose.kubectl("get", "rt", "-n", namespace, "-o", "wide").stdout.splitlines()
        shown = {
            column: row[header.index(column) :].split()[0] for column in ("STATUS", "RESTARTS", "REASON")
        }
        assert shown == {"STATUS": "Pending", "RESTARTS": "0", "REASON": "InvalidSpec"}
        assert words in row[header.index("MESSAGE") :]
        assert said(loose, namespace)[0] == f"{namespace}/countdown: Pending"
        assert words in said(loose, namespace)[-1]
        assert {each["type"] for each in run.status["conditions"]} == set(ConditionType) - {"Reconciling"}
        assert operator.metric("reflect_trainings", phase="Pending") == 1
        assert operator.metric("reflect_trainings", phase="New") == 0
        run.change(training=right)
        until(lambda: run.is_now("Succeeded", "True"), "end of the run", meanwhile=kubelet.tick)
        assert run.condition("Stalled")["status"] != "True"
    finally:
        operator.end()
        print(operator.log())
