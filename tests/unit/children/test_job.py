"""Size, GPUs, failure rules, secrets and volumes of the Jobs."""

from __future__ import annotations

from typing import Any

import pytest
from reflection_api.contract import StageConfig
from reflection_api.stages import ROUND_STAGES, Stage
from reflection_operator.children.build import build
from reflection_operator.settings import OperatorSettings

from .resources import only, resource

SAMPLING = (Stage.ROLLOUT, Stage.EVALUATE)


def job(
    stage: Stage, *, settings: OperatorSettings | None = None, restarts: int = 0, **spec: Any
) -> dict[str, Any]:
    return only(build(resource(**spec), 1, stage, 1, restarts, settings or OperatorSettings()), "Job")


def pod(stage: Stage, **spec: Any) -> dict[str, Any]:
    return job(stage, **spec)["spec"]["template"]["spec"]


def container(stage: Stage, **spec: Any) -> dict[str, Any]:
    (only_one,) = pod(stage, **spec)["containers"]
    return only_one


def environment(stage: Stage, **spec: Any) -> dict[str, Any]:
    return {
        entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container(stage, **spec)["env"]
    }


def paths(stage: Stage, **spec: Any) -> dict[str, dict[str, Any]]:
    """Mount path to volume."""
    volumes = {volume["name"]: volume for volume in pod(stage, **spec)["volumes"]}
    return {mount["mountPath"]: volumes[mount["name"]] for mount in container(stage, **spec)["volumeMounts"]}


@pytest.mark.parametrize(
    ("stage", "pods"),
    [(Stage.ROLLOUT, 4), (Stage.VERIFY, 1), (Stage.TRAIN, 2), (Stage.EVALUATE, 1), (Stage.REPORT, 1)],
)
def test_every_pod_runs_at_once(stage: Stage, pods: int) -> None:
    spec = job(stage, rollout={"workers": 4}, training={"nodes": 2})["spec"]
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", pods, pods)


@pytest.mark.parametrize("stage", Stage)
def test_the_operator_alone_restarts(stage: Stage) -> None:
    spec = job(stage, restarts=2)["spec"]
    assert spec["backoffLimit"] == 0
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    assert job(stage, restarts=2)["metadata"]["annotations"] == {"reflection.training/restarts": "2"}


def outcome(stage: Stage, *, exit_code: int, disrupted: bool) -> str:
    """What the Job controller does with a failed pod: the first rule that matches, else the backoff limit's FailJob."""
    for rule in job(stage)["spec"]["podFailurePolicy"]["rules"]:
        codes = rule.get("onExitCodes")
        if codes and codes["operator"] == "In" and exit_code in codes["values"]:
            return rule["action"]
        if disrupted and any(
            (condition["type"], condition["status"]) == ("DisruptionTarget", "True")
            for condition in rule.get("onPodConditions", [])
        ):
            return rule["action"]
    return "FailJob"


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("exit_code", [65, 70, 78])
def test_a_final_error_ends_the_job_even_during_a_disruption(stage: Stage, exit_code: int) -> None:
    assert outcome(stage, exit_code=exit_code, disrupted=True) == "FailJob"


@pytest.mark.parametrize("stage", Stage)
def test_a_disrupted_pod_is_replaced_except_in_a_training(stage: Stage) -> None:
    expected = "FailJob" if stage is Stage.TRAIN else "Ignore"
    assert outcome(stage, exit_code=137, disrupted=True) == expected
    assert outcome(stage, exit_code=137, disrupted=False) == "FailJob"


@pytest.mark.parametrize("stage", Stage)
def test_gpus_are_limits_of_the_stages_that_run_the_model(stage: Stage) -> None:
    expected = {Stage.ROLLOUT: "2", Stage.EVALUATE: "2", Stage.TRAIN: "8"}.get(stage)
    given = container(stage, rollout={"gpusPerWorker": 2}, training={"gpusPerNode": 8})
    assert given.get("resources") == ({"limits": {"nvidia.com/gpu": expected}} if expected else None)


