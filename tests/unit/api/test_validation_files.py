"""Files, streams and settings: what is around a resource."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from reflection_api.resource import ReflectionTraining
from reflection_api.validation import (
    BadSetting,
    InvalidResources,
    Problem,
    check_text,
    load_resources,
)
from reflection_api.validation.problem import dotted

from .resources import VALID, resource
from .test_validation import GOOD, check


def test_syntax_errors_and_duplicate_keys_come_with_the_rest() -> None:
    text = GOOD.replace("  storage:", "  task: {}\n  storage:") + "---\na: [\n"
    found = [str(problem) for problem in check(text).problems]
    assert "run.yaml:9: spec.task: duplicate key; it also stands on line 6; keep one" in found
    assert any(line.startswith("run.yaml:9: spec.task.prompts: is required") for line in found)
    assert any(line.startswith("run.yaml:13: not YAML") for line in found)


class TestLocal:
    """`--local`: file URIs, and the files behind them."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        (tmp_path / "train.jsonl").write_text('{"prompt": "make 6 from 2 3", "nums": [2, 3], "target": 6}\n')
        (tmp_path / "model").mkdir()
        (tmp_path / "model/config.json").write_text("{}")
        return tmp_path

    def write(self, folder: Path, **fields: Any) -> Path:
        value = resource(
            spec__model__uri="file://./model",
            spec__task__prompts__uri="file://./train.jsonl",
            spec__storage__uri=f"file://{folder}/runs",
            **fields,
        )
        file = folder / "run.yaml"
        file.write_text(yaml.safe_dump(value))
        return file

    def problems(self, folder: Path, **fields: Any) -> list[str]:
        with pytest.raises(InvalidResources) as caught:
            load_resources(self.write(folder, **fields), local=True)
        return [f"{problem.field}: {problem.message}" for problem in caught.value.problems]

    def test_relative_uris_are_beside_the_file(self, folder: Path) -> None:
        (found,) = load_resources(self.write(folder), local=True)
        assert found.spec.model.uri == f"file://{folder}/model"
        assert found.spec.task.prompts.uri == f"file://{folder}/train.jsonl"

    def test_spaces_in_a_folder_are_no_matter(self, tmp_path: Path) -> None:
        folder = tmp_path / "two words"
        folder.mkdir()
        (folder / "train.jsonl").write_text('{"prompt": "?"}')
        value = resource(spec__task__prompts__uri="file://./train.jsonl")
        (folder / "run.yaml").write_text(yaml.safe_dump(value))
        (found,) = load_resources(folder / "run.yaml", local=True)
        assert found.spec.task.prompts.uri.endswith("/two%20words/train.jsonl")

    def test_a_missing_prompts_file(self, folder: Path) -> None:
        (folder / "train.jsonl").unlink()
        assert self.problems(folder) == [
            f"spec.task.prompts.uri: there is no file {folder}/train.jsonl; correct the path"
        ]

    def test_a_missing_third_model(self, folder: Path) -> None:
        third = {"compareModel": {"uri": "file://./larger"}}
        assert self.problems(folder, spec__evaluation=third) == [
            f"spec.evaluation.compareModel.uri: there is no folder {folder}/larger; correct the path"
        ]

    def test_missing_definitions_of_benchmarks(self, folder: Path) -> None:
        regression = {"regression": {"tasks": ["sums"], "definitions": {"uri": "file://./tasks"}}}
        assert self.problems(folder, spec__evaluation=regression) == [
            f"spec.evaluation.regression.definitions.uri: there is no folder {folder}/tasks; correct the path"
        ]

    def test_a_missing_model(self, folder: Path) -> None:
        (folder / "model/config.json").unlink()
        assert self.problems(folder) == [
            f"spec.model.uri: there is no config.json in {folder}/model; give a folder with a model in Hugging Face format"
        ]
        (folder / "model").rmdir()
        assert self.problems(folder) == [
            f"spec.model.uri: there is no folder {folder}/model; correct the path"
        ]
        (folder / "model").write_text("no folder")
        assert "there is no folder" in self.problems(folder)[0]

    def test_what_nobody_would_take_up_here(self, folder: Path) -> None:
        assert self.problems(folder, spec__managedBy="kueue.x-k8s.io/multikueue", spec__suspend=True) == [
            'spec.managedBy: "kueue.x-k8s.io/multikueue" leaves the resource to another controller, and there is none here; '
            "remove the field",
            "spec.suspend: true holds the run, and nothing would be done here; remove the field, then run the same command "
            "again",
        ]
        ours = {"spec__managedBy": "reflection.training/operator", "spec__suspend": False}
        assert load_resources(self.write(folder, **ours), local=True)

    def test_missing_held_out_prompts(self, folder: Path) -> None:
        assert self.problems(folder, spec__evaluation={"prompts": {"uri": "file:///no/where.jsonl"}}) == [
            "spec.evaluation.prompts.uri: there is no file /no/where.jsonl; correct the path"
        ]

    def test_templates_are_rendered_with_the_first_row(self, folder: Path) -> None:
        assert self.problems(folder, spec__task__templates={"reflection": "not {{ row.goal }}"}) == [
            "spec.task.templates.reflection: cannot be rendered: there is no 'goal' here, only nums, target; "
            "correct the template"
        ]
        load_resources(
            self.write(folder, spec__task__templates={"reflection": "not {{ row.target }}"}), local=True
        )

    def test_columns_are_renamed_for_the_templates(self, folder: Path) -> None:
        renamed = {"spec__task__columns": {"goal": "target", "prompt": "prompt"}}
        load_resources(
            self.write(folder, spec__task__templates={"retry": "{{ question }} {{ row.goal }}"}, **renamed),
            local=True,
        )
        assert (
            "only nums, goal"
            in self.problems(folder, spec__task__templates={"retry": "{{ row.target }}"}, **renamed)[0]
        )

    @pytest.mark.parametrize("data", [b"", b"{", b"[1]", b"\xff", b"[" * 100_000])
    def test_a_malformed_prompts_file_is_left_to_the_rollout(self, folder: Path, data: bytes) -> None:
        """It reads all of the file and names the line."""
        (folder / "train.jsonl").write_bytes(data)
        assert load_resources(self.write(folder), local=True)

    def test_messages_end_with_the_question(self, folder: Path) -> None:
        (folder / "train.jsonl").write_text('{"messages": [{"role": "user", "content": "why?"}]}')
        load_resources(self.write(folder, spec__task__templates={"retry": "{{ question[3] }}"}), local=True)


