"""What must be equal for a model's answers to be used again."""

from __future__ import annotations

import pytest
from reflection_api.spec import ModelSpec
from reflection_trainer.evaluate.origin import answers_origin
from reflection_trainer.evaluate.question_sets import QuestionSet
from reflection_trainer.verify.configured import task_verifier

from .scripted import config

BASE = ModelSpec(uri="file:///models/base")
OWN = "file:///data/heldout.jsonl"


@pytest.fixture
def origin(tmp_path):
    (tmp_path / "train.jsonl").write_text("{}")
    weights = tmp_path / "model" / "model.safetensors"
    weights.parent.mkdir()

    def made(model=BASE, content=b"weights", fixed=None, sampled=None, **changes):
        weights.write_bytes(content)
        settings = config(tmp_path, **changes)
        prompts = settings.evaluation.prompts or settings.task.prompts
        return answers_origin(
            settings,
            task_verifier(settings.task),
            model,
            model_dir=weights.parent,
            asked=QuestionSet([], tmp_path / "train.jsonl", prompts, [], sampled=sampled),
            fixed_failures=fixed,
        )

    return made


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"content": b"other weights"}, "model.sha256"),
        ({"fixed": "failures of another base model"}, "prompts.fixedFailures"),
        ({"evaluation.prompts": {"uri": OWN}}, "prompts.heldOutShare"),
        ({"sampled": 20}, "prompts.trainPrompts"),
        ({"evaluation.controls": ["genericReflection"]}, "sampling.genericReflection"),
        ({"evaluation.attemptsPerPrompt": 9}, "sampling.attemptsPerPrompt"),
        ({"training.reflectionMaxTokens": 9}, "sampling.reflectionMaxTokens"),
        ({"training.retryMaxTokens": 9}, "sampling.retryMaxTokens"),
        ({"training.method": {"temperature": 0.4}}, "sampling.reflectionTemperature"),
        ({"rollout.sampling.temperature": 0.4}, "sampling.temperature"),
        ({"rollout.engine": "vllm"}, "sampling.engine"),
        ({"task.templates.retry": "other {{ question }}"}, "templates.retry"),
        (
            {"task.verifier": {"builtin": {"name": "exact", "options": {"ignoreCase": True}}}},
            "verifier.options.ignoreCase",
        ),
    ],
)
def test_a_difference_is_named_by_its_path(origin, change, path):
    assert path in origin().differences(origin(**change))


@pytest.mark.parametrize(
    "change",
    [
        {"training.maxSteps": 7},
        {"rollout.attemptsPerPrompt": 9},
        {"rollout.workers": 3},
        {"round": 3},
        {"model": ModelSpec(uri="file:///models/a-copy")},
    ],
)
def test_what_cannot_change_the_answers_is_left_out(origin, change):
    assert origin().differences(origin(**change)) == {}


def test_own_prompts_are_what_counts_where_evaluation_has_them(origin):
    one = origin(**{"evaluation.prompts": {"uri": OWN, "seed": 1}})
    assert one.prompts["uri"] == OWN
    other = origin(**{"evaluation.prompts": {"uri": OWN, "seed": 1}, "task.prompts.limit": 3})
    assert one.differences(other) == {}