def test_gpus_join_the_limits_of_the_resource_under_the_operators_name() -> None:
    settings = OperatorSettings(gpu_resource="amd.com/gpu")
    pods = {
        "common": {"resources": {"requests": {"cpu": "1"}, "limits": {"memory": "9Gi", "amd.com/gpu": "5"}}}
    }
    spec = job(Stage.TRAIN, settings=settings, training={"gpusPerNode": 2}, pods=pods)["spec"]
    assert spec["template"]["spec"]["containers"][0]["resources"] == {
        "requests": {"cpu": "1"},
        "limits": {"memory": "9Gi", "amd.com/gpu": "2"},
    }


@pytest.mark.parametrize("stage", Stage)
def test_the_command_is_the_stage_contract(stage: Stage) -> None:
    assert container(stage)["command"] == ["python", "-m", "reflection_trainer", stage.value]
    assert environment(stage)["REFLECT_CONFIG"] == "/etc/reflect/stage.json"
    volume = paths(stage)["/etc/reflect"]
    if stage is Stage.CLEANUP:
        (item,) = volume["downwardAPI"]["items"]
        assert item["path"] == "stage.json"
    else:
        assert volume["configMap"]["name"] == job(stage)["metadata"]["name"]


def test_a_clean_up_outlives_what_the_resource_owns_and_is_told_everything_in_its_own_object() -> None:
    (alone,) = build(resource(), 1, Stage.CLEANUP, 1, 0, OperatorSettings())
    assert "ownerReferences" not in alone["metadata"]
    assert alone["spec"]["ttlSecondsAfterFinished"] == 600
    assert alone["spec"]["activeDeadlineSeconds"] == 3600
    (item,) = paths(Stage.CLEANUP)["/etc/reflect"]["downwardAPI"]["items"]
    key = item["fieldRef"]["fieldPath"].split("'")[1]
    told = StageConfig.model_validate_json(alone["spec"]["template"]["metadata"]["annotations"][key])
    assert told.run_uri == "s3://team/runs/ml/countdown-1a2b3c4d"


def test_a_clean_up_waits_for_no_queue() -> None:
    run = resource()
    queue = {"kueue.x-k8s.io/queue-name": "team-a"}
    run = run.model_copy(update={"metadata": run.metadata.model_copy(update={"labels": queue})})

    def labels(stage: Stage) -> dict[str, str]:
        return build(run, 1, stage, 1, 0, OperatorSettings())[-1]["metadata"]["labels"]

    assert queue.items() <= labels(Stage.REPORT).items()
    assert not queue.keys() & labels(Stage.CLEANUP).keys()


def test_nodes_of_a_training_meet_at_the_first() -> None:
    children = build(resource(training={"nodes": 2}), 1, Stage.TRAIN, 1, 0, OperatorSettings())
    service, created = only(children, "Service"), only(children, "Job")
    name = created["metadata"]["name"]
    template = created["spec"]["template"]
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
    assert template["spec"]["subdomain"] == service["metadata"]["name"]
    variables = environment(Stage.TRAIN, training={"nodes": 2})
    assert variables["MASTER_ADDR"] == f"{name}-0.{service['metadata']['name']}"
    assert variables["MASTER_PORT"] == str(service["spec"]["ports"][0]["port"])


@pytest.mark.parametrize(("stage", "nodes"), [(Stage.TRAIN, 1), (Stage.ROLLOUT, 2), (Stage.EVALUATE, 2)])
def test_a_pod_alone_needs_no_service(stage: Stage, nodes: int) -> None:
    children = build(resource(training={"nodes": nodes}), 1, stage, 1, 0, OperatorSettings())
    assert [child["kind"] for child in children] == ["ConfigMap", "Job"]
    assert "MASTER_ADDR" not in environment(stage, training={"nodes": nodes})


def test_the_job_is_created_last() -> None:
    children = build(resource(training={"nodes": 2}), 1, Stage.TRAIN, 1, 0, OperatorSettings())
    assert [child["kind"] for child in children] == ["ConfigMap", "Service", "Job"]


