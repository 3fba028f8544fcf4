"""What holds for the Kubernetes objects of any valid resource."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from reflection_api.contract import StageConfig
from reflection_api.resource import ReflectionTraining
from reflection_api.stages import RUN_STAGES, Stage
from reflection_api.validation.check import schema_findings
from reflection_operator.children.build import build
from reflection_operator.children.resolve import stage_config
from reflection_operator.children.text import to_json, to_yaml
from reflection_operator.settings import OperatorSettings

from .pod_security import violations
from .resources import only, resource
from .strategies import resources

SETTINGS = OperatorSettings()
STAGES = st.sampled_from(list(Stage))
RUN = st.sampled_from(RUN_STAGES)
"""The clean-up is a Job alone, which nobody owns: tests/unit/children/test_job.py."""
COUNTS = st.integers(1, 9999)
MIB = 1024 * 1024
FEW = settings(max_examples=50)
"""A resource has a hundred values to draw, which takes longer than the check."""

DNS_1035_LABEL = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
HOST_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
LABEL_NAME = re.compile(
    r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")


@st.composite
def built(
    draw: st.DrawFn, stages: st.SearchStrategy[Stage] = STAGES
) -> tuple[ReflectionTraining, Stage, int, list[dict[str, Any]]]:
    """A resource, a stage, an attempt and the children they give."""
    run, stage, attempt = draw(resources()), draw(stages), draw(COUNTS)
    round_number = draw(st.integers(1, run.spec.rounds))
    return run, stage, attempt, build(run, round_number, stage, attempt, draw(st.integers(0, 100)), SETTINGS)


def pod_of(children: list[dict[str, Any]]) -> dict[str, Any]:
    return only(children, "Job")["spec"]["template"]["spec"]


@FEW
@given(resources())
def test_the_resources_drawn_are_valid(run: ReflectionTraining) -> None:
    value = run.to_dict()
    value["metadata"] = {key: value["metadata"][key] for key in ("name", "namespace", "labels")}
    if "builtin" in value["spec"]["task"]["verifier"]:
        value["spec"]["task"]["verifier"]["builtin"]["options"] = {}
    assert schema_findings(value, local=True) == []


@FEW
@given(built())
def test_pods_satisfy_the_restricted_standard(case: Any) -> None:
    *_, children = case
    assert violations(pod_of(children)) == []
    for container in (*pod_of(children)["containers"], *pod_of(children).get("initContainers", [])):
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod_of(children)["automountServiceAccountToken"] is False


@FEW
@given(built())
def test_names_fit_every_kind(case: Any) -> None:
    *_, children = case
    job = only(children, "Job")
    names = {child["metadata"]["name"] for child in children}
    assert len(names) == 1
    assert DNS_1035_LABEL.fullmatch(names.pop())
    last_pod = f"{job['metadata']['name']}-{job['spec']['completions'] - 1}"
    assert HOST_NAME.fullmatch(last_pod), last_pod


@FEW
@given(resources(), st.tuples(STAGES, COUNTS), st.tuples(STAGES, COUNTS))
def test_attempts_have_names_of_their_own(run: ReflectionTraining, one: Any, other: Any) -> None:
    names = {
        only(build(run, 1, stage, attempt, 0, SETTINGS), "Job")["metadata"]["name"]
        for stage, attempt in (one, other)
    }
    assert len(names) == (1 if one == other else 2)


@FEW
@given(built())
def test_labels_are_valid_and_ours_stay_ours(case: Any) -> None:
    run, stage, attempt, children = case
    template = only(children, "Job")["spec"]["template"]
    for labels in (template["metadata"]["labels"], *(child["metadata"]["labels"] for child in children)):
        for key, value in labels.items():
            assert LABEL_NAME.fullmatch(key), key
            assert LABEL_VALUE.fullmatch(value), value
        assert labels["reflection.training/run-uid"] == run.metadata.uid
        assert labels["reflection.training/stage"] == stage.value
        assert labels["reflection.training/attempt"] == str(attempt)
        assert labels["app.kubernetes.io/managed-by"] == "reflect-operator"


@FEW
@given(built(RUN))
def test_only_the_queue_is_copied_from_the_resource(case: Any) -> None:
    run, _, _, children = case
    copied = (
        only(children, "Job")["metadata"]["labels"].keys()
        - only(children, "ConfigMap")["metadata"]["labels"].keys()
    )
    allowed = {"kueue.x-k8s.io/queue-name", "kueue.x-k8s.io/priority-class"}
    assert copied == allowed & run.metadata.labels.keys()


@FEW
@given(built(RUN))
def test_children_belong_to_the_resource(case: Any) -> None:
    run, _, _, children = case
    for child in children:
        (owner,) = child["metadata"]["ownerReferences"]
        assert owner["uid"] == run.metadata.uid
        assert owner["controller"] is True
        assert child["metadata"]["namespace"] == run.metadata.namespace


@FEW
@given(built(RUN))
def test_a_stage_is_told_what_was_decided(case: Any) -> None:
    run, stage, attempt, children = case
    told = only(children, "ConfigMap")["data"]["stage.json"]
    assert len(told.encode()) < MIB
    config = StageConfig.model_validate_json(told)
    assert (config.stage, config.attempt, config.run.uid) == (stage, attempt, run.metadata.uid)
    assert config == stage_config(run, config.round, stage, attempt)


@FEW
@given(built(RUN))
def test_entries_of_a_pod_are_unique_and_refer_to_each_other(case: Any) -> None:
    *_, children = case
    pod = pod_of(children)
    (container,) = pod["containers"]
    volumes = [volume["name"] for volume in pod["volumes"]]
    mounts = container["volumeMounts"]
    for entries in (
        volumes,
        [mount["mountPath"] for mount in mounts],
        [entry["name"] for entry in container["env"]],
    ):
        assert len(entries) == len(set(entries))
    config = next(mount["name"] for mount in mounts if mount["mountPath"] == "/etc/reflect")
    assert (
        next(volume for volume in pod["volumes"] if volume["name"] == config)["configMap"]["name"]
        == (only(children, "ConfigMap")["metadata"]["name"])
    )


@FEW
@given(built())
def test_the_contract_in_the_environment_cannot_be_replaced(case: Any) -> None:
    *_, children = case
    values = {entry["name"]: entry.get("value") for entry in pod_of(children)["containers"][0]["env"]}
    assert values["REFLECT_CONFIG"] == "/etc/reflect/stage.json"
    assert values["REFLECT_TERMINATION_LOG"] == "/dev/termination-log"
    assert values["REFLECT_WORKDIR"] == values["HOME"] == "/scratch"


@FEW
@given(built())
def test_text_reads_back_as_the_same_objects(case: Any) -> None:
    *_, children = case
    assert list(yaml.safe_load_all(to_yaml(children))) == children
    assert json.loads(to_json(children))["items"] == children


@FEW
@given(resources(), STAGES)
def test_the_same_resource_gives_the_same_bytes(run: ReflectionTraining, stage: Stage) -> None:
    stored = ReflectionTraining.model_validate_json(run.to_json())
    assert to_yaml(build(run, 1, stage, 1, 0, SETTINGS)) == to_yaml(build(stored, 1, stage, 1, 0, SETTINGS))


@FEW
@given(resources(), RUN)
def test_the_order_of_keys_does_not_change_the_config(run: ReflectionTraining, stage: Stage) -> None:
    reordered = ReflectionTraining.model_validate_json(json.dumps(run.to_dict(), sort_keys=True))
    told = [only(build(this, 1, stage, 1, 0, SETTINGS), "ConfigMap") for this in (run, reordered)]
    assert told[0]["data"] == told[1]["data"]


@pytest.mark.parametrize("letter", ["\x01", "\U0001f914"])
def test_the_longest_templates_fit_a_config_map(letter: str) -> None:
    text = letter * 16_384
    task = {
        "prompts": {"uri": "s3://team/train.jsonl"},
        "verifier": {"builtin": {"name": "countdown"}},
        "templates": {"system": text, "reflection": text, "retry": text},
    }
    told = only(build(resource(task=task), 1, Stage.TRAIN, 1, 0, SETTINGS), "ConfigMap")["data"]["stage.json"]
    assert len(told.encode()) < MIB


def test_a_changed_child_does_not_change_the_resource() -> None:
    run = resource(pods={"common": {"resources": {"limits": {"memory": "1Gi"}}, "nodeSelector": {"a": "b"}}})
    before = run.to_json()
    first = pod_of(build(run, 1, Stage.TRAIN, 1, 0, SETTINGS))
    first["containers"][0]["resources"]["limits"]["memory"] = "2Gi"
    first["nodeSelector"]["a"] = "c"
    first["securityContext"]["runAsNonRoot"] = False
    assert run.to_json() == before
    assert violations(pod_of(build(run, 1, Stage.TRAIN, 1, 0, SETTINGS))) == []
