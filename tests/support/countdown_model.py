"""What the countdown example's model can do by itself: its first tries, reflections and retries, sampled once each."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from reflection_api.items import Item
from reflection_api.templates import resolve_templates
from reflection_api.validation import load_resources
from reflection_trainer.conversation import Conversation, Turn
from reflection_trainer.verify.countdown import Countdown
from transformers import AutoModelForCausalLM, AutoTokenizer

COUNTDOWN = Path(__file__).parents[2] / "examples" / "countdown"
sys.path.insert(0, str(COUNTDOWN))  # a folder of scripts and no package

import questions  # noqa: E402

MAX_NEW_TOKENS = 12
SAMPLES = 4


class Rates(NamedTuple):
    """Shares on the held-out questions."""

    first_try: float
    retry: float
    """Of the failures, right after the own reflection."""
    named: float
    """Of the reflections, those that name an operator."""


def rates(folder: Path) -> Rates:
    """What the model in a folder can do, asked as the example asks."""
    torch.manual_seed(0)
    (resource,) = load_resources(COUNTDOWN / "reflectiontraining.yaml", local=True)
    task = resource.spec.task
    assert task.verifier.builtin
    conversation = Conversation(resolve_templates(task.templates, task.verifier.builtin.name))
    sample = _Sampler(folder)
    _, held_out = questions.split_questions()
    asked = [question for question in held_out for _ in range(SAMPLES)]
    answers = sample([[{"role": "user", "content": question.text}] for question in asked])
    right = _verdicts(asked, answers)
    failed = [(q, answer) for q, answer, ok in zip(asked, answers, right, strict=True) if not ok]

    reflecting = [
        conversation.reflection_prompt([{"role": "user", "content": q.text}], answer, q.row())
        for q, answer in failed
    ]
    reflections = sample(reflecting)
    retrying = [
        conversation.retry_prompt(prompt, reflection, q.row())
        for prompt, reflection, (q, _) in zip(reflecting, reflections, failed, strict=True)
    ]
    retried = _verdicts([q for q, _ in failed], sample(retrying))
    named = sum("use" in reflection.split() for reflection in reflections) / len(reflections)
    return Rates(sum(right) / len(right), sum(retried) / len(retried), named)


class _Sampler:
    """Answers at temperature 1."""

    def __init__(self, folder: Path) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()

    @torch.inference_mode()
    def __call__(self, prompts: Sequence[Sequence[Turn]]) -> list[str]:
        batch = self.tokenizer.apply_chat_template(
            prompts, add_generation_prompt=True, padding=True, return_dict=True, return_tensors="pt"
        )
        output = self.model.generate(
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            max_new_tokens=MAX_NEW_TOKENS,
            do_sample=True,
            top_k=0,
        )
        return self.tokenizer.batch_decode(output[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)


def _verdicts(asked: Sequence[questions.Question], answers: Sequence[str]) -> list[bool]:
    items = [
        Item(id=str(n), completion=answer, row=question.row())
        for n, (question, answer) in enumerate(zip(asked, answers, strict=True))
    ]
    return [verdict.correct for verdict in Countdown().verify(items)]
