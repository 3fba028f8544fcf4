"""What can be wrong with the questions of the evaluation: found out before anything is sampled, not after the training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .bad_inputs import ROWS, Case, write_lines


def held_out(prompts: Path, *rows: Any) -> dict[str, Any]:
    """Evaluation's own questions, of which the last ones are wrong: found out now, not after the training."""
    file = prompts.with_name("heldout.jsonl")
    write_lines(file, [row if isinstance(row, str) else json.dumps(row) for row in (*ROWS[:3], *rows)])
    return {"evaluation.prompts": {"uri": file.as_uri()}}


def a_held_out_line_that_is_no_json(model: Path, prompts: Path) -> dict[str, Any]:
    return held_out(prompts, "{'prompt'")


def a_held_out_prompt_that_is_too_long(model: Path, prompts: Path) -> dict[str, Any]:
    return held_out(prompts, ROWS[0] | {"prompt": "think " * 60})


def held_out_conversations_without_room(model: Path, prompts: Path) -> dict[str, Any]:
    """A question and its answer have 18 tokens, and the question put again after a reflection comes behind them."""
    return {"training.retryMaxTokens": 50}


def a_template_that_fails_before_an_empty_answer(model: Path, prompts: Path) -> dict[str, Any]:
    """Evaluation measures what the templates alone take."""
    return {"task.templates.reflection": "{{ answer[0] }}"}


def a_chat_template_that_refuses_a_second_question(model: Path, prompts: Path) -> dict[str, Any]:
    refusing = "{% if messages | length > 1 %}{{ raise_exception('one question, please') }}{% endif %}"
    file = model / "chat_template.jinja"
    file.write_text(refusing + file.read_text())
    return {}


def a_template_that_fails_on_a_held_out_row(model: Path, prompts: Path) -> dict[str, Any]:
    write_lines(prompts, [json.dumps(row | {"hint": "x"}) for row in ROWS])
    return held_out(prompts) | {"task.templates.reflection": "{{ row.hint }}"}


HELD_OUT_CASES: list[tuple[Case, int, str, str]] = [
    (
        a_held_out_line_that_is_no_json,
        65,
        "InvalidPrompts",
        "spec.evaluation.prompts.uri: heldout.jsonl:4: the line is not JSON: ",
    ),
    (
        a_held_out_prompt_that_is_too_long,
        65,
        "InvalidPrompts",
        "spec.evaluation.prompts.uri: heldout.jsonl:4: the question has 65 tokens; with spec.rollout",
    ),
    (
        held_out_conversations_without_room,
        78,
        "InvalidSpec",
        "spec.training.reflectionMaxTokens: 8 and retryMaxTokens: 50: even the shortest conversation takes ",
    ),
    (a_template_that_fails_before_an_empty_answer, 78, "InvalidTemplate", "spec.task.templates.reflection: "),
    (
        a_chat_template_that_refuses_a_second_question,
        78,
        "InvalidModel",
        "the model's chat template refuses the conversation: one question, please; ",
    ),
    (
        a_template_that_fails_on_a_held_out_row,
        78,
        "InvalidTemplate",
        "(rendered for spec.evaluation.prompts.uri: heldout.jsonl:1)",
    ),
]


HELD_OUT_REMEDIES: dict[Case, str] = {
    a_held_out_line_that_is_no_json: "; write one JSON object per line",
    a_held_out_prompt_that_is_too_long: "; shorten or drop the row, or lower maxTokens",
    held_out_conversations_without_room: ", and the model's context has 64; lower them",
    a_template_that_fails_before_an_empty_answer: " (rendered for spec.task.prompts.uri: train.jsonl:13)",
    a_chat_template_that_refuses_a_second_question: ", leave out the system template, or use another model",
    a_template_that_fails_on_a_held_out_row: "the template (rendered for spec.evaluation.prompts.uri: heldout.jsonl:1)",
}
"""How each sentence ends."""
