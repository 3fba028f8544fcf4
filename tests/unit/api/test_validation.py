"""Every kind of mistake gets one line with file, line, field, value and remedy."""

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
    Checked,
    InvalidResources,
    Problem,
    check_text,
    load_resources,
)
from reflection_api.validation.problem import dotted

from .resources import VALID, resource

GOOD = """\
apiVersion: reflection.training/v1alpha1
kind: ReflectionTraining
metadata: {name: countdown}
spec:
  model: {uri: hf://org/name}
  task:
    prompts: {uri: s3://team/train.jsonl}
    verifier: {builtin: {name: countdown}}
  storage: {uri: s3://team/runs}
"""


def check(text: str, **options: Any) -> Checked:
    return check_text(text.encode(), "run.yaml", **{"local": False, **options})


def lines(value: dict[str, Any]) -> list[str]:
    """The problems of a resource without the place, which depends on how it was written."""
    problems = check(yaml.safe_dump(value)).problems
    return [f"{problem.field}: {problem.message}" for problem in problems]


def test_a_valid_file_gives_the_resource_with_its_defaults() -> None:
    checked = check(GOOD)
    assert checked.problems == []
    assert checked.notes == []
    (found,) = checked.resources
    assert found == ReflectionTraining.model_validate(yaml.safe_load(GOOD))


def test_the_line_is_that_of_the_field() -> None:
    (problem,) = check(GOOD + "  rollout:\n    # a comment\n    workers: 0\n").problems
    assert str(problem) == (
        "run.yaml:12: spec.rollout.workers: 0 is too small; expected a whole number from 1 to 1024"
    )


MISTAKES: list[tuple[dict[str, Any], str]] = [
    (
        {"spec__rollout": {"worker": 4}},
        "spec.rollout.worker: unknown field; did you mean spec.rollout.workers?",
    ),
    (
        {"spec__training": {"num_generations": 4}},
        "spec.training.num_generations: unknown field; did you mean spec.training.method.numGenerations?",
    ),
    (
        {"spec__training": {"beta": 4}},
        "spec.training.beta: unknown field; did you mean spec.training.method.beta?",
    ),
    (
        {"spec__task__failures": {"zzz": 1}},
        "spec.task.failures.zzz: unknown field; known here: deduplicate",
    ),
    (
        {"spec__rollout": {"workers": "4"}},
        'spec.rollout.workers: "4" is text; expected a whole number from 1 to 1024',
    ),
    (
        {"spec__rollout": {"workers": 1.5}},
        "spec.rollout.workers: 1.5 is a number; expected a whole number from 1 to 1024",
    ),
    (
        {"spec__rollout": {"workers": True}},
        "spec.rollout.workers: true is a boolean; expected a whole number from 1 to 1024",
    ),
    ({"spec__rollout": 5}, "spec.rollout: 5 is a whole number; expected a map of fields"),
    ({"spec__suspend": "yes"}, 'spec.suspend: "yes" is text; expected true or false'),
    (
        {"spec__pods": {"common": {"env": [None]}}},
        "spec.pods.common.env[0]: null is nothing; expected a map of fields",
    ),
    (
        {"spec__pods": {"common": {"labels": {"a.b/c": 1}}}},
        'spec.pods.common.labels["a.b/c"]: 1 is a whole number; expected text',
    ),
    (
        {"spec__task__verifier": {"builtin": {"name": "countdwn"}}},
        'spec.task.verifier.builtin.name: "countdwn" is not known; did you mean countdown?',
    ),
    (
        {"spec__rollout": {"engine": "sglang"}},
        'spec.rollout.engine: "sglang" is not known; known are vllm, transformers',
    ),
    (
        {"spec__training": {"method": {"numGenerations": 1}}},
        "spec.training.method.numGenerations: 1 is too small; expected a whole number from 2 to 64",
    ),
    (
        {"spec__training": {"learningRate": 0}},
        "spec.training.learningRate: 0 is too small; expected a number above 0 and up to 1",
    ),
    ({"spec__rounds": 11}, "spec.rounds: 11 is too large; expected a whole number from 1 to 10"),
    (
        {"spec__model__uri": "gs://bucket/model"},
        'spec.model.uri: "gs://bucket/model" does not fit; expected hf://org/name, s3://bucket/prefix, pvc://claim/path '
        "or file:///folder",
    ),
    (
        {"spec__model__uri": "s3://bucket/prefix\n"},
        'spec.model.uri: "s3://bucket/prefix\\n" does not fit; expected hf://org/name, s3://bucket/prefix, '
        "pvc://claim/path or file:///folder",
    ),
    (
        {"spec__task__prompts__uri": "s3://team/train.csv"},
        'spec.task.prompts.uri: "s3://team/train.csv" does not fit; expected hf://datasets/org/name/file, '
        "s3://bucket/key, pvc://claim/file or file:///file, ending in .jsonl or .parquet",
    ),
    (
        {"spec__model__credentialsSecret": "My_Secret"},
        'spec.model.credentialsSecret: "My_Secret" does not fit; expected the name of an object: lower-case letters, '
        "digits, dashes and dots",
    ),
    (
        {"spec__task__templates": {"retry": ""}},
        "spec.task.templates.retry: is empty; give a value or remove the field",
    ),
    (
        {"spec__task__templates": {"retry": "a" * 16_385}},
        "spec.task.templates.retry: has 16385 characters; give at most 16384",
    ),
    (
        {"spec__pods": {"common": {"volumes": [{"name": "a"}] * 33}}},
        "spec.pods.common.volumes: has 33 entries; give at most 32",
    ),
    (
        {"spec__storage": None},
        "spec.storage: is required: Where datasets, checkpoints, models and reports are kept",
    ),
    (
        {"spec__storage__uri": None},
        "spec.storage.uri: is required: s3://bucket/prefix or file:///folder. Prefix that all artefacts of the run are "
        "written under: s3://bucket/prefix, or file:///folder for `reflect run`",
    ),
    ({"spec": None}, "spec: is required: What to train, on which task, how, and where the results go"),
    (
        {"metadata__name": "My.Run"},
        'metadata.name: "My.Run" does not fit; expected lower-case letters, digits and dashes, starting with a letter',
    ),
    ({"metadata__name": "a" * 64}, "metadata.name: has 64 characters; give at most 63"),
    ({"metadata__label": {}}, "metadata.label: unknown field; did you mean metadata.labels?"),
    ({"metadata__labels": {"a": True}}, "metadata.labels.a: true is a boolean; expected text"),
    (
        {"spec__task__templates": {"retry": "{{ qestion }}"}},
        'spec.task.templates.retry: unknown variable "qestion"; did you mean question?',
    ),
    (
        {"spec__task__templates": {"system": "{{ answer }}"}},
        'spec.task.templates.system: unknown variable "answer"; known are question, row; columns of the prompts file are '
        "row.<column>, for example row.answer",
    ),
    (
        {"spec__task__templates": {"reflection": "one\n{% if %}"}},
        "spec.task.templates.reflection: line 2: Expected an expression, got 'end of statement block'; correct the template",
    ),
]