@pytest.mark.parametrize("stage", Stage)
def test_the_hub_token_goes_where_models_and_prompts_are_read(stage: Stage) -> None:
    variables = environment(stage, model={"uri": "hf://org/gated", "credentialsSecret": "hub"})
    secret = {"secretKeyRef": {"name": "hub", "key": "HF_TOKEN"}}
    expected = secret if stage in ROUND_STAGES else None
    assert variables.get("HF_TOKEN") == expected


@pytest.mark.parametrize("stage", Stage)
def test_claims_are_mounted_read_only_where_they_are_read(stage: Stage) -> None:
    task = {"prompts": {"uri": "pvc://my.prompts/a/train.jsonl"}, "verifier": {"builtin": {"name": "exact"}}}
    spec = {
        "model": {"uri": "pvc://models/7b"},
        "task": task,
        "evaluation": {
            "prompts": {"uri": "pvc://models/held-out.jsonl"},
            "compareModel": {"uri": "pvc://larger-models/70b"},
            "regression": {"tasks": ["sums"], "definitions": {"uri": "pvc://benchmarks/tasks"}},
        },
    }
    mounted = {
        mount["mountPath"]: (
            paths(stage, **spec)[mount["mountPath"]]["persistentVolumeClaim"],
            mount["readOnly"],
        )
        for mount in container(stage, **spec)["volumeMounts"]
        if mount["mountPath"].startswith("/mnt/pvc/")
    }
    expected = {
        f"/mnt/pvc/{claim}": ({"claimName": claim, "readOnly": True}, True)
        for claim in ("benchmarks", "larger-models", "models", "my.prompts")
    }
    assert mounted == (expected if stage in ROUND_STAGES else {})


@pytest.mark.parametrize("stage", Stage)
def test_there_are_places_to_write(stage: Stage) -> None:
    volumes = paths(stage)
    assert volumes["/tmp"]["emptyDir"] == volumes["/scratch"]["emptyDir"] == {}
    assert environment(stage)["REFLECT_WORKDIR"] == environment(stage)["HOME"] == "/scratch"
    shared = volumes.get("/dev/shm")
    assert (shared["emptyDir"] if shared else None) == (
        {"medium": "Memory"} if stage in (*SAMPLING, Stage.TRAIN) else None
    )


def test_a_resource_may_bring_its_own_scratch_disk_but_not_its_own_configuration() -> None:
    claim = {"claimName": "nvme"}
    pods = {
        "common": {
            "volumes": [{"name": "nvme", "persistentVolumeClaim": claim}],
            "volumeMounts": [{"name": "nvme", "mountPath": path} for path in ("/scratch", "/etc/reflect")],
        }
    }
    volumes = paths(Stage.TRAIN, pods=pods)
    assert volumes["/scratch"]["persistentVolumeClaim"] == claim
    assert "configMap" in volumes["/etc/reflect"]
    assert "reflect-scratch" not in {volume["name"] for volume in pod(Stage.TRAIN, pods=pods)["volumes"]}


def test_a_training_has_time_to_save() -> None:
    settings = OperatorSettings(training_grace_seconds=900)
    grace = {
        stage: job(stage, settings=settings)["spec"]["template"]["spec"].get("terminationGracePeriodSeconds")
        for stage in Stage
    }
    assert grace == {stage: 900 if stage is Stage.TRAIN else None for stage in Stage}


def test_variables_of_the_resource_may_refer_to_the_contracts() -> None:
    variables = container(
        Stage.TRAIN, pods={"common": {"env": [{"name": "A", "value": "$(REFLECT_WORKDIR)/a"}]}}
    )["env"]
    names = [entry["name"] for entry in variables]
    assert names.index("REFLECT_WORKDIR") < names.index("A")


def test_what_kubernetes_will_refuse_reaches_it_to_be_named() -> None:
    odd = {"env": [{"name": ["A"]}], "volumeMounts": [{"mountPath": ["/a"]}], "resources": {"limits": "all"}}
    given = container(Stage.VERIFY, pods={"common": odd})
    assert {"name": ["A"]} in given["env"]
    assert {"mountPath": ["/a"]} in given["volumeMounts"]
    assert given["resources"] == {"limits": "all"}
