"""`reflect render`: the objects of every stage, or what is wrong with the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from reflection_api.resource import ReflectionTraining
from reflection_api.stages import RUN_STAGES, Stage
from reflection_operator.children.build import build
from reflection_operator.cli.main import app
from reflection_operator.cli.render import UNKNOWN_UID
from reflection_operator.settings import OperatorSettings
from typer.testing import CliRunner, Result

RESOURCE = """\
apiVersion: reflection.training/v1alpha1
kind: ReflectionTraining
metadata: {name: countdown, namespace: ml}
spec:
  model: {uri: "hf://org/tiny"}
  task:
    prompts: {uri: "s3://team/train.jsonl"}
    verifier: {builtin: {name: countdown}}
  rollout: {workers: 4}
  training: {nodes: 2, gpusPerNode: 8}
  rounds: 3
  storage: {uri: "s3://team/runs"}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rt.yaml"
    path.write_text(RESOURCE)
    return path


def reflect(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def rendered(*words: str | Path) -> list[dict[str, Any]]:
    result = reflect("render", *words)
    assert result.exit_code == 0, result.output
    return list(yaml.safe_load_all(result.stdout))


def expected(
    round_number: int, stage: Stage, settings: OperatorSettings | None = None
) -> list[dict[str, Any]]:
    value = yaml.safe_load(RESOURCE)
    value["metadata"]["uid"] = UNKNOWN_UID
    resource = ReflectionTraining.model_validate(value)
    return build(resource, round_number, stage, 1, 0, settings or OperatorSettings())


def told(children: list[dict[str, Any]]) -> dict[str, Any]:
    (data,) = (child["data"] for child in children if child["kind"] == "ConfigMap")
    return json.loads(data["stage.json"])


def test_prints_what_the_operator_creates_for_each_stage(file: Path) -> None:
    # The run ends with one report, after its last round.
    rounds = {Stage.REPORT: 3}
    assert rendered(file) == [
        child for stage in RUN_STAGES for child in expected(rounds.get(stage, 1), stage)
    ]


def test_json_is_one_list_of_the_same_objects(file: Path) -> None:
    result = reflect("render", file, "-o", "json")
    assert json.loads(result.stdout) == {"apiVersion": "v1", "kind": "List", "items": rendered(file)}


def test_a_stage_and_a_round_can_be_picked(file: Path) -> None:
    children = rendered(file, "--stage", "train", "--round", "2")
    assert children == expected(2, Stage.TRAIN)
    assert told(children)["policy"]["uri"] == "s3://team/runs/ml/countdown-00000000/round-1/train/model"


def test_shows_the_defaults_that_depend_on_other_fields(file: Path) -> None:
    config = told(rendered(file, "--stage", "train"))
    assert config["training"]["processesPerNode"] == 8
    assert config["training"]["precision"] == "bf16"
    assert config["task"]["templates"]["retry"] == "{{ question }}"


def test_each_stage_has_a_heading(file: Path) -> None:
    headings = [
        line for line in reflect("render", file).stdout.splitlines() if line.startswith("# ml/countdown")
    ]
    assert headings[0] == "# ml/countdown: rollout, round 1 of 3: 4 pods"
    assert headings[2] == "# ml/countdown: train, round 1 of 3: 2 pods"
    assert len(headings) == len(RUN_STAGES)


def test_all_resources_of_a_file_are_rendered(file: Path) -> None:
    file.write_text(RESOURCE + "---\n" + RESOURCE.replace("name: countdown,", "name: other,"))
    names = {child["metadata"]["labels"]["reflection.training/run"] for child in rendered(file)}
    assert names == {"countdown", "other"}


def test_a_round_that_there_is_not_is_a_wrong_command_line(file: Path) -> None:
    result = reflect("render", file, "--round", "4")
    assert result.exit_code == 2
    assert "4 is more than the rounds of countdown (3)" in result.stderr
    assert result.stdout == ""


def test_problems_are_those_of_validate(file: Path) -> None:
    file.write_text(RESOURCE.replace("workers: 4", "worker: 4").replace("rounds: 3", "rounds: 0"))
    result, verdict = reflect("render", file), reflect("validate", file)
    assert result.exit_code == verdict.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == verdict.stdout
    assert "spec.rollout.worker: unknown field; did you mean spec.rollout.workers?" in result.stderr


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    result = reflect("render", tmp_path)
    assert result.exit_code == 2
    assert str(tmp_path) in result.stderr.replace("\n", "")


def test_settings_go_before_the_file(file: Path) -> None:
    config = told(rendered(file, "--stage", "rollout", "--set", "spec.rollout.workers=7"))
    assert config["rollout"]["workers"] == 7
    result = reflect("render", file, "--set", "workers=7")
    assert result.exit_code == 2
    assert "is not a setting" in result.stderr


def test_local_files_only_where_asked_for(file: Path) -> None:
    prompts = file.parent / "train.jsonl"
    prompts.write_text('{"prompt": "make 3 of 1 2", "nums": [1, 2], "target": 3}\n')
    file.write_text(RESOURCE.replace("s3://team/train.jsonl", "file://./train.jsonl"))
    assert reflect("render", file).exit_code == 1
    config = told(rendered(file, "--local", "--stage", "rollout"))
    assert config["task"]["prompts"]["uri"] == f"file://{prompts}"


OPTIONS = {
    "trainer_image": "registry.example/trainer:1",
    "image_pull_policy": "Always",
    "gpu_resource": "amd.com/gpu",
    "training_grace_seconds": 77,
}


def test_every_setting_of_the_operator_is_an_option(file: Path) -> None:
    assert OPTIONS.keys() == OperatorSettings.model_fields.keys()
    words = [word for name, value in OPTIONS.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    children = rendered(file, "--stage", "train", *words)
    assert children == expected(1, Stage.TRAIN, OperatorSettings(**OPTIONS))
    assert children != expected(1, Stage.TRAIN)


def test_a_setting_of_the_operator_is_checked(file: Path) -> None:
    result = reflect("render", file, "--trainer-image", "")
    assert result.exit_code == 2
    assert "--trainer-image" in result.stderr