class TestSettings:
    """`--set spec.a=b`."""

    def load(self, *settings: str) -> ReflectionTraining:
        (found,) = load_resources(GOOD, local=False, settings=settings, file="run.yaml")
        return found

    def test_values_are_read_as_in_the_file(self) -> None:
        found = self.load(
            "spec.training.maxSteps=7", "spec.training.learningRate=1e-4", "metadata.name=other"
        )
        assert found.spec.training.max_steps == 7
        assert found.spec.training.learning_rate == 1e-4
        assert found.metadata.name == "other"

    def test_the_last_setting_wins(self) -> None:
        assert self.load("spec.rounds=2", "spec.rounds=3").spec.rounds == 3

    def test_a_value_may_hold_an_equals_sign(self) -> None:
        assert self.load("spec.task.templates.retry=a=b").spec.task.templates.retry == "a=b"

    def test_problems_name_the_setting(self) -> None:
        with pytest.raises(InvalidResources) as caught:
            self.load("spec.training.maxStep=7", "spec.rounds=0")
        assert sorted(map(str, caught.value.problems)) == [
            "--set spec.rounds=0: spec.rounds: 0 is too small; expected a whole number from 1 to 10",
            "--set spec.training.maxStep=7: spec.training.maxStep: unknown field; did you mean spec.training.maxSteps?",
        ]

    def problems(self, text: str, *settings: str) -> list[str]:
        return sorted(
            map(str, check_text(text.encode(), "run.yaml", local=False, settings=settings).problems)
        )

    def test_a_rule_on_several_fields_names_the_setting_beside_the_line(self) -> None:
        text = GOOD + "  training:\n    failuresPerStep: 30\n"
        rounds, processes = "spec.rounds=2", "spec.training.processesPerNode=7"
        assert self.problems(text, rounds, processes) == [
            "run.yaml:11: spec.training.failuresPerStep: 30 x numGenerations 8 cannot be shared equally by 7 processes "
            "(nodes 1): use a multiple of 7, for example 35 (with --set spec.training.processesPerNode=7)"
        ]
        nodes = "spec.training.nodes=2"
        (problem,) = self.problems(text, rounds, processes, nodes)
        assert problem.endswith(f" (with --set {processes}, --set {nodes})")

    def test_a_fault_of_the_file_is_not_blamed_on_a_setting(self) -> None:
        (problem,) = self.problems(GOOD + "  rollout: {worker: 4}\n", "spec.rounds=2")
        assert (
            problem == "run.yaml:10: spec.rollout.worker: unknown field; did you mean spec.rollout.workers?"
        )

    def test_settings_that_need_each_other(self) -> None:
        text = GOOD + "  pods: none\n  training: {failuresPerStep: 30}\n"
        settings = (
            "spec.pods=null",
            "spec.pods.common.serviceAccountName=x",
            "spec.training.processesPerNode=7",
        )
        (problem,) = self.problems(text, *settings)
        assert problem.startswith(
            "run.yaml:11: spec.training.failuresPerStep: 30 x numGenerations 8 cannot be shared"
        )
        assert "--set spec.training.processesPerNode=7" in problem

    @pytest.mark.parametrize(
        "text", ["", "spec", "spec.rounds", "rounds=2", "spec..rounds=2", "=2", "kind=x"]
    )
    def test_what_is_no_setting(self, text: str) -> None:
        with pytest.raises(BadSetting, match="is not a setting; write for example"):
            self.load(text)

    def test_a_path_through_a_value(self) -> None:
        with pytest.raises(BadSetting, match='"hf://org/name" in the file, not a map of fields'):
            self.load("spec.model.uri.x=1")


def test_a_text_without_a_training_cannot_be_loaded(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    with pytest.raises(InvalidResources, match=r"empty.yaml: holds no ReflectionTraining; write one"):
        load_resources(tmp_path / "empty.yaml", local=False)


WILD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["spec", "model", "task", "training", "rollout", "pods", "storage", "evaluation"]), WILD
)
def test_any_value_anywhere_gets_an_answer(section: str, wild: Any) -> None:
    """Problems or a resource, never an exception."""
    value = resource()
    target = value if section == "spec" else value["spec"]
    target[section] = wild
    checked = check(yaml.safe_dump(value))
    assert bool(checked.problems) != bool(checked.resources)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_get_an_answer(data: bytes) -> None:
    checked = check_text(data, "run.yaml", local=True)
    assert checked.resources == []
    assert all("\n" not in str(problem) for problem in checked.problems)


def test_paths_as_people_write_them() -> None:
    assert dotted(("spec", "env", 0, "a.b/c", "d")) == 'spec.env[0]["a.b/c"].d'
    assert str(Problem("f", None, "", "m")) == "f: m"
    assert VALID["spec"]["model"]