@pytest.mark.parametrize(("change", "line"), MISTAKES, ids=[line[:50] for _, line in MISTAKES])
def test_mistakes(change: dict[str, Any], line: str) -> None:
    assert lines(resource(**change)) == [line]


def test_all_mistakes_of_a_file_are_named_in_its_order() -> None:
    text = (
        GOOD.replace("countdown}}", "countdwn}}").replace("s3://team/runs", "runs")
        + "  rounds: 0\n  suspnd: true\n"
    )
    found = check(text).problems
    assert [(problem.line, problem.field) for problem in found] == [
        (8, "spec.task.verifier.builtin.name"),
        (9, "spec.storage.uri"),
        (10, "spec.rounds"),
        (11, "spec.suspnd"),
    ]


def test_other_kinds_are_left_out_with_a_note() -> None:
    checked = check("apiVersion: v1\nkind: ConfigMap\ndata: {a: b}\n---\n" + GOOD)
    assert len(checked.resources) == 1
    assert checked.notes == ["run.yaml:1: ConfigMap is not checked"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("foo", 'run.yaml:1: "foo" is no resource; write apiVersion, kind, metadata and spec'),
        ("- a", 'run.yaml:1: ["a"] is no resource; write apiVersion, kind, metadata and spec'),
        (
            "spec: {}",
            "run.yaml:1: kind: is required; for a training reflection.training/v1alpha1 and ReflectionTraining",
        ),
        (
            "kind: ReflectionTraining",
            "run.yaml:1: apiVersion: is required; for a training reflection.training/v1alpha1 and ReflectionTraining",
        ),
        (
            "apiVersion: reflection.training/v1\nkind: ReflectionTraining",
            'run.yaml:1: apiVersion: "reflection.training/v1" is not known; use reflection.training/v1alpha1',
        ),
        (
            "apiVersion: reflection.training/v1alpha1\nkind: Reflection",
            'run.yaml:2: kind: "Reflection" is not known; did you mean ReflectionTraining?',
        ),
        (
            "apiVersion: v1\nkind: reflectiontraning",
            'run.yaml:2: kind: "reflectiontraning" is not known; did you mean ReflectionTraining?',
        ),
    ],
)
def test_what_is_meant_to_be_a_training_but_is_not(text: str, line: str) -> None:
    checked = check(text)
    assert [str(problem) for problem in checked.problems] == [line]
    assert checked.notes == []


def test_what_a_cluster_printed_can_be_checked_again() -> None:
    """`kubectl get -o yaml` adds metadata and a status, which an API server ignores."""
    printed = resource(
        metadata__uid="1a2b", metadata__resourceVersion="7", metadata__generation=2,
        metadata__creationTimestamp="2026-11-23T00:00:00Z", metadata__managedFields=[{"manager": "kubectl"}],
        status={"phase": "Training", "fromANewerVersion": 1},
    )  # fmt: skip
    (found,) = check(yaml.safe_dump(printed)).resources
    assert found.status is None
    assert found.metadata.name == "countdown"


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
